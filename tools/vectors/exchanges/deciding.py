"""Deciding: duplicates, conflicts, gaps, pruning, discards, poison."""

from __future__ import annotations

from datetime import timedelta

from cartsync.conformance.v1 import control_pb2

from tools.vectors.script import CART, LAMP, MUG, TEA, Play, exchange, span


@exchange("policy", "The contract", "policy/complete", "store/id-in-answers", "identity/principal-stable")
async def policy(play: Play) -> None:
    """The first call of every client: who it is to this server, which store answers, and every figure of the
    contract."""
    await play.device().policy()


@exchange(
    "first-add",
    "A first add",
    "cart/made-by-first-add",
    "answers/one-per-attempt",
    "answers/watermark",
    "snapshot/atomic",
)
async def first_add(play: Play) -> None:
    """The shortest whole story: the contract, one add that makes the cart, and the cart as it is then, read with the
    queue's watermark, so that the client knows which of its operations are in it."""
    await play.offer(TEA, 425)
    phone = play.device()
    await phone.policy()
    await phone.submit(phone.add(TEA, 2), note="Sequence 1 has no previous key.")
    await phone.cart(note="The operation up to sequence 1 is in this cart.")


@exchange(
    "duplicate-replayed", "A duplicate", "deciding/replay-verbatim", "deciding/replayed-flag", "effects/exactly-once"
)
async def duplicate(play: Play) -> None:
    """The answer was lost, and the client sends the very same operation again: it is answered with the recorded
    outcome, field for field, with `replayed` beside it. The price has changed in between; the outcome has not, the cart
    has."""
    await play.offer(TEA, 425)
    phone = play.device()
    attempt = phone.add(TEA, 2)
    await phone.submit(attempt, note="This answer is lost on its way.")
    await play.offer(TEA, 450, note="The price rises.")
    await phone.submit(attempt, note="The same bytes again.")
    await phone.cart(note="Two, not four, at the price of today.")


@exchange("duplicate-by-meaning", "A duplicate in other bytes", "deciding/payload-by-meaning")
async def duplicate_by_meaning(play: Play) -> None:
    """A client that was updated between two attempts encodes the operation otherwise: another session context, no
    enqueue time, an age. What counts are the intent and the set of required features, so it is the same payload."""
    await play.offer(TEA, 425)
    phone = play.device()
    attempt = phone.add(TEA, 2)
    attempt.operation.session_context.client_version = "4.2.0"
    await phone.submit(attempt)
    attempt.operation.ClearField("enqueue_time")
    attempt.operation.session_context.client_version = "5.0.0"
    attempt.age.CopyFrom(span(timedelta(minutes=5)))
    await phone.submit(attempt)


@exchange(
    "payload-mismatch", "The same key with another payload", "deciding/payload-mismatch", "deciding/conflict-unrecorded"
)
async def payload_mismatch(play: Play) -> None:
    """A client that edits an operation after sending it breaks the contract. The recorded outcome stands, and is still
    what the original operation is answered with."""
    await play.offer(TEA, 425)
    phone = play.device()
    original = phone.add(TEA, 2)
    await phone.submit(original)
    edited = type(original)()
    edited.CopyFrom(original)
    edited.operation.add_item.quantity = 3
    await phone.submit(edited, note="Quantity 3 under the key that was decided with 2.")
    await phone.submit(original)


@exchange(
    "sequence-conflict",
    "Another key at a decided sequence",
    "deciding/sequence-conflict",
    "deciding/stop-after-conflict",
    "answers/reason-policy",
)
async def sequence_conflict(play: Play) -> None:
    """A queue was restored from a backup of the device: it assigns sequence 1 again, to another intent. The server
    keeps what was decided, and looks at nothing behind the conflict. The client stops and shows the rest to the
    shopper."""
    await play.offer(TEA, 425)
    await play.offer(MUG, 799)
    phone = play.device()
    await phone.submit(phone.add(TEA, 2))
    first = phone.add(MUG, 1, 799, sequence=1, key=phone.key(1, take=7), previous_key="")
    second = phone.add(TEA, 1)
    await phone.submit(first, second)


@exchange("queue-diverged", "A copy of the queue is live", "deciding/chain-checked", "deciding/conflict-unrecorded")
async def queue_diverged(play: Play) -> None:
    """A phone was copied, queue and all, and both go on. The first to be decided at sequence 2 wins. At sequence 3 the
    other names its own sequence 2 as what came before, and that is not the key which was decided last."""
    await play.offer(TEA, 425)
    phone = play.device()
    await phone.submit(phone.add(TEA, 1), phone.add(TEA, 1))
    await phone.submit(
        phone.add(TEA, 1, sequence=3, key=phone.key(3, take=7), previous_key=phone.key(2, take=7)),
        note="The copy sends its sequence 3, whose predecessor was never decided here.",
    )
    await phone.submit(
        phone.add(TEA, 1, sequence=3, previous_key=phone.key(2)), note="The rightful sequence 3 is decided as ever."
    )


