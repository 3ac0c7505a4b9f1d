/*
 * The deciding rules: chapter 3 of the specification, as a server carries them out.
 *
 * A queue is what the server keeps of one client queue: the watermark (everything up to it is decided), the key
 * decided last, and by sequence the outcome records, of which any may have been pruned. An operation is what the
 * client put into its queue; it never changes. `judge` looks and says; `record` writes. Whoever includes this file
 * decides whether anything can happen between the two.
 *
 * Before the include: LENGTH, the operations a queue can hold; OPERATIONS, how many there are; QUEUES.
 */

mtype = { UNDECIDED, APPLIED, REJECTED, DEFERRED, CONFLICT, PURGED };

/* Kinds of operations. PLAIN is judged by the cart rules, here: is it in stock? A REUSED one has the key of the
   operation before it. POISON makes the server fail. */
mtype = { PLAIN, UNSUPPORTED, REUSED, POISON, DISCARD, CLAIM };

typedef Operation {
  byte queue;       /* which queue it belongs to */
  byte key;         /* idempotency_key; 0 = there is no such operation */
  byte sequence;
  byte previous;    /* previous_key; 0 at sequence 1 */
  byte payload;     /* equal numbers mean equal payloads */
  byte discarded;   /* discarded_key, when kind is DISCARD */
  mtype kind
}

typedef Queue {
  byte watermark;                /* decided_through_sequence */
  byte last_key;                 /* the key the chain goes on from */
  byte key[LENGTH + 1];          /* the outcome record of each sequence; key 0 = none, or pruned */
  byte payload[LENGTH + 1];      /* its keyed digest … */
  bit  version[LENGTH + 1];      /* … and the version of the field list it was computed with */
  mtype outcome[LENGTH + 1]
}

Operation operation[OPERATIONS + 1];
Queue queue[QUEUES];

/* The world around the server. Each of these may change at any time unless a model says otherwise. */
bool backend_down;     /* the backing services are unreachable */
bool sold_out;         /* the stock does not cover anything */
bool window_passed;    /* by now every attempt is older than the replay window */
bit  digest_version;   /* which list of payload fields this release of the server uses */
byte failures;         /* how often the operation next in line made the server fail */
#define QUARANTINE_ATTEMPTS 2

/* What `judge` says. Scratch: no part of the state, as every step that uses it sets it first. */
hidden mtype answer;
hidden bool decides;    /* the answer is an outcome of now: record it, move the watermark, have the effect */
hidden byte slot;       /* the sequence whose record the answer was read from */
hidden byte scan;

#define key_of(op)       operation[op].key
#define sequence_of(op)  operation[op].sequence
#define kind_of(op)      operation[op].kind

/* ---- what a rule looks at; the alternatives are the rule removed ------------------------------------------- */

/* deciding/watermark: a number of its own, kept when records go. */
#if REMOVED(WATERMARK_KEPT)
#define watermark_of(v) (v.key[3] -> 3 : (v.key[2] -> 2 : (v.key[1] -> 1 : 0)))
#define last_key_of(v)  (v.key[3] -> v.key[3] : (v.key[2] -> v.key[2] : v.key[1]))
#else
#define watermark_of(v) v.watermark
#define last_key_of(v)  v.last_key
#endif

/* Records are kept by sequence. */
#if REMOVED(RECORDS_BY_SEQUENCE)
#define slot_of(op) key_of(op)
#else
#define slot_of(op) sequence_of(op)
#endif

/* A digest says which list of fields it was computed with. */
#if REMOVED(DIGEST_VERSION_STORED)
#define same_digest(op, v) (v.payload[slot] == operation[op].payload && v.version[slot] == digest_version)
#else
#define same_digest(op, v) (v.payload[slot] == operation[op].payload)
#endif

#if REMOVED(NO_SUCH_KEY_CHECK)
#endif

/* ---- judge -------------------------------------------------------------------------------------------------- */

