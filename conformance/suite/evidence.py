"""Evidence apart from the answer to a submission: what the queue, the cart and the ledger say was really done."""

from __future__ import annotations

from collections.abc import Sequence

from cartsync.conformance.v1 import control_pb2 as control
from cartsync.v1 import operation_pb2, service_pb2

from conformance.wire import Answer, Device, Story


def watermark_of(device: Device) -> int:
    """The watermark of the device's queue now."""
    return device.lookup(1, 1).queue.decided_through_sequence


def expect_untouched(story: Story, device: Device, *, slug: str | None = None) -> None:
    """Expect that nothing of the device's queue was ever processed: no watermark, no cart, no effect."""
    expect_processed(story, device, (), {}, slug=slug)


def expect_processed(
    story: Story,
    device: Device,
    operations: Sequence[operation_pb2.CartOperation],
    quantities: dict[str, int],
    *,
    slug: str | None = None,
) -> None:
    """Expect exactly these operations (all of them changes) to have been processed, leaving these quantities."""
    watermark = watermark_of(device)
    story.expect(
        watermark == len(operations),
        f"{watermark} operations of the queue are decided, not {len(operations)}",
        expected=f"watermark {len(operations)}",
        observed=f"watermark {watermark}",
        slug=slug,
    )
    story.expect_lines(device.cart(), quantities, slug=slug)
    expect_ledger(story, device, operations, slug=slug)


def expect_ledger(
    story: Story, device: Device, operations: Sequence[operation_pb2.CartOperation], *, slug: str | None = None
) -> None:
    """Expect the ledger, where the target keeps one, to hold one effect of each operation and no other."""
    if not story.shop.offers_capability(control.CAPABILITY_EFFECTS):
        return
    observed = [effect.idempotency_key for effect in story.shop.effects() if effect.queue_id == device.queue_id]
    expected = [operation.idempotency_key for operation in operations]
    story.expect(
        observed == expected,
        f"the queue had {len(observed)} effects on carts where {len(expected)} operations should have had one each",
        expected=expected,
        observed=observed,
        slug=slug,
    )


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


def expect_state_between_crashes(
    story: Story,
    device: Device,
    operations: Sequence[operation_pb2.CartOperation],
    *,
    slug: str | None = None,
) -> int:
    """Expect a whole number of these adds to be decided, with record, effect and watermark; returns how many.

    The operations are all of the queue, adds of one unit or more to lines that only this queue touches.
    """
    found = device.lookup(1, len(operations))
    read = device.read_cart()
    watermark = found.queue.decided_through_sequence
    decided = [status.decidedness == service_pb2.DECIDEDNESS_DECIDED for status in found.statuses]
    story.expect(
        decided == [operation.sequence <= watermark for operation in operations],
        f"with watermark {watermark} the records of the queue are not those up to the watermark",
        expected=f"records of 1 to {watermark}",
        observed=[status.sequence for status in found.statuses if status.outcome.ByteSize()],
        slug=slug,
    )
    quantities: dict[str, int] = {}
    for operation in operations[:watermark]:
        sku = operation.add_item.sku
        quantities[sku] = quantities.get(sku, 0) + operation.add_item.quantity
    mine = {operation.add_item.sku for operation in operations}
    observed = {line.sku: line.quantity for line in read.cart.lines if line.sku in mine}
    story.expect(
        read.queue.decided_through_sequence == watermark and observed == quantities,
        f"with watermark {watermark} the cart does not hold what the operations up to the watermark added",
        expected=quantities,
        observed=observed,
        slug=slug,
    )
    expect_ledger(story, device, operations[:watermark], slug=slug)
    return watermark
