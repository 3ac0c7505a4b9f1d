"""What is explored, and every rule that is removed: what must break then, and which test plays its trace.

A trace against the server is played by a check of the suite, one against the client by a test of the reference client.
`rule` and `property` are the names in docs/spec/model/rules.pml.
"""

from __future__ import annotations

from dataclasses import dataclass

PROPERTIES: dict[str, str] = {
    "AT_MOST_ONCE": "applied twice",
    "IN_ORDER": "order lost",
    "NEVER_FLIPPED": "outcome flips",
    "APPLIED_IS_TRUE": "told APPLIED, no effect",
    "REFUSED_IS_TRUE": "told REJECTED or CONFLICT, effect exists",
    "PURGED_IS_TRUE": "told PURGED, nothing was pruned",
    "NEVER_STUCK": "queue stuck",
    "NOTHING_LOST": "confirmed effect lost in silence",
    "CANCELLED_IS_TRUE": "shown as cancelled, effect exists",
}
"""The properties in the order of their numbers, with what a shopper or a client sees when one is broken."""


@dataclass(frozen=True)
class Configuration:
    """One model with its bounds."""

    name: str
    file: str
    bounds: tuple[str, ...]  # switches that set the bounds
    deep: tuple[str, ...]  # … with ARGS=--deep
    covers: str
    holds: tuple[str, ...]  # the properties it states


@dataclass(frozen=True)
class Removal:
    """A model without one rule, and what that must break."""

    rule: str
    configuration: str
    breaks: str
    without: str  # what a server or client without the rule does
    slugs: tuple[str, ...]  # requirements of the register, or duties of chapter 15
    checks: tuple[str, ...] = ()  # of the conformance suite, when the server is at fault
    tests: tuple[str, ...] = ()  # of tests/, when the client is, or when nothing outside can see it
    mutants: tuple[str, ...] = ()  # servers of conformance/mutants with this fault


CONFIGURATIONS: tuple[Configuration, ...] = (
    Configuration(
        "one-queue",
        "one_queue.pml",
        ("LENGTH=3",),
        ("LENGTH=4",),
        "three operations; loss, duplication, delay, reordering, lost answers, deferral, ageing, moving stock, poison, "
        "a key used twice, an upgrade, pruning of any record at any moment",
        (
            "AT_MOST_ONCE",
            "IN_ORDER",
            "NEVER_FLIPPED",
            "APPLIED_IS_TRUE",
            "REFUSED_IS_TRUE",
            "PURGED_IS_TRUE",
            "NEVER_STUCK",
        ),
    ),
    Configuration(
        "two-replicas",
        "two_replicas.pml",
        ("LENGTH=2",),
        ("LENGTH=3",),
        "two replicas over one store, two queues on one cart, three operations; crashes before each step of a commit",
        (
            "AT_MOST_ONCE",
            "IN_ORDER",
            "NEVER_FLIPPED",
            "APPLIED_IS_TRUE",
            "REFUSED_IS_TRUE",
            "PURGED_IS_TRUE",
            "NEVER_STUCK",
        ),
    ),
    Configuration(
        "copied-queue",
        "copied_queue.pml",
        ("LENGTH=2", "INTENTS=3"),
        ("LENGTH=3", "INTENTS=3"),
        "three devices that hold copies of one queue, two places in it, three intents, edits",
        ("AT_MOST_ONCE", "IN_ORDER", "NEVER_FLIPPED", "APPLIED_IS_TRUE", "REFUSED_IS_TRUE", "NEVER_STUCK"),
    ),
    Configuration(
        "restored-store",
        "restored_store.pml",
        ("INTENTS=2", "RESTORES=2"),
        ("INTENTS=3", "RESTORES=2"),
        "two intents, two restores from any backup, requests and answers of every store still on their way",
        ("AT_MOST_ONCE", "APPLIED_IS_TRUE", "REFUSED_IS_TRUE", "NEVER_STUCK", "NOTHING_LOST"),
    ),
    Configuration(
        "discard",
        "discard.pml",
        ("LENGTH=3",),
        ("LENGTH=4",),
        "three operations, each cancelled or not at any moment; late originals, late answers, deferral",
        ("AT_MOST_ONCE", "IN_ORDER", "APPLIED_IS_TRUE", "REFUSED_IS_TRUE", "NEVER_STUCK", "CANCELLED_IS_TRUE"),
    ),
    Configuration(
        "guest-claim",
        "guest_claim.pml",
        ("LENGTH=3",),
        ("LENGTH=4",),
        "three operations of a guest, claims by two devices of the account, in any order, any of it late or repeated",
        ("AT_MOST_ONCE", "IN_ORDER", "APPLIED_IS_TRUE", "REFUSED_IS_TRUE", "NEVER_STUCK", "NOTHING_LOST"),
    ),
)

