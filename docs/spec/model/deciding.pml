/*
 * The deciding rules: chapter 3 of the specification, as a server carries them out.
 *
 * A queue is what the server keeps of one client queue: the watermark (everything up to it is decided), the key the
 * chain goes on from, and by sequence the outcome records, any of which may be pruned. An operation is what a client
 * put into its queue; it never changes. `judge` looks and says; `record` writes. Whoever includes this file decides
 * what can happen between the two.
 *
 * Every step of these models is one `d_step`: it happens as a whole, and of several guards of an `if` in it the
 * FIRST that is true counts. So `judge` reads as the table of chapter 3 does, from the top.
 *
 * Before the include: LENGTH, how long a queue can get; OPERATIONS, how many there can be; QUEUES.
 */

mtype = { APPLIED, REJECTED, DEFERRED, CONFLICT, PURGED };

/* Kinds of operations. A PLAIN one is judged by the cart rules; here they ask one thing: is it in stock? */
mtype = { PLAIN, UNSUPPORTED, POISON, DISCARD, CLAIM };

typedef Operation {
  byte key;         /* idempotency_key; 0 = there is no such operation */
  byte sequence;
  byte previous;    /* previous_key; 0 at sequence 1 */
  byte payload;     /* equal numbers are equal payloads */
  byte discards;    /* discarded_key of a DISCARD */
  mtype kind
}

typedef Queue {
  byte watermark;               /* decided_through_sequence */
  byte last_key;                /* the key the chain goes on from */
  byte key[LENGTH + 1];         /* outcome records, by sequence; key 0 = none, or pruned */
  byte payload[LENGTH + 1];     /* the payload's digest … */
  bit  version[LENGTH + 1];     /* … and the version of the field list it was made with */
  mtype outcome[LENGTH + 1]
}

Operation operation[OPERATIONS + 1];
Queue queue[QUEUES];

#define key_of(op)       operation[op].key
#define sequence_of(op)  operation[op].sequence
#define previous_of(op)  operation[op].previous
#define payload_of(op)   operation[op].payload
#define kind_of(op)      operation[op].kind

/* The world around the server. */
bool backend_down;        /* the backing services are unreachable */
bool sold_out;            /* the stock covers nothing more */
bool window_passed;       /* by now every attempt is older than the replay window */
bit  digest_version;      /* the list of payload fields that this release of the server uses */
byte failures;            /* how often the operation next in line made the server fail */
#define QUARANTINE 2      /* quarantine_attempt_count */

/* What `judge` says, for `record` and for whoever asked. Scratch: `step` clears it. */
mtype answer;
bool decided;             /* an outcome of now, to be recorded; false: a replay, or nothing final */
bool reused;              /* the key is recorded under another sequence */
byte slot;                /* which record `judge` and `record` mean */
byte scan;
#define forget_judging answer = 0; decided = 0; reused = 0; slot = 0; scan = 0

/* ---- the things a rule looks at, and what it would look at without the rule ---------------------------------- */

#if REMOVED(WATERMARK_KEPT)             /* the watermark is the highest sequence that still has a record */
#define watermark_of(v) (v.key[3] -> 3 : (v.key[2] -> 2 : (v.key[1] -> 1 : 0)))
#define last_key_of(v)  (v.key[3] -> v.key[3] : (v.key[2] -> v.key[2] : v.key[1]))
#else
#define watermark_of(v) v.watermark
#define last_key_of(v)  v.last_key
#endif

#if REMOVED(WATERMARK)                  /* there are records and nothing else: whatever has none is new */
#define behind(op, v)   (v.key[slot] == key_of(op))
#define gap(op, v)      false
#define off_chain(op, v) false
#else
#define behind(op, v)   (sequence_of(op) <= watermark_of(v))
#define gap(op, v)      (sequence_of(op) > watermark_of(v) + 1 && !REMOVED(GAP_DEFERRED))
#define off_chain(op, v) (previous_of(op) != last_key_of(v) && !REMOVED(CHAIN_CHECKED) && !REMOVED(GAP_DEFERRED))
#endif

#if REMOVED(RECORDS_BY_SEQUENCE)
#define slot_of(op) key_of(op)
#else
#define slot_of(op) sequence_of(op)
#endif

#if REMOVED(DIGEST_VERSION_STORED)      /* compares under the list of today, whatever the record was made with */
#define other_payload(op, v) (v.payload[slot] != payload_of(op) || v.version[slot] != digest_version)
#else
#define other_payload(op, v) (v.payload[slot] != payload_of(op))
#endif

#ifndef principal_claimed               /* only guest_claim.pml has guests */
#define principal_claimed(op) false
#endif

#define expired(op)     (window_passed && kind_of(op) != DISCARD)
#define is_discard(op)  (kind_of(op) == DISCARD)

