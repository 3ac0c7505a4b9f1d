/*
 * A guest signs in: the account claims the guest's cart.
 *
 * The guest's queue is drained with the guest's credential, before and after. A claim is an operation in a queue of
 * the account; its one commit adds the lines of the guest's cart to the account's and closes the guest, so that
 * whatever was decided is taken over and whatever was not never will be. What the guest's queue shows undecided after
 * that goes into the account's queue under a new key. Two devices of the account may claim the same guest.
 *
 * Queue 0 is the guest's, with operations 1 … LENGTH; queues 1 and 2 are the account's, one on each device, with the
 * claims LENGTH + 1 and LENGTH + 2. That a queue of the account applies an operation once is the other models' matter:
 * here putting an intent into it is its effect.
 */

#include "rules.pml"

#ifndef LENGTH
#define LENGTH 2
#endif
#define OPERATIONS (LENGTH + 2)
#define QUEUES 3
#define is_claim(op) ((op) > LENGTH)
#define queue_of(op) ((op) > LENGTH -> (op) - LENGTH : 0)
#define principal_claimed(op) (guest_closed && !is_claim(op) && !REMOVED(GUEST_CLOSED))
#include "deciding.pml"

/* The server. */
byte in_guest[LENGTH + 1];          /* the effect of each intent on the guest's cart */
byte in_account[LENGTH + 1];        /* … and on the account's */
bool guest_closed;
bool to_be_closed;                  /* a claim that was cut in two is half done */

/* The first device holds the guest's queue; both sign in. */
byte enqueued;
bool sent[OPERATIONS + 1];
mtype inbox[OPERATIONS + 1];        /* the first final answer on its way */
mtype confirmed[OPERATIONS + 1];
bool moved[LENGTH + 1];             /* put into the account's queue */

/* Scratch. */
byte i, n, q, turn;
#define forget forget_judging; i = 0; n = 0; q = 0; turn = 0

/* ---- the server ------------------------------------------------------------------------------------------------ */

inline decide(op) {
  q = queue_of(op);
  judge(op, queue[q]);
  if
  :: decided ->
       if
       :: answer == APPLIED && is_claim(op) -> take_over()
       :: answer == APPLIED && !is_claim(op) ->
            once_more(in_guest[op]); holds(IN_ORDER, op == 1 || queue[0].watermark == op - 1)
       :: else
       fi;
       record(op, queue[q])
  :: else
  fi;
  printf(">%e\n", answer);
  if
  :: !is_claim(op) ->
       holds(APPLIED_IS_TRUE, answer != APPLIED || in_guest[op])
       holds(REFUSED_IS_TRUE, (answer != REJECTED && answer != CONFLICT) || !in_guest[op])
  :: else
  fi;
  inbox[op] = (inbox[op] == 0 && (answer == APPLIED || answer == REJECTED) -> answer : inbox[op]);
  check()
}

/* A second claim changes nothing. */
inline take_over() {
  if
  :: guest_closed && !REMOVED(CLAIM_IDEMPOTENT) -> printf(":claimed before: nothing changes\n")
  :: else ->
       for (i : 1 .. LENGTH) { in_account[i] = in_account[i] + in_guest[i] };
       if
       :: REMOVED(CLAIM_ONE_COMMIT) -> to_be_closed = true
       :: else -> guest_closed = true
       fi;
       if
       :: REMOVED(GUEST_REPLAYS) ->          /* the guest is gone, with all that was known of its queue */
            queue[0].watermark = 0; queue[0].last_key = 0;
            for (i : 1 .. LENGTH) { prune(queue[0], i) }
       :: else
       fi
  fi
}

inline check() {
  for (i : 1 .. LENGTH) { holds(AT_MOST_ONCE, in_guest[i] <= 1 && in_account[i] <= 1) }
}

/* ---- the first device ------------------------------------------------------------------------------------------ */

inline put(op, number, what) {
  operation[op].key = op;
  operation[op].payload = op;
  operation[op].sequence = number;
  operation[op].previous = (number == 1 -> 0 : op - 1);
  operation[op].kind = what
}

