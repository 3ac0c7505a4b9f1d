"""Carts: what each operation does, and guards."""

from __future__ import annotations

from tools.vectors.script import CART, MUG, TEA, Play, exchange


@exchange(
    "cart-operations",
    "Adding, adjusting, setting, removing",
    "cart/add-adds",
    "cart/adjust-moves",
    "cart/adjust-floors",
    "cart/set-sets",
    "cart/remove-removes",
    "cart/remove-missing",
    "cart/line-change",
    "cart/changed-flag",
    "revision/judged-at",
)
async def cart_operations(play: Play) -> None:
    """Each operation on a line tells the quantity before and after. A decrease below nothing ends at nothing and says
    so; removing what is not there is applied and changes nothing, so the revision stays."""
    await play.offer(TEA, 425)
    await play.offer(MUG, 799)
    phone = play.device()
    await phone.submit(
        phone.add(TEA, 2),
        phone.adjust(TEA, +3),
        phone.adjust(TEA, -9),
        phone.set(TEA, 4),
        phone.add(MUG, 1, 799),
        phone.remove(TEA),
        phone.remove(TEA),
    )
    await phone.cart()


@exchange("guard", "A guard against another device", "guard/refuses", "guard/own-queue", "deciding/rejection-advances")
async def guard(play: Play) -> None:
    """The phone saw revision 1 and sets the quantity only if no other device has changed the line since. The laptop
    has. The phone's own changes never trip its guard, and the rejection does not stop its queue."""
    await play.offer(TEA, 425)
    phone, laptop = play.device(), play.device()
    await phone.submit(phone.add(TEA, 2))
    await laptop.submit(laptop.adjust(TEA, +1))
    await phone.submit(phone.set(TEA, 5, guard=1), phone.adjust(TEA, -1, guard=2), phone.remove(TEA, guard=2))


@exchange("closed-cart", "A cart that was checked out", "cart/closed", "snapshot/state")
async def closed_cart(play: Play) -> None:
    """The shop closed the cart while the device was offline. Every operation that is not decided yet is rejected, and
    what was decided before keeps its recorded outcome."""
    await play.offer(TEA, 425)
    phone = play.device()
    first = phone.add(TEA, 2)
    await phone.submit(first)
    await play.arrange("CloseCart", principal=phone.principal, cart_id=CART)
    await phone.submit(first, phone.add(TEA, 1))
    await phone.cart()


@exchange("unknown-cart", "A cart that no add has made", "snapshot/unknown-cart", "cart/missing-cart")
async def unknown_cart(play: Play) -> None:
    """Reading it shows an open, empty cart with revision 0. Only an add makes one: a set is rejected."""
    await play.offer(TEA, 425)
    phone = play.device()
    await phone.cart()
    await phone.submit(phone.set(TEA, 2), phone.remove(TEA))
