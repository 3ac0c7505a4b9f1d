"""Price and stock: nothing from the client is trusted."""

from __future__ import annotations

from tools.vectors.script import CLAMP, EXACT, MUG, TEA, Play, exchange


@exchange(
    "price-changed",
    "A price that changed in between",
    "price/current-wins",
    "price/changed-adjustment",
    "price/limit",
    "price/snapshot-current",
    "price/totals-exact",
)
async def price_changed(play: Play) -> None:
    """The shopper saw 4.25 and agreed to at most 4.50. At 4.50 the add is applied at the current price and says so; at
    4.75 it is rejected with the current price, for the shopper to decide. The cart shows what it costs now."""
    await play.offer(TEA, 450)
    phone = play.device()
    await phone.submit(phone.add(TEA, 2, 425, limit=450))
    await play.offer(TEA, 475, note="The price rises again.")
    await phone.submit(phone.add(TEA, 1, 425, limit=450))
    await phone.cart()


@exchange(
    "clamp",
    "Less in stock than asked for",
    "stock/clamp",
    "stock/clamp-to-nothing",
    "stock/exact",
    "stock/availability-shown",
)
async def clamp(play: Play) -> None:
    """With CLAMP the line gets what there is, and the outcome says what was asked and what was granted; when it could
    not grow at all, the add is rejected. With EXACT it is all or nothing. The check is on the line as it would be."""
    await play.offer(MUG, 799, 3)
    phone = play.device()
    await phone.submit(
        phone.add(MUG, 5, 799, policy=CLAMP),
        phone.add(MUG, 1, 799, policy=CLAMP),
        phone.add(MUG, 1, 799, policy=EXACT),
    )
    await play.offer(MUG, 799, 1, note="Two were sold to others. A cart reserves nothing.")
    await phone.cart()


@exchange(
    "unlisted", "A product that is no longer sold", "price/unlisted-shown", "stock/unlisted", "stock/decrease-free"
)
async def unlisted(play: Play) -> None:
    """The line stays, without a price and outside the subtotal, until the shopper takes it out. Nothing can be added,
    and taking out never waits for the catalogue."""
    await play.offer(TEA, 425)
    await play.offer(MUG, 799)
    phone = play.device()
    await phone.submit(phone.add(TEA, 2), phone.add(MUG, 1, 799))
    await play.offer(TEA, 425, listed=False)
    await phone.cart()
    await phone.submit(phone.add(TEA, 1), phone.adjust(TEA, -1))
