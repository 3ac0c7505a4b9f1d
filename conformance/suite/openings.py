"""The first lines of a story, with blame where it belongs when they go wrong already."""

from __future__ import annotations

from cartsync.v1 import operation_pb2, outcome_pb2

from conformance.wire import Device, Story


def put_in_cart(
    story: Story, device: Device, sku: str, quantity: int = 1, *, price: int | None = None, currency: str | None = None
) -> tuple[operation_pb2.CartOperation, outcome_pb2.Outcome]:
    """Add to the device's cart and return the operation with its outcome; a refusal counts against cart/add-adds."""
    operation = device.add(sku, quantity, price=price, currency=currency)
    return operation, story.expect_applied(device.submit(operation).only, slug="cart/add-adds")


def has_room_for_coupons(story: Story, count: int) -> bool:
    """Whether a cart of this server takes so many coupons; a check that needs more room has nothing to find there."""
    return story.policy.max_coupon_count >= count


def twin_of(story: Story, device: Device, name: str = "twin") -> Device:
    """The same queue over a connection of its own, as after a reconnect that the old connection survived."""
    twin = device.copy(name)
    twin.connection = story.connect(name)
    return twin
