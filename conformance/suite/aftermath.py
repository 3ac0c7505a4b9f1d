"""What an operation left behind, apart from its answer: entries of the ledger, the watermark, a line of the cart."""

from __future__ import annotations

from cartsync.conformance.v1 import control_pb2 as control
from cartsync.v1 import operation_pb2

from conformance.wire import Answer, Device, Story


def expect_effects(
    story: Story, device: Device, operation: operation_pb2.CartOperation, count: int, *, slug: str | None = None
) -> None:
    """Expect the ledger, where the target keeps one, to hold so many changes made by this operation."""
    if not story.shop.offers_capability(control.CAPABILITY_EFFECTS):
        return
    name = (device.queue_id, operation.sequence, operation.idempotency_key)
    made = [e for e in story.shop.effects() if (e.queue_id, e.sequence, e.idempotency_key) == name]
    story.expect(
        len(made) == count,
        f"operation {operation.sequence} of {device.name} changed the cart {len(made)} times",
        expected=f"{count} changes in the ledger",
        observed=[f"{e.sku}: {e.quantity_before} -> {e.quantity_after} at revision {e.revision}" for e in made],
        slug=slug,
    )


def expect_ledger_adds_up(story: Story, device: Device, *, slug: str | None = None) -> None:
    """Expect the ledger's changes of the device's cart, one upon the other, to end in what the cart holds."""
    if not story.shop.offers_capability(control.CAPABILITY_EFFECTS):
        return
    quantities: dict[str, int] = {}
    for effect in story.shop.effects():
        if effect.cart_id != device.cart_id:
            continue
        held = quantities.get(effect.sku, 0)
        story.expect(
            effect.quantity_before == held,
            f"a change of {effect.sku} started from another quantity than the change before it had left",
            expected=held,
            observed=effect.quantity_before,
            slug=slug,
        )
        quantities[effect.sku] = effect.quantity_after
    story.expect_lines(device.cart(), {sku: held for sku, held in quantities.items() if held}, slug=slug)


def expect_watermark(story: Story, answer: Answer, watermark: int, *, slug: str | None = None) -> None:
    """Expect the answer's watermark."""
    story.expect(
        answer.watermark == watermark,
        f"the watermark is {answer.watermark} after this submission",
        expected=watermark,
        observed=answer.watermark,
        slug=slug,
    )


def expect_line(story: Story, device: Device, sku: str, quantity: int, *, slug: str | None = None) -> None:
    """Expect the device's cart to hold this much of a product, whatever else it holds."""
    held = sum(line.quantity for line in device.cart().lines if line.sku == sku)
    story.expect(
        held == quantity,
        f"the cart holds {held} of {sku}",
        expected=quantity,
        observed=held,
        slug=slug,
    )


def expect_undecided(
    story: Story, device: Device, operation: operation_pb2.CartOperation, *, slug: str | None = None
) -> None:
    """Expect that nothing was recorded for this operation, that the watermark is before it, and no effect is there."""
    expect_effects(story, device, operation, 0, slug=slug)
    queue = device.lookup(operation.sequence, operation.sequence).queue
    story.expect(
        queue.decided_through_sequence < operation.sequence,
        f"operation {operation.sequence} counts as decided",
        expected=f"a watermark below {operation.sequence}",
        observed=queue.decided_through_sequence,
        slug=slug,
    )
