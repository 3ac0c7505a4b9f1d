"""The Sync stream."""

from __future__ import annotations

from cartsync.v1 import service_pb2

from tools.vectors.script import TEA, Play, exchange, submit_message


@exchange(
    "sync-stream",
    "A stream from hello to half-close",
    "sync/welcome",
    "sync/one-answer-each",
    "sync/pipelining",
    "sync/same-meaning",
    "sync/half-close-drains",
    profile="streaming",
)
async def sync_stream(play: Play) -> None:
    """`Hello` is answered with `Welcome`, which carries the watermark and the whole policy. Two submissions follow
    without waiting, then a duplicate; each is answered, in order. After the half-close the server drains and ends with
    OK."""
    await play.offer(TEA, 425)
    phone = play.device()
    first, second, third = phone.add(TEA, 1), phone.add(TEA, 2), phone.add(TEA, 3)
    stream = await play.open(phone.principal, "CartSyncService/Sync")
    await stream.say(phone.hello())
    await stream.hear()
    await stream.say(submit_message(first, second))
    await stream.say(submit_message(third), note="Sent before the answer to the one before has come.")
    await stream.say(submit_message(first), note="A duplicate.")
    await stream.half_close()
    await stream.hear()
    await stream.hear()
    await stream.hear()
    await stream.hear()


@exchange("sync-resumed", "A stream that was cut", "sync/cut", "sync/welcome", "sync/same-meaning", profile="streaming")
async def sync_resumed(play: Play) -> None:
    """The stream is cut before the second answer was read. A new stream's `Welcome` says how far the queue has come;
    the client sends again what it has no answer for, and may as well do so in a unary call."""
    await play.offer(TEA, 425)
    phone = play.device()
    first, second = phone.add(TEA, 1), phone.add(TEA, 2)
    stream = await play.open(phone.principal, "CartSyncService/Sync")
    await stream.say(phone.hello())
    await stream.hear()
    await stream.say(submit_message(first))
    await stream.hear()
    await stream.cut()
    again = await play.open(phone.principal, "CartSyncService/Sync")
    await again.say(phone.hello())
    await again.hear()
    await again.say(submit_message(first, second))
    await again.hear()
    await again.half_close()
    await again.hear()
    await phone.submit(second, note="The same operation in a unary call: a duplicate.")


@exchange(
    "sync-wrong-submit", "A wrong submission on a stream", "sync/wrong-submit", "errors/field-path", profile="streaming"
)
async def sync_wrong_submit(play: Play) -> None:
    """A `Submit` that is wrong ends the stream; the path begins at the message. The answers before it stand."""
    await play.offer(TEA, 425)
    phone = play.device()
    stream = await play.open(phone.principal, "CartSyncService/Sync")
    await stream.say(phone.hello())
    await stream.hear()
    await stream.say(submit_message(phone.add(TEA, 1)))
    await stream.hear()
    await stream.say(submit_message(phone.add(TEA, 1, sequence=2), phone.add(TEA, 1, sequence=9)))
    await stream.hear()


@exchange("sync-hello-first", "A stream that does not begin with Hello", "sync/hello-first", profile="streaming")
async def sync_hello_first(play: Play) -> None:
    """Without `Hello` the server does not know which queue is meant."""
    phone = play.device()
    stream = await play.open(phone.principal, "CartSyncService/Sync")
    await stream.say(submit_message(phone.add(TEA, 1)))
    await stream.hear()
    nothing = await play.open(phone.principal, "CartSyncService/Sync", "A message with nothing in it.")
    await nothing.say(service_pb2.SyncRequest())
    await nothing.hear()


@exchange(
    "sync-superseded",
    "A newer stream of the same queue",
    "sync/superseded",
    "sync/concurrent-safe",
    profile="streaming",
)
async def sync_superseded(play: Play) -> None:
    """Two processes drain one queue. The newer stream ends the older one. That is a courtesy: without it they would
    only answer each other's operations as duplicates."""
    await play.offer(TEA, 425)
    phone = play.device()
    older = await play.open(phone.principal, "CartSyncService/Sync")
    await older.say(phone.hello())
    await older.hear()

    async def newer() -> None:
        stream = await play.open(phone.principal, "CartSyncService/Sync")
        await stream.say(phone.hello())
        await stream.hear()
        await stream.half_close()
        await stream.hear()

    await older.meanwhile(newer())
    await older.hear()
