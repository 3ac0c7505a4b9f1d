/*
 * The rules by name, so that each can be taken away: `spin -DWITHOUT=WATERMARK …` is the protocol without it.
 * One at a time; WITHOUT=0, the default, is the protocol as specified. Behind each, the requirement or the duty it is.
 */

#ifndef WITHOUT
#define WITHOUT 0
#endif
#define REMOVED(rule) (WITHOUT == rule)

/* Deciding */
#define DUPLICATES_FIRST       1   /* deciding/duplicates-first */
#define DEFERRAL_UNRECORDED    2   /* deciding/deferral-unrecorded */
#define WATERMARK              3   /* retention/watermark-kept: there is one */
#define WATERMARK_KEPT         4   /* retention/watermark-kept: it does not depend on records */
#define REJECTION_ADVANCES     5   /* deciding/rejection-advances */
#define REJECTION_RECORDED     6   /* deciding/rejection-recorded */
#define GAP_DEFERRED           7   /* deciding/gap-deferred */
#define PURGED_NOT_EXECUTED    8   /* retention/purged-not-executed: no effect */
#define PURGED_NOT_REJECTED    9   /* retention/purged-not-executed: no rejection */
#define SEQUENCE_CONFLICT     10   /* deciding/sequence-conflict */
#define PAYLOAD_MISMATCH      11   /* deciding/payload-mismatch */
#define CONFLICT_UNRECORDED   12   /* deciding/conflict-unrecorded */
#define KEY_REUSED            13   /* deciding/key-reused: checked */
#define KEY_REUSED_RECORDED   14   /* deciding/key-reused: recorded */
#define RECORDS_BY_SEQUENCE   15   /* deciding/replay-verbatim: the record is that of the sequence */
#define REPLAY_VERBATIM       16   /* deciding/replay-verbatim: the recorded outcome, not one of today */
#define WINDOW_BEFORE_BACKEND 17   /* retention/window-before-backend */
#define UNSUPPORTED_REJECTED  18   /* deciding/unsupported-intent */
#define POISON_QUARANTINED    19   /* poison/quarantined */
#define DIGEST_VERSION_STORED 20   /* deciding/payload-mismatch, over an upgrade of the server */
#define CONSECUTIVE           21   /* submission/consecutive */
#define CHAIN_CHECKED         22   /* deciding/chain-checked */

/* Committing */
#define ANSWER_AFTER_COMMIT   30   /* durability/answer-after-commit */
#define EFFECT_IN_COMMIT      31   /* durability/atomic-commit: effect first, then the watermark */
#define WATERMARK_IN_COMMIT   32   /* durability/atomic-commit: the watermark first, then the effect */
#define QUEUE_COMPARED        33   /* effects/concurrent-duplicates */
#define CART_COMPARED         34   /* effects/concurrent-queues */
#define ONE_INSTANT           35   /* deciding/replay-verbatim: record and watermark of one instant */

/* Cancelling */
#define DISCARD_NEVER_REFUSED 40   /* discard/never-refused */
#define DISCARD_RECORDED      41   /* discard/cancels-undecided */
#define DISCARD_TOO_LATE      42   /* discard/too-late */
#define LATE_ORIGINAL         43   /* discard/late-original */
#define CHAIN_CONTINUES       44   /* discard/chain-continues */
#define DISCARD_OWN_KEY       45   /* submission/discard-own-key */
#define SENT_MARK_FIRST       46   /* client/sent-marked-first, where a cancel of what has no mark is believed at once */
#define DEFERRED_IN_DOUBT     47   /* client/deferred-is-no-denial */
#define CANCEL_BY_DISCARD     48   /* client/cancel-by-discard */
#define MATCH_BY_KEY          49   /* client/match-by-key-and-sequence */
#define SEQUENCE_DURABLE      50   /* client/sequence-from-durable-state */

/* Restoring */
#define STORE_ID_CHANGES      60   /* store/new-id-after-restore */
#define STORE_ID_IN_REQUESTS  61   /* store/changed-refused */
#define STORE_KNOWN_FIRST     62   /* client/store-known-first */
#define LOOK_UP_FIRST         63   /* client/store-change-recovers */

/* Copying */
#define CONFLICT_STOPS        70   /* client/conflict-stops */
#define NEVER_SENT_STOPS      71   /* client/conflict-stops, for what carries no mark "sent" */
#define IMMUTABLE_ONCE_SENT   72   /* client/immutable-once-sent */

/* Claiming */
#define PRINCIPAL_BOUND       80   /* client/principal-bound, identity/expected-principal */
#define GUEST_REPLAYS         81   /* claim/guest-replays */
#define GUEST_CLOSED          82   /* claim/guest-closed */
#define CLAIM_IDEMPOTENT      83   /* claim/idempotent */
#define CLAIM_ONE_COMMIT      84   /* claim/one-commit */
#define CLAIM_SETTLES_FIRST   85   /* client/claim-settles-first */

/*
 * The properties. The first one found broken is kept in `broken`; Verdict makes it an error. ONLY=… looks at one.
 */
#ifndef ONLY
#define ONLY 0
#endif

#define AT_MOST_ONCE      1   /* an intent has its effect at most once; so has a key in its queue */
#define IN_ORDER          2   /* nothing takes effect before what stands before it in its queue is decided */
#define NEVER_FLIPPED     3   /* no operation is told APPLIED once and REJECTED another time */
#define APPLIED_IS_TRUE   4   /* what is told APPLIED has its effect */
#define REFUSED_IS_TRUE   5   /* what is told REJECTED or CONFLICT has none */
#define PURGED_IS_TRUE    6   /* what is told PURGED had been decided, and its record was pruned */
#define NEVER_STUCK       7   /* once faults cease a queue is drained in a bounded number of submissions */
#define NOTHING_LOST      8   /* what was confirmed is there, or the shopper was told that it is lost */
#define CANCELLED_IS_TRUE 9   /* what is shown as cancelled has no effect, nor gets one */

/* Effects are counted as far as it matters: none, one, too many. */
#define once_more(count) count = (count < 2 -> count + 1 : 2)

byte broken;
bool over;    /* the run has been judged to its end: nothing more happens */

/* A step happens as a whole, if its guard is true, and leaves no scratch behind: each model says what `forget` is. */
#define step(guard, ...) d_step { !over && broken == 0 && (guard) -> __VA_ARGS__; forget }

#define holds(property, condition) \
  if \
  :: !(condition) && broken == 0 && (ONLY == 0 || ONLY == property) -> \
       broken = property; printf("!%d\n", property) \
  :: else \
  fi

active proctype Verdict() {
end:
  do
  :: broken -> assert(broken == 0)
  od
}
