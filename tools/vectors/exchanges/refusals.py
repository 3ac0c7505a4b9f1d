"""Refusals of single operations: those before the cart, those of the cart rules, and those that only defer."""

from __future__ import annotations

from datetime import timedelta

from tools.vectors.script import EXACT, LAMP, MUG, TEA, Play, exchange, money


@exchange(
    "refused-before-the-cart",
    "Refused before the cart is looked at",
    "deciding/unsupported-feature",
    "deciding/malformed",
    "deciding/key-reused",
    "retention/window-enforced",
    "deciding/rejection-recorded",
    "deciding/rejection-advances",
)
async def before_the_cart(play: Play) -> None:
    """A feature the server does not have, a quantity of zero, a key used twice, an operation that waited too long: each
    is rejected, recorded, and the queue goes on. The last one is an ordinary add."""
    await play.offer(TEA, 425)
    phone = play.device()
    await phone.submit(
        phone.add(TEA, 1, features=["gift-wrap"]),
        phone.add(TEA, 0),
        phone.add(TEA, 1, key=phone.key(2)),
        phone.add(TEA, 1, age=timedelta(days=8)),
        phone.add(TEA, 1, age=timedelta(days=7)),
    )


@exchange(
    "refused-by-the-cart-rules",
    "Refused by the rules of the cart",
    "stock/unknown-sku",
    "stock/unlisted",
    "price/currency",
    "price/limit",
    "limits/line-quantity",
    "stock/exact",
    "answers/details",
)
async def by_the_cart_rules(play: Play) -> None:
    """One operation for each rule of chapter 6, in the order of its table. Each refusal carries the details that its
    reason calls for."""
    await play.offer(TEA, 425)
    await play.offer(MUG, 799, listed=False)
    await play.offer(LAMP, 339, 2)
    phone = play.device()
    await phone.submit(
        phone.add(TEA, 1),
        phone.add("NO-SUCH-THING", 1, 100),
        phone.add(MUG, 1, 799),
        phone.add(TEA, 1, 425, currency="EUR"),
        phone.add(TEA, 1, 400, limit=400),
        phone.add(TEA, 2_000_000_000),
        phone.add(LAMP, 3, 339, policy=EXACT),
    )


@exchange(
    "malformed",
    "Malformed operations",
    "deciding/malformed",
    "deciding/refusal-order",
)
async def malformed(play: Play) -> None:
    """Fields that are missing or out of range are named by their path from the operation. The envelope is in order, so
    the operations are decided: rejected and recorded."""
    await play.offer(TEA, 425)
    phone = play.device()
    without_price = phone.add(TEA, 1)
    without_price.operation.add_item.ClearField("observed_unit_price")
    other_currency = phone.add(TEA, 1)
    other_currency.operation.add_item.max_unit_price.CopyFrom(money(500, "EUR"))
    without_policy = phone.set(TEA, 1)
    without_policy.operation.set_quantity.ClearField("quantity_policy")
    await phone.submit(
        without_price,
        other_currency,
        without_policy,
        phone.adjust(TEA, 0),
        phone.add(TEA, 1, cart_id="my cart"),
    )


@exchange(
    "backend-unavailable",
    "The catalogue does not answer",
    "backend/deferred",
    "stock/decrease-free",
    "deciding/deferral-unrecorded",
)
async def backend_unavailable(play: Play) -> None:
    """What raises a line waits for the catalogue: deferred with a delay, nothing recorded. What does not, goes through.
    When the catalogue is back, the same operation under the same key is decided."""
    await play.offer(TEA, 425)
    phone = play.device()
    await phone.submit(phone.add(TEA, 3))
    await play.arrange("SetBackendAvailability", principal=phone.principal, available=False)
    decrease, increase = phone.adjust(TEA, -1), phone.add(TEA, 1)
    await phone.submit(decrease, increase)
    await play.arrange("SetBackendAvailability", principal=phone.principal, available=True)
    await phone.submit(increase)


@exchange("rate-limited", "Too fast", "rate/deferred", "rate/exempt")
async def rate_limited(play: Play) -> None:
    """One operation is allowed, the second is deferred with a delay and not recorded. A duplicate and a discard are
    answered all the same; later the operation is decided."""
    await play.offer(TEA, 425)
    phone = play.device()
    await play.arrange("SetRateLimit", principal=phone.principal, remaining_operation_count=1)
    first, second = phone.add(TEA, 1), phone.add(TEA, 2)
    third = phone.add(TEA, 3)
    await phone.submit(first, second)
    await phone.submit(first, note="A duplicate is answered whatever the limit is.")
    await phone.submit(phone.discard(second), note="A discard is not charged.")
    await play.arrange("SetRateLimit", principal=phone.principal)
    await phone.submit(third)