inline move(op) {
  moved[op] = true;
  once_more(in_account[op]);
  printf(":intent %d goes into the account's queue, and is applied there\n", op);
  check()
}

#define claimed (confirmed[LENGTH + 1] == APPLIED)
#define settled(op) (confirmed[op] || moved[op])

/* PRINCIPAL_CLAIMED is the one rejection that says: not here, but in the account's queue. */
inline read_answer(op) {
  confirmed[op] = inbox[op];
  if
  :: !is_claim(op) && confirmed[op] == REJECTED && !moved[op] -> move(op)
  :: else
  fi
}

inline drain() {
  over = true;
  printf("@afterwards|the client submits what is unconfirmed, and nothing more is lost\n");
  guest_closed = guest_closed || to_be_closed;
  for (turn : 1 .. 2) {
    for (n : LENGTH + 1 .. OPERATIONS) {
      if
      :: key_of(n) && !confirmed[n] ->
           printf(":the claim of device %d arrives\n", queue_of(n)); decide(n); read_answer(n)
      :: else
      fi
    }
    for (n : 1 .. enqueued) {
      if
      :: !settled(n) && claimed && queue[0].watermark < n -> printf(":a look-up shows it undecided\n"); move(n)
      :: !settled(n) && !(claimed && queue[0].watermark < n) ->
           printf(":operation %d arrives\n", n); decide(n); read_answer(n)
      :: else
      fi
    }
  };
  for (n : 1 .. enqueued) {
    holds(NEVER_STUCK, settled(n))
    holds(NOTHING_LOST, !claimed || in_account[n])
    holds(NOTHING_LOST, claimed || in_guest[n] || in_account[n])
  }
}

proctype Guest(byte me) {
end:
  do
  :: step(enqueued == me - 1,
       enqueued = me; put(me, me, PLAIN); printf("@client|puts operation %d into the guest's queue\n", me))
  :: step(enqueued >= me && !moved[me] && !sent[me],
       sent[me] = true; printf("@client|marks operation %d as sent, and sends it as the guest\n", me))
  :: step(inbox[me] && !confirmed[me] && !moved[me],
       printf("@client|reads the answer to operation %d: %e\n", me, inbox[me]); read_answer(me))
  :: step(claimed && enqueued >= me && !settled(me) && queue[0].watermark < me,
       printf("@client|looks up operation %d after the claim: undecided\n", me); move(me))
  :: step(claimed && enqueued >= me && !settled(me) && REMOVED(CLAIM_SETTLES_FIRST),
       printf("@client|moves what is unconfirmed without asking\n"); move(me))
  :: step(key_of(LENGTH + 1) && enqueued >= me && !settled(me) && REMOVED(PRINCIPAL_BOUND),
       printf("@client|drains the guest's queue with the account's credential\n"); move(me))
  od
}

proctype Device(byte me) {
end:
  do
  :: step(!key_of(me), put(me, 1, CLAIM); printf("@device %d|signs in, and puts a claim into its queue\n", queue_of(me)))
  :: step(key_of(me) && !sent[me], sent[me] = true; printf("@device %d|sends its claim\n", queue_of(me)))
  :: step(inbox[me] && !confirmed[me],
       printf("@device %d|reads the answer to its claim: %e\n", queue_of(me), inbox[me]); read_answer(me))
  od
}

proctype Network(byte me) {
end:
  do
  :: step(sent[me] && !is_claim(me), printf("@network|operation %d arrives\n", me); decide(me))
  :: step(sent[me] && is_claim(me), printf("@network|the claim of device %d arrives\n", queue_of(me)); decide(me))
  od
}

proctype World() {
end:
  do
  :: step(to_be_closed && !guest_closed, guest_closed = true; printf("@server|closes the guest\n"))
  :: step(!backend_down, backend_down = true; printf("@world|the backing services go down\n"))
  :: step(backend_down, backend_down = false; printf("@world|the backing services come back\n"))
  :: step(!backend_down, drain())
  od
}

init {
  byte me;
  atomic {
    run World();
    for (me : 1 .. LENGTH) { run Guest(me); run Network(me) };
    for (me : LENGTH + 1 .. OPERATIONS) { run Device(me); run Network(me) }
  }
}