_DUPLICATES = "test_duplicates.py::"
_ORDER = "test_order.py::"
_RECORDING = "test_recording.py::"
_RETENTION = "test_retention.py::"
_TRACES = "test_model_traces.py::"
_DISCARD = "test_discard.py::"
_DURABILITY = "test_durability.py::"
_EFFECTS = "test_effects.py::"
_CLAIM = "test_guest_claim.py::"
_CLIENT = "reference_client/test_client_model_traces.py::"
_STILL_ANSWERED = _DUPLICATES + "test_a_duplicate_is_answered_from_its_record_even_though"

REMOVALS: tuple[Removal, ...] = (
    # ---- one queue
    Removal(
        "DUPLICATES_FIRST",
        "one-queue",
        "REFUSED_IS_TRUE",
        "the replay window or the stock is looked at before duplicates",
        ("deciding/duplicates-first",),
        checks=(
            f"{_STILL_ANSWERED}[the product is sold out]",
            _DUPLICATES + "test_a_duplicate_is_answered_from_its_record_however_old_it_is",
        ),
        mutants=("window-before-duplicates", "catalogue-before-duplicates"),
    ),
    Removal(
        "DEFERRAL_UNRECORDED",
        "one-queue",
        "NEVER_STUCK",
        "a deferral is recorded like an outcome",
        ("deciding/deferral-unrecorded",),
        checks=(_RECORDING + "test_a_deferred_operation_is_decided_afresh[backend unavailable]",),
        mutants=("caches-a-deferred-answer",),
    ),
    Removal(
        "WATERMARK",
        "one-queue",
        "IN_ORDER",
        "no watermark: records by key and nothing else",
        ("retention/watermark-kept", "deciding/gap-deferred"),
        checks=(_ORDER + "test_an_operation_before_its_turn_is_deferred",),
        mutants=("accepts-a-gap",),
    ),
    Removal(
        "WATERMARK",
        "one-queue",
        "AT_MOST_ONCE",
        "the same, once a record is pruned",
        ("retention/watermark-kept", "retention/purged-not-executed"),
        checks=(_RETENTION + "test_a_duplicate_of_a_pruned_operation_is_not_executed",),
        mutants=("prunes-queues-with-their-records", "re-executes-after-pruning"),
    ),
    Removal(
        "WATERMARK_KEPT",
        "one-queue",
        "AT_MOST_ONCE",
        "the watermark is that of the records which are left",
        ("retention/watermark-kept",),
        checks=(_RETENTION + "test_a_duplicate_of_a_pruned_operation_is_not_executed",),
        mutants=("watermark-derived-from-records",),
    ),
    Removal(
        "REJECTION_ADVANCES",
        "one-queue",
        "NEVER_STUCK",
        "the watermark does not move on a rejection",
        ("deciding/rejection-advances",),
        checks=(_RECORDING + "test_the_operation_behind_a_rejected_one_is_decided",),
        mutants=("skips-the-watermark-on-rejection",),
    ),
    Removal(
        "REJECTION_ADVANCES",
        "one-queue",
        "NEVER_FLIPPED",
        "the same, when the operation would be accepted by then",
        ("deciding/rejection-recorded",),
        checks=(_RECORDING + "test_a_rejection_is_replayed_even_when_the_operation_would_be_accepted_by_then",),
        mutants=("skips-the-watermark-on-rejection",),
    ),
    Removal(
        "REJECTION_RECORDED",
        "one-queue",
        "PURGED_IS_TRUE",
        "the watermark moves over a rejection, but no record is kept",
        ("deciding/rejection-recorded",),
        checks=(_RECORDING + "test_a_rejection_is_replayed_even_when_the_operation_would_be_accepted_by_then",),
        mutants=("rejection-leaves-no-record",),
    ),
    Removal(
        "GAP_DEFERRED",
        "one-queue",
        "IN_ORDER",
        "a gap is accepted",
        ("deciding/gap-deferred", "effects/in-order"),
        checks=(_ORDER + "test_an_operation_before_its_turn_is_deferred",),
        mutants=("accepts-a-gap",),
    ),
    Removal(
        "GAP_DEFERRED",
        "one-queue",
        "PURGED_IS_TRUE",
        "the same, when the skipped operation comes: it is lost",
        ("deciding/gap-deferred",),
        checks=(_TRACES + "test_an_operation_that_was_overtaken_is_not_lost_behind_the_one_that_overtook_it",),
        mutants=("accepts-a-gap",),
    ),
    Removal(
        "PURGED_NOT_EXECUTED",
        "one-queue",
        "AT_MOST_ONCE",
        "an operation whose record is pruned counts as new",
        ("retention/purged-not-executed",),
        checks=(_RETENTION + "test_a_duplicate_of_a_pruned_operation_is_not_executed",),
        mutants=("re-executes-after-pruning",),
    ),
    Removal(
        "PURGED_NOT_REJECTED",
        "one-queue",
        "REFUSED_IS_TRUE",
        "an operation whose record is pruned is answered REJECTED",
        ("retention/purged-not-executed",),
        checks=(_RETENTION + "test_a_duplicate_of_a_pruned_operation_is_not_executed",),
        mutants=("pruned-answered-rejected",),
    ),
    Removal(
        "KEY_REUSED",
        "one-queue",
        "AT_MOST_ONCE",
        "a key that is recorded under another sequence is decided again",
        ("deciding/key-reused",),
        checks=(_ORDER + "test_a_key_used_twice_in_a_queue_is_rejected",),
        mutants=("key-reuse-unchecked",),
    ),
    Removal(
        "KEY_REUSED_RECORDED",
        "one-queue",
        "NEVER_STUCK",
        "a key used twice is refused, and nothing recorded",
        ("deciding/key-reused", "deciding/rejection-advances"),
        checks=(_TRACES + "test_a_key_used_twice_costs_a_queue_nothing_but_the_second_use",),
        mutants=("key-reuse-unrecorded",),
    ),
    Removal(
        "RECORDS_BY_SEQUENCE",
        "one-queue",
        "REFUSED_IS_TRUE",
        "records are kept by key: a key used twice overwrites the first",
        ("deciding/replay-verbatim", "deciding/key-reused"),
        checks=(_TRACES + "test_a_key_used_twice_costs_a_queue_nothing_but_the_second_use",),
        mutants=("records-kept-by-key",),
    ),
    Removal(
        "REPLAY_VERBATIM",
        "one-queue",
        "NEVER_FLIPPED",
        "a replay is computed anew against the state of today",
        ("deciding/replay-verbatim",),
        checks=(
            _DUPLICATES + "test_a_no_change_is_replayed_even_when_there_would_be_a_change_by_then",
            f"{_STILL_ANSWERED}[the product is sold out]",
        ),
        mutants=("recomputes-replays",),
    ),
    Removal(
        "WINDOW_BEFORE_BACKEND",
        "one-queue",
        "NEVER_STUCK",
        "the backing services are asked before the replay window",
        ("retention/window-before-backend",),
        checks=(_RETENTION + "test_an_expired_operation_does_not_wait_for_backing_services",),
        mutants=("backend-before-window",),
    ),
    Removal(
        "UNSUPPORTED_REJECTED",
        "one-queue",
        "NEVER_STUCK",
        "an intent that the server does not know is deferred",
        ("deciding/unsupported-intent",),
        checks=(
            "test_refusals.py::test_an_operation_without_a_known_intent_is_rejected_and_the_queue_goes_on"
            "[one of a later edition]",
        ),
        mutants=("defers-unknown-intents",),
    ),
    Removal(
        "POISON_QUARANTINED",
        "one-queue",
        "NEVER_STUCK",
        "an operation that makes the server fail is tried for ever",
        ("poison/quarantined", "poison/queue-moves-on"),
        checks=("test_poison.py::test_an_operation_that_keeps_failing_is_quarantined",),
        mutants=("poison-never-quarantined",),
    ),
    Removal(
        "DIGEST_VERSION_STORED",
        "one-queue",
        "REFUSED_IS_TRUE",
        "an upgrade changes the list of payload fields, and records do not say which list they were made with",
        ("deciding/payload-by-meaning",),
        tests=(
            "reference_server/test_settlement_upgrade.py::"
            "test_what_the_release_before_decided_is_replayed_although_the_list_of_fields_has_grown",
        ),
    ),
    Removal(
        "CONSECUTIVE",
        "one-queue",
        "NEVER_STUCK",
        "a submission in descending order is taken",
        ("submission/consecutive",),
        checks=("test_submission.py::test_sequences_are_consecutive_and_ascend[3,2,1]",),
        mutants=("sequences-in-any-order",),
    ),
    Removal(
        "SEQUENCE_DURABLE",
        "one-queue",
        "NEVER_STUCK",
        "the next sequence comes from what remains in the queue",
        ("client/sequence-from-durable-state",),
        tests=("reference_client/test_client_queue_file.py::test_the_next_sequence_does_not_come_from_what_remains",),
    ),
    # ---- two replicas
    Removal(
        "ANSWER_AFTER_COMMIT",
        "two-replicas",
        "APPLIED_IS_TRUE",
        "the answer leaves before the commit",
        ("durability/answer-after-commit",),
        checks=(_DURABILITY + "test_no_answer_leaves_before_the_commit",),
        mutants=("answers-before-commit", "commits-every-second"),
    ),
    Removal(
        "EFFECT_IN_COMMIT",
        "two-replicas",
        "AT_MOST_ONCE",
        "the effect is committed first, record and watermark after it",
        ("durability/atomic-commit",),
        checks=(_DURABILITY + "test_a_server_that_dies_around_the_commit_leaves_all_or_nothing[before-commit]",),
        mutants=("effect-then-watermark",),
    ),
    Removal(
        "WATERMARK_IN_COMMIT",
        "two-replicas",
        "APPLIED_IS_TRUE",
        "record and watermark are committed first, the effect after them",
        ("durability/atomic-commit",),
        checks=(_DURABILITY + "test_a_server_that_dies_around_the_commit_leaves_all_or_nothing[before-commit]",),
        mutants=("watermark-then-effect",),
    ),
    Removal(
        "QUEUE_COMPARED",
        "two-replicas",
        "AT_MOST_ONCE",
        "a commit does not ask whether the queue is as it was read",
        ("effects/concurrent-duplicates",),
        checks=(_EFFECTS + "test_a_duplicate_that_overtakes_its_original_is_decided_once",),
        mutants=("check-then-insert",),
    ),
    Removal(
        "CART_COMPARED",
        "two-replicas",
        "APPLIED_IS_TRUE",
        "a commit does not ask whether the cart is as it was read: an update is lost",
        ("effects/concurrent-queues",),
        checks=(_EFFECTS + "test_a_change_of_another_queue_is_not_lost[one line]",),
        mutants=("last-writer-wins",),
    ),
    Removal(
        "ONE_INSTANT",
        "two-replicas",
        "PURGED_IS_TRUE",
        "records and watermark are read one after the other",
        ("effects/concurrent-duplicates", "deciding/replay-verbatim"),
        checks=(_EFFECTS + "test_a_duplicate_that_overtakes_its_original_is_decided_once",),
        mutants=("record-and-watermark-of-two-instants",),
    ),
    # ---- copied queue
    Removal(
        "CHAIN_CHECKED",
        "copied-queue",
        "IN_ORDER",
        "the previous key is not compared with the last decided one",
        ("deciding/chain-checked",),
        checks=(_TRACES + "test_a_copy_is_told_by_its_second_operation_while_its_first_is_still_on_its_way",),
        mutants=("ignores-the-key-chain",),
    ),
    Removal(
        "SEQUENCE_CONFLICT",
        "copied-queue",
        "APPLIED_IS_TRUE",
        "duplicates are told by their sequence alone",
        ("deciding/sequence-conflict",),
        checks=(_DUPLICATES + "test_another_key_behind_the_watermark_is_a_conflict[other payload]",),
        mutants=("no-key-check-on-duplicates",),
    ),
    Removal(
        "PAYLOAD_MISMATCH",
        "copied-queue",
        "APPLIED_IS_TRUE",
        "duplicates are told by their key, whatever the payload",
        ("deciding/payload-mismatch",),
        checks=(_TRACES + "test_of_three_copies_of_a_queue_each_intent_is_applied_once_or_in_conflict",),
        mutants=("no-payload-check-on-duplicates",),
    ),
    Removal(
        "CONFLICT_UNRECORDED",
        "copied-queue",
        "REFUSED_IS_TRUE",
        "a conflict takes over the record",
        ("deciding/conflict-unrecorded",),
        checks=(_TRACES + "test_of_three_copies_of_a_queue_each_intent_is_applied_once_or_in_conflict",),
        mutants=("conflict-overwrites-record",),
    ),
    Removal(
        "CONFLICT_STOPS",
        "copied-queue",
        "AT_MOST_ONCE",
        "after a conflict the client itself issues the rest again",
        ("client/conflict-stops",),
        tests=(_CLIENT + "test_of_three_copies_that_run_into_a_conflict_none_issues_again_what_the_others_hold_too",),
    ),
    Removal(
        "NEVER_SENT_STOPS",
        "copied-queue",
        "AT_MOST_ONCE",
        "after a conflict it issues again what carries no mark of having been sent",
        ("client/conflict-stops",),
        tests=(_CLIENT + "test_of_three_copies_that_run_into_a_conflict_none_issues_again_what_the_others_hold_too",),
    ),
    Removal(
        "IMMUTABLE_ONCE_SENT",
        "copied-queue",
        "APPLIED_IS_TRUE",
        "the client changes an operation that it has sent",
        ("client/immutable-once-sent",),
        tests=(
            _CLIENT + "test_an_operation_leaves_as_the_same_message_every_time_whatever_the_shopper_does_meanwhile",
        ),
    ),
    # ---- restored store
    Removal(
        "STORE_ID_CHANGES",
        "restored-store",
        "NOTHING_LOST",
        "a restored store keeps its id; the client still watches for a watermark that falls",
        ("store/new-id-after-restore",),
        checks=(_TRACES + "test_a_late_duplicate_is_not_decided_in_the_place_of_what_a_restore_lost",),
        mutants=("restored-store-keeps-its-id",),
    ),
    Removal(
        "STORE_ID_IN_REQUESTS",
        "restored-store",
        "AT_MOST_ONCE",
        "the store is named in answers only: late requests for the old one are decided by the new one",
        ("store/changed-refused",),
        checks=(_TRACES + "test_a_request_of_the_lost_time_is_not_decided_beside_its_successor",),
        mutants=("store-id-unchecked",),
    ),
    Removal(
        "STORE_KNOWN_FIRST",
        "restored-store",
        "AT_MOST_ONCE",
        "the client submits before it has seen which store it speaks to",
        ("client/store-known-first",),
        tests=(_CLIENT + "test_the_first_thing_ever_submitted_names_the_store_already",),
    ),
    Removal(
        "LOOK_UP_FIRST",
        "restored-store",
        "AT_MOST_ONCE",
        "the client does not ask what is decided before it issues the rest again",
        ("client/store-change-recovers",),
        tests=(
            "reference_client/test_client_recovery.py::"
            "test_what_the_restored_store_has_decided_is_learnt_and_never_issued_again",
        ),
    ),
    # ---- discard
    Removal(
        "DISCARD_NEVER_REFUSED",
        "discard",
        "NEVER_STUCK",
        "a discard waits for backing services",
        ("discard/never-refused",),
        checks=(_DISCARD + "test_a_discard_is_not_refused_for[a backing service]",),
        mutants=("discards-wait-for-the-catalogue",),
    ),
    Removal(
        "DISCARD_RECORDED",
        "discard",
        "CANCELLED_IS_TRUE",
        "a discard is answered and not recorded",
        ("discard/cancels-undecided",),
        checks=(_DISCARD + "test_the_original_behind_its_discard_is_a_conflict_without_effect",),
        mutants=("forgets-discards",),
    ),
    Removal(
        "DISCARD_TOO_LATE",
        "discard",
        "CANCELLED_IS_TRUE",
        "a discard of what is decided already is told that it cancelled",
        ("discard/too-late",),
        checks=(_DISCARD + "test_a_discard_of_an_applied_operation_is_a_conflict",),
        mutants=("discards-what-was-decided",),
    ),
    Removal(
        "LATE_ORIGINAL",
        "discard",
        "APPLIED_IS_TRUE",
        "a late original gets the answer of its discard",
        ("discard/late-original",),
        checks=(_DISCARD + "test_the_original_behind_its_discard_is_a_conflict_without_effect",),
        mutants=("late-original-told-applied",),
    ),
    Removal(
        "CHAIN_CONTINUES",
        "discard",
        "NEVER_STUCK",
        "the chain goes on from the discard, not from what it discarded",
        ("discard/chain-continues",),
        checks=(_DISCARD + "test_behind_a_discard_the_chain_goes_on_from_the_discarded_key",),
        mutants=("chain-goes-on-from-the-discard",),
    ),
    Removal(
        "DISCARD_OWN_KEY",
        "discard",
        "CANCELLED_IS_TRUE",
        "a discard under the key of what it cancels: a late APPLIED reads as cancelled",
        ("submission/discard-own-key",),
        checks=("test_submission.py::test_a_discard_cannot_cancel_itself",),
        mutants=("discards-under-the-same-key",),
    ),
    Removal(
        "MATCH_BY_KEY",
        "discard",
        "CANCELLED_IS_TRUE",
        "the client matches answers by their sequence alone",
        ("client/match-by-key-and-sequence",),
        tests=(_CLIENT + "test_an_answer_to_the_original_is_not_read_as_one_to_its_discard",),
    ),
    Removal(
        "SENT_MARK_FIRST",
        "discard",
        "CANCELLED_IS_TRUE",
        "the mark is written after sending, and a cancel of what carries none is believed at once",
        ("client/sent-marked-first",),
        tests=(_CLIENT + "test_a_device_that_dies_between_the_mark_and_the_answer_knows_that_it_may_have_sent",),
    ),
    Removal(
        "DEFERRED_IN_DOUBT",
        "discard",
        "CANCELLED_IS_TRUE",
        "DEFERRED is read as: certainly not applied",
        ("client/deferred-is-no-denial",),
        tests=(_CLIENT + "test_a_deferral_says_nothing_about_the_attempt_before_it",),
    ),
    Removal(
        "CANCEL_BY_DISCARD",
        "discard",
        "CANCELLED_IS_TRUE",
        "a cancel is believed before the server has answered it",
        ("client/cancel-by-discard",),
        tests=(_CLIENT + "test_a_cancel_holds_when_the_server_has_answered_it_and_not_before",),
    ),
    # ---- guest claim
    Removal(
        "PRINCIPAL_BOUND",
        "guest-claim",
        "AT_MOST_ONCE",
        "after signing in the guest's queue is drained with the account's credential",
        ("client/principal-bound", "identity/expected-principal"),
        checks=("test_identity.py::test_a_queue_does_not_drain_into_another_account",),
        mutants=("drains-into-any-account",),
    ),
    Removal(
        "GUEST_REPLAYS",
        "guest-claim",
        "AT_MOST_ONCE",
        "a claim deletes the guest, with the records of its queue",
        ("claim/guest-replays",),
        checks=(_CLAIM + "test_an_add_with_a_lost_answer_is_in_the_cart_once[decided before the claim]",),
        mutants=(
            "claimed-guest-has-no-replays",
            "claimed-guest-has-no-records",
        ),
    ),
    Removal(
        "GUEST_CLOSED",
        "guest-claim",
        "NOTHING_LOST",
        "a claimed guest goes on filling a cart that nobody sees",
        ("claim/guest-closed",),
        checks=(_CLAIM + "test_the_guest_decides_nothing_new",),
        mutants=("claimed-guest-goes-on",),
    ),
    Removal(
        "CLAIM_ONE_COMMIT",
        "guest-claim",
        "NOTHING_LOST",
        "the lines are taken over first, the guest is closed after that",
        ("claim/one-commit", "claim/survives-crash"),
        checks=(_CLAIM + "test_an_add_of_the_guest_that_races_the_claim_is_taken_over_or_never_applied",),
        mutants=(
            "claim-adds-the-lines-first",
            "guest-unguarded",
        ),
    ),
    Removal(
        "CLAIM_IDEMPOTENT",
        "guest-claim",
        "AT_MOST_ONCE",
        "a second claim of the same cart adds its lines again",
        ("claim/idempotent",),
        checks=(_CLAIM + "test_a_second_claim_by_the_same_account_adds_nothing",),
        mutants=("claim-adds-again",),
    ),
    Removal(
        "CLAIM_SETTLES_FIRST",
        "guest-claim",
        "AT_MOST_ONCE",
        "after a claim the client moves what is unconfirmed without settling it as the guest",
        ("client/claim-settles-first",),
        checks=(_CLAIM + "test_an_add_with_a_lost_answer_is_in_the_cart_once[decided before the claim]",),
    ),
)