inline judge(op, v) {
  decides = false;
  slot = slot_of(op);
  if
  :: REMOVED(DUPLICATES_FIRST) && (window_passed || sold_out) && sequence_of(op) <= v.watermark + 1 ->
       answer = REJECTED; decides = (sequence_of(op) == v.watermark + 1)
  :: else ->
       if
       :: REMOVED(WATERMARK) -> judge_by_keys_only(op, v)
       :: else ->
            if
            :: sequence_of(op) <= watermark_of(v) -> decided_already(op, v)            /* step 1 */
            :: else ->
                 if
                 :: sequence_of(op) > watermark_of(v) + 1 && !REMOVED(GAP_DEFERRED) ->  /* step 2 */
                      answer = DEFERRED
                 :: else -> next_in_line(op, v)
                 fi
            fi
       fi
  fi
}

/* Step 1. Nothing here looks at age, stock, limits or backing services. */
inline decided_already(op, v) {
  if
  :: v.key[slot] == 0 ->                                             /* retention/purged-not-executed */
       if
       :: REMOVED(PURGED_NOT_FRESH)    -> cart_rules(op)
       :: REMOVED(PURGED_NOT_REJECTED) -> answer = REJECTED
       :: else                         -> answer = PURGED
       fi
  :: else ->
       if
       :: v.key[slot] != key_of(op) && !REMOVED(SEQUENCE_CONFLICT) ->  /* deciding/sequence-conflict */
            answer = CONFLICT
       :: else ->
            if
            :: !same_digest(op, v) && !REMOVED(PAYLOAD_MISMATCH) && !REMOVED(SEQUENCE_CONFLICT) ->
                 answer = CONFLICT                                     /* deciding/payload-mismatch */
            :: else ->                                                 /* deciding/replay-verbatim */
                 answer = v.outcome[slot];
                 if
                 :: REMOVED(REPLAY_VERBATIM) && answer == APPLIED && sold_out -> answer = REJECTED
                 :: REMOVED(REPLAY_VERBATIM) && answer == REJECTED && !sold_out -> answer = APPLIED
                 :: else
                 fi
            fi
       fi
  fi
}

/* Steps 3 to 12. */
inline next_in_line(op, v) {
  reused = false;
  for (scan : 1 .. LENGTH) {
    if
    :: v.key[scan] == key_of(op) && scan != sequence_of(op) -> reused = true
    :: else
    fi
  }
  if
  :: operation[op].previous != last_key_of(v) && !REMOVED(CHAIN_CHECKED) && !REMOVED(GAP_DEFERRED) ->
       answer = CONFLICT                                               /* deciding/chain-checked */
  :: else ->
       if
       :: kind_of(op) == POISON -> poison()                            /* poison/quarantined */
       :: else ->
            if
            :: reused && !REMOVED(KEY_REUSED) ->                       /* deciding/key-reused */
                 answer = REJECTED; decides = !REMOVED(KEY_REUSED_RECORDED)
            :: else ->
                 if
                 :: kind_of(op) == DISCARD && !(REMOVED(DISCARD_NEVER_REFUSED) && backend_down) ->
                      answer = APPLIED; decides = true                 /* discard/never-refused */
                 :: kind_of(op) == UNSUPPORTED ->                      /* deciding/unsupported-intent */
                      if
                      :: REMOVED(UNSUPPORTED_REJECTED) -> answer = DEFERRED
                      :: else -> answer = REJECTED; decides = true
                      fi
                 :: kind_of(op) != DISCARD && kind_of(op) != UNSUPPORTED && window_passed &&
                    !(REMOVED(WINDOW_BEFORE_BACKEND) && backend_down) ->
                      answer = REJECTED; decides = true                /* retention/window-before-backend */
                 :: else -> cart_rules(op)
                 fi
            fi
       fi
  fi
}

/* Steps 11 and 12: the backing services, then the cart rules against the state of now. */
inline cart_rules(op) {
  if
  :: backend_down           -> answer = DEFERRED; decides = REMOVED(DEFERRAL_UNRECORDED)
  :: !backend_down && sold_out -> answer = REJECTED; decides = true
  :: else                   -> answer = APPLIED; decides = true
  fi
}