/* ---- judging -------------------------------------------------------------------------------------------------- */

inline judge(op, v) {
  decided = false;
  reused = false;
  slot = slot_of(op);
  for (scan : 1 .. LENGTH) {
    reused = reused || (v.key[scan] == key_of(op) && (scan != slot || REMOVED(RECORDS_BY_SEQUENCE)))
  }
  if
  :: REMOVED(DUPLICATES_FIRST) && (window_passed || sold_out) && sequence_of(op) <= v.watermark + 1 ->
       answer = REJECTED; decided = (sequence_of(op) > v.watermark)

  /* 1. Decided already. Nothing here asks for age, stock, limits or backing services. */
  :: behind(op, v) && v.key[slot] == 0 && REMOVED(PURGED_NOT_EXECUTED) -> cart_rules(op)
  :: behind(op, v) && v.key[slot] == 0 && REMOVED(PURGED_NOT_REJECTED) -> answer = REJECTED
  :: behind(op, v) && v.key[slot] == 0 -> answer = PURGED
  :: behind(op, v) && v.key[slot] != key_of(op) && !REMOVED(SEQUENCE_CONFLICT) -> answer = CONFLICT
  :: behind(op, v) && v.key[slot] == key_of(op) && other_payload(op, v) && !REMOVED(PAYLOAD_MISMATCH) ->
       answer = CONFLICT
  :: behind(op, v) && REMOVED(REPLAY_VERBATIM) && sold_out -> answer = REJECTED
  :: behind(op, v) -> answer = v.outcome[slot]

  /* 2. A gap. 3. Not the next of this chain: a copy of the queue is live. */
  :: gap(op, v) -> answer = DEFERRED
  :: off_chain(op, v) -> answer = CONFLICT

  /* Poison stands behind step 4 and before step 5. */
  :: kind_of(op) == POISON && (failures < QUARANTINE || REMOVED(POISON_QUARANTINED)) ->
       answer = DEFERRED; failures = (failures < QUARANTINE -> failures + 1 : failures)
  :: kind_of(op) == POISON -> answer = REJECTED; decided = true

  /* 5. The key is recorded under another sequence. */
  :: reused && REMOVED(KEY_REUSED_RECORDED) -> answer = REJECTED
  :: reused && !REMOVED(KEY_REUSED) -> answer = REJECTED; decided = true

  /* A discard is never refused for what follows here. */
  :: is_discard(op) && REMOVED(DISCARD_NEVER_REFUSED) && backend_down -> answer = DEFERRED
  :: is_discard(op) -> answer = APPLIED; decided = true

  /* 7. The principal is a guest that has been claimed. 8 to 11. What this server cannot carry out it rejects. */
  :: principal_claimed(op) -> answer = REJECTED; decided = true
  :: kind_of(op) == UNSUPPORTED && REMOVED(UNSUPPORTED_REJECTED) -> answer = DEFERRED
  :: kind_of(op) == UNSUPPORTED -> answer = REJECTED; decided = true

  /* 12. The replay window stands before the backing services. */
  :: expired(op) && !(REMOVED(WINDOW_BEFORE_BACKEND) && backend_down) -> answer = REJECTED; decided = true

  /* 13 and 14. */
  :: else -> cart_rules(op)
  fi
}

/* The backing services, then the cart rules against the state of now. */
inline cart_rules(op) {
  if
  :: backend_down -> answer = DEFERRED; decided = REMOVED(DEFERRAL_UNRECORDED)
  :: sold_out     -> answer = REJECTED; decided = true
  :: else         -> answer = APPLIED;  decided = true
  fi
}

/* ---- recording ------------------------------------------------------------------------------------------------ */

/* Record and watermark. The effect belongs into the same commit; where it stands is the including model's matter. */
inline record(op, v) {
  if
  :: answer == REJECTED && REMOVED(REJECTION_ADVANCES)
  :: else ->
       v.watermark = (sequence_of(op) > v.watermark -> sequence_of(op) : v.watermark);
       v.last_key = key_of(op);
       failures = 0;
       if
       :: is_discard(op) && !REMOVED(CHAIN_CONTINUES) -> v.last_key = operation[op].discards
       :: else
       fi
  fi;
  if
  :: answer == REJECTED && REMOVED(REJECTION_RECORDED)
  :: else -> write_record(op, v, answer)
  fi
}

inline write_record(op, v, what) {
  v.key[slot] = key_of(op);
  v.payload[slot] = payload_of(op);
  v.version[slot] = digest_version;
  v.outcome[slot] = what
}

/* A pruned record leaves nothing but the watermark behind. */
inline prune(v, s) {
  v.key[s] = 0; v.payload[s] = 0; v.version[s] = 0; v.outcome[s] = 0
}
