"""Fuzzing: plans of one kind of trouble at a time, judged by the oracle in every answer and in what is left."""

from __future__ import annotations

from conformance.plans import account_families, strategies
from conformance.run import Run
from conformance.suite.fuzzing import fuzz
from conformance.suite.marks import requirement


@requirement(
    "effects/exactly-once",
    "deciding/replay-verbatim",
    "deciding/duplicates-first",
    "deciding/payload-mismatch",
    "deciding/payload-by-meaning",
    "deciding/sequence-conflict",
    "deciding/gap-deferred",
    "deciding/deferral-unrecorded",
    "deciding/conflict-unrecorded",
    "deciding/rejection-advances",
    "effects/in-order",
)
def test_fuzzed_duplicates(cartsync_run: Run) -> None:
    """Sends duplicates at every stage, in every company: resent, twisted, out of order, between deferrals."""
    fuzz(cartsync_run, strategies.DUPLICATES)


@requirement(
    "deciding/chain-checked",
    "deciding/stop-after-conflict",
    "discard/cancels-undecided",
    "discard/late-original",
    "discard/too-late",
    "discard/chain-continues",
    "discard/never-refused",
)
def test_fuzzed_copies_and_discards(cartsync_run: Run) -> None:
    """Brings copies of a queue to life beside it, and cancels operations before and after they were sent."""
    fuzz(cartsync_run, strategies.COPIES)


@requirement(
    "snapshot/content",
    "revision/replayable",
    "deciding/refusal-order",
    "price/current-wins",
    "price/changed-adjustment",
    "price/snapshot-current",
    "price/totals-exact",
    "stock/exact",
    "stock/clamp",
    "stock/decrease-free",
    "guard/refuses",
    "guard/own-queue",
    "cart/shared",
)
def test_fuzzed_prices_and_stock(cartsync_run: Run) -> None:
    """Changes prices, stock and listings between what two queues do to shared carts."""
    fuzz(cartsync_run, strategies.PRICES)


@requirement(
    "retention/purged-not-executed",
    "retention/records-kept",
    "retention/watermark-kept",
    "retention/window-enforced",
    "retention/lookup-purged",
    "retention/window-before-backend",
)
def test_fuzzed_retention(cartsync_run: Run) -> None:
    """Lets weeks go by between attempts, and resends what was pruned long ago."""
    fuzz(cartsync_run, strategies.RETENTION, share=0.8)


@requirement("durability/lost-answer", "snapshot/atomic", "effects/exactly-once")
def test_fuzzed_lost_answers(cartsync_run: Run) -> None:
    """Loses answers before and after the commit, and goes on as a client would."""
    fuzz(cartsync_run, strategies.LOST, share=0.8)


@requirement(
    "durability/atomic-commit",
    "durability/answer-after-commit",
    "durability/lost-answer",
    "durability/restart-keeps-records",
)
def test_fuzzed_crashes(cartsync_run: Run) -> None:
    """Lets the server die at its fail points and at any instant, in the middle of what queues send."""
    fuzz(cartsync_run, strategies.CRASHES)


@requirement("effects/concurrent-duplicates", "effects/concurrent-queues", "revision/increases", "revision/decide-time")
def test_fuzzed_races(cartsync_run: Run) -> None:
    """Lets submissions overlap: duplicates of one queue, and several queues on one cart."""
    fuzz(cartsync_run, strategies.RACES)


@requirement("sync/same-meaning", "sync/one-answer-each", "sync/cut", "sync/half-close-drains", "sync/pipelining")
def test_fuzzed_streams(cartsync_run: Run) -> None:
    """Pipelines submissions over streams, cuts some of them, and resends over either call."""
    fuzz(cartsync_run, strategies.STREAMS, share=0.8)


@requirement(
    "effects/exactly-once",
    "effects/in-order",
    "answers/one-per-attempt",
    "deciding/replay-verbatim",
    "submission/batch-limit",
)
def test_fuzzed_bulk(cartsync_run: Run) -> None:
    """Fills submissions to the most that the server takes at once, and one more, and sends all of it again."""
    fuzz(cartsync_run, strategies.BULK, share=0.5)


@requirement("store/restored-watermark", "store/new-id-after-restore")
def test_fuzzed_restores(cartsync_run: Run) -> None:
    """Puts backups back in the middle of what queues send."""
    fuzz(cartsync_run, strategies.RESTORES, share=0.5)


@requirement(
    "coupons/apply",
    "coupons/remove",
    "coupons/snapshot-shows-all",
    "coupons/standing-current",
    "coupons/share-off",
    "coupons/amount-off",
    "coupons/totals",
    "coupons/once-per-principal",
    "coupons/stackable",
)
def test_fuzzed_coupons(cartsync_run: Run) -> None:
    """Puts coupons on carts and takes them off, while promotions, prices and time move beneath them."""
    fuzz(cartsync_run, account_families.COUPONS, share=0.5)


@requirement("wishlist/add", "wishlist/add-again", "wishlist/remove", "wishlist/concurrent", "wishlist/paging")
def test_fuzzed_wishes(cartsync_run: Run) -> None:
    """Fills a wishlist from two devices, with duplicates and races, and pages through it."""
    fuzz(cartsync_run, account_families.WISHES, share=0.3)


@requirement(
    "address/merge-keeps",
    "address/kept-reported",
    "address/own-queue",
    "address/masked-only",
    "address/delete-changed",
    "address/concurrent",
)
def test_fuzzed_addresses(cartsync_run: Run) -> None:
    """Lets three devices edit the same addresses, each by what it has seen of them, and merges what they wrote."""
    fuzz(cartsync_run, account_families.ADDRESSES, share=0.5)


@requirement(
    "payment/save",
    "payment/as-provided",
    "payment/token-checked",
    "payment/replay-unchecked",
    "payment/rate-limited",
    "payment/concurrent",
)
def test_fuzzed_payments(cartsync_run: Run) -> None:
    """Saves means of payment while their tokens go bad and good again, and sends all of it more than once."""
    fuzz(cartsync_run, account_families.PAYMENTS, share=0.4)


@requirement(
    "claim/adds-lines",
    "claim/lines-reported",
    "claim/guest-closed",
    "claim/guest-replays",
    "claim/one-commit",
    "claim/idempotent",
    "claim/other-account",
)
def test_fuzzed_claims(cartsync_run: Run) -> None:
    """Lets two accounts claim a guest that goes on shopping, with answers lost on either side."""
    fuzz(cartsync_run, account_families.CLAIMS, share=0.5)


@requirement(
    "effects/exactly-once", "deciding/refusal-order", "compat/unlisted-profile", "security/card-number-refused"
)
def test_fuzzed_everything(cartsync_run: Run) -> None:
    """Mixes the intents of every profile that the server lists, from two devices and a guest."""
    fuzz(cartsync_run, account_families.EVERYTHING, share=0.5)