@exchange("gap", "A gap", "deciding/gap-deferred", "deciding/stop-after-deferral", "answers/details")
async def gap(play: Play) -> None:
    """Sequence 2 arrives before sequence 1. Nothing is recorded; the answer says which sequence is expected, and the
    client sends from there."""
    await play.offer(TEA, 425)
    phone = play.device()
    first, second, third = phone.add(TEA, 1), phone.add(TEA, 2), phone.add(TEA, 3)
    await phone.submit(second, third)
    await phone.submit(first, second, third)


@exchange(
    "purged",
    "A duplicate after the retention",
    "retention/purged-not-executed",
    "retention/lookup-purged",
    "retention/watermark-kept",
)
async def purged(play: Play) -> None:
    """A device comes back after its outcome records were pruned. The watermark still knows that the sequence was
    decided, so nothing is applied; but nobody knows the outcome any more, and the client says so to the shopper."""
    await play.offer(TEA, 425)
    phone = play.device()
    attempt = phone.add(TEA, 2)
    await phone.submit(attempt, note="This answer is lost on its way.")
    await play.arrange(
        "AdvanceClock", "Thirty-one days pass, and records are pruned.", duration=span(timedelta(days=31))
    )
    await phone.submit(attempt)
    await phone.look_up(1, 2)
    await phone.cart(note="The effect is there, once.")


@exchange("lookup", "Looking up", "lookup/statuses", "lookup/decides-nothing", "lookup/unknown-queue")
async def lookup(play: Play) -> None:
    """What was decided of a range of sequences, with the recorded outcomes. "Undecided" cancels nothing: the operation
    is decided when it arrives. A queue that never sent anything is no error."""
    await play.offer(TEA, 425)
    phone = play.device()
    await phone.look_up(1, 2, note="Nothing has come of this queue yet.")
    first, second = phone.add(TEA, 1), phone.add(TEA, 1)
    await phone.submit(first)
    await phone.look_up(1, 2)
    await phone.submit(second)


@exchange(
    "discard",
    "Cancelling an operation",
    "discard/cancels-undecided",
    "discard/late-original",
    "discard/chain-continues",
)
async def discard(play: Play) -> None:
    """The shopper cancels an operation of which nobody knows whether it arrived. The discard has a key of its own and
    the same sequence. It comes first here, so nothing changes, and the original, arriving late, is in conflict. The
    next operation names the discarded key as its predecessor."""
    await play.offer(TEA, 425)
    phone = play.device()
    original = phone.add(TEA, 2)
    following = phone.add(TEA, 1)
    cancel = phone.discard(original)
    await phone.submit(cancel)
    await phone.submit(original, note="The late original: without effect.")
    await phone.submit(following)
    await phone.cart()


@exchange("discard-too-late", "Cancelling too late", "discard/too-late")
async def discard_too_late(play: Play) -> None:
    """The original was decided first. The discard is in conflict, the original's outcome and its effect stand; the
    client sends the original again to learn what became of it."""
    await play.offer(TEA, 425)
    phone = play.device()
    original = phone.add(TEA, 2)
    await phone.submit(original, note="This answer is lost on its way.")
    await phone.submit(phone.discard(original))
    await phone.submit(original)


@exchange(
    "poison",
    "An operation that makes the server fail",
    "poison/internal-deferred",
    "poison/quarantined",
    "poison/queue-moves-on",
)
async def poison(play: Play) -> None:
    """The server throws while it decides sequence 2. What stands before it is answered; sequence 2 is deferred with a
    delay. After the number of attempts that the policy names, the server sets it aside for good, and the queue moves
    on."""
    await play.offer(TEA, 425)
    await play.offer(MUG, 799)
    phone = play.device()
    policy = (await phone.policy()).policy
    first, bad, last = phone.add(TEA, 1), phone.add(MUG, 1, 799), phone.add(TEA, 1)
    await play.arrange(
        "SetFailPoint",
        principal=phone.principal,
        fail_point=control_pb2.FAIL_POINT_WHILE_DECIDING,
        action=control_pb2.FAIL_ACTION_THROW,
        hit_count=policy.quarantine_attempt_count,
        sequence=2,
    )
    await phone.submit(first, bad, last)
    for _ in range(policy.quarantine_attempt_count - 1):
        await phone.submit(bad, last)
    await phone.submit(bad, last, note="One attempt more than the policy allows to fail.")
    await phone.cart(CART)


@exchange("other-queue", "One key in two queues", "deciding/key-scope", "cart/shared", "cart/add-adds")
async def other_queue(play: Play) -> None:
    """Two devices of one shopper share a cart by its id. A key means something within its queue only: both use the same
    one, and both adds count."""
    await play.offer(LAMP, 339)
    phone, laptop = play.device(), play.device()
    await phone.submit(phone.add(LAMP, 1, 339))
    await laptop.submit(laptop.add(LAMP, 2, 339, key=phone.key(1)))
    await phone.cart(note="Three; the watermark is that of the phone's queue.")
