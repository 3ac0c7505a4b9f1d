"""Watching a cart: profile `watch`."""

from __future__ import annotations

from cartsync.v1 import service_pb2

from tools.vectors.script import CART, TEA, Play, exchange


@exchange(
    "watch",
    "Another device's change arrives",
    "watch/first-snapshot",
    "watch/changes-arrive",
    "watch/watermark-arrives",
    "watch/atomic",
    "watch/never-back",
    profile="watch",
)
async def watch(play: Play) -> None:
    """The phone watches the cart with its own queue's watermark. The first snapshot comes at once; then one for the
    laptop's add, and one for an operation of the phone that changes nothing but moves its watermark. The client ends
    the watch."""
    await play.offer(TEA, 425)
    phone, laptop = play.device(), play.device()
    watching = await play.open(phone.principal, "CartSyncService/WatchCart")
    await watching.say(service_pb2.WatchCartRequest(cart_id=CART, queue_id=phone.queue_id))
    await watching.half_close()
    await watching.hear(note="No add has made the cart yet.")
    await watching.meanwhile(laptop.submit(laptop.add(TEA, 2)))
    await watching.hear()
    await watching.meanwhile(phone.submit(phone.remove("NOT-THERE")))
    await watching.hear()
    await watching.cut()
