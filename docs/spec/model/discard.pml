/*
 * A shopper who changes her mind: cancelling an operation that may be on its way, or done.
 *
 * The client puts a Discard in the place of the operation: same sequence, same previous key, a key of its own. The
 * server decides one of the two, whichever arrives first; the other is a SEQUENCE_CONFLICT. So the answer to the
 * Discard says which it was, and nothing else does: not the mark "sent", not a deferral, not silence.
 *
 * Operation n is the intent, operation LENGTH + n its discard.
 */

#include "rules.pml"

#ifndef LENGTH
#define LENGTH 2
#endif
#define OPERATIONS (2 * LENGTH)
#define QUEUES 1
#include "deciding.pml"

#define discard_of(n)  ((n) + LENGTH)
#define intent(op)     ((op) > LENGTH -> (op) - LENGTH : (op))

mtype = { WANTED, CANCELLING, CANCELLED, TOO_LATE };

/* The client's disk. */
byte enqueued;
bool sent[LENGTH + 1];              /* the mark of the intent */
mtype wish[LENGTH + 1];             /* WANTED; CANCELLING: its discard is in its place; how that ended */
mtype confirmed[LENGTH + 1];
bool cancelled[LENGTH + 1];         /* the shopper was told that it is cancelled */
bool put_off[LENGTH + 1];           /* the latest answer that was read is a deferral */

/* The client's memory, gone in a crash. */
bool in_memory[LENGTH + 1];         /* it knows that it has sent this, and has yet to write it down */

/* The network. */
bool on_the_way[OPERATIONS + 1];
mtype inbox[OPERATIONS + 1];        /* the latest final answer or conflict, by key */
bool deferral_on_the_way[LENGTH + 1];

byte effects[LENGTH + 1];
bool was_decided[LENGTH + 1];

/* Scratch. */
byte i, n, turn, sending, head;
#define forget forget_judging; i = 0; n = 0; turn = 0; sending = 0; head = 0

/* Answers find their operation by key; without that, or when both have one key, by their sequence alone. */
#if REMOVED(MATCH_BY_KEY) || REMOVED(DISCARD_OWN_KEY)
#define inbox_of(op) inbox[intent(op)]
#else
#define inbox_of(op) inbox[op]
#endif

/* ---- the server ------------------------------------------------------------------------------------------------ */

inline decide(op) {
  judge(op, queue[0]);
  if
  :: REMOVED(DISCARD_TOO_LATE) && is_discard(op) && answer == CONFLICT && queue[0].key[sequence_of(op)] == intent(op) ->
       answer = APPLIED
  :: REMOVED(LATE_ORIGINAL) && !is_discard(op) && answer == CONFLICT -> answer = APPLIED
  :: decided && is_discard(op) && REMOVED(DISCARD_RECORDED)
  :: decided && !(is_discard(op) && REMOVED(DISCARD_RECORDED)) ->
       if
       :: answer == APPLIED && !is_discard(op) ->
            once_more(effects[op]);
            holds(IN_ORDER, op == 1 || was_decided[op - 1])
       :: else
       fi;
       record(op, queue[0]);
       was_decided[intent(op)] = true
  :: else
  fi;
  printf(">%e\n", answer);
  if
  :: is_discard(op) -> holds(CANCELLED_IS_TRUE, answer != APPLIED || !effects[intent(op)])
  :: else ->
       holds(AT_MOST_ONCE, effects[op] <= 1)
       holds(APPLIED_IS_TRUE, answer != APPLIED || effects[op])
       holds(REFUSED_IS_TRUE, (answer != REJECTED && answer != CONFLICT) || !effects[op])
  fi;
  inbox_of(op) = (answer == DEFERRED -> inbox_of(op) : answer);
  check()
}

inline check() {
  for (i : 1 .. LENGTH) { holds(CANCELLED_IS_TRUE, !cancelled[i] || !effects[i]) }
}

/* ---- the client ------------------------------------------------------------------------------------------------ */

inline enqueue(op) {
  enqueued = op;
  operation[op].key = op;
  operation[op].payload = op;
  operation[op].sequence = op;
  operation[op].previous = op - 1;
  operation[op].kind = PLAIN;
  wish[op] = WANTED;
  printf("@client|puts operation %d on disk\n", op)
}

inline cancel(op) {
  wish[op] = CANCELLING;
  operation[discard_of(op)].key = (REMOVED(DISCARD_OWN_KEY) -> op : discard_of(op));
  operation[discard_of(op)].payload = discard_of(op);
  operation[discard_of(op)].sequence = op;
  operation[discard_of(op)].previous = op - 1;
  operation[discard_of(op)].discards = op;
  operation[discard_of(op)].kind = DISCARD;
  printf("@client|puts a discard in the place of operation %d\n", op);
  if
  :: REMOVED(CANCEL_BY_DISCARD) || (REMOVED(SENT_MARK_FIRST) && !sent[op] && !in_memory[op]) ||
     (REMOVED(DEFERRED_IN_DOUBT) && put_off[op]) ->
       cancelled[op] = true; printf(":and shows it as cancelled\n"); check()
  :: else
  fi
}

/* What is in the queue at that place now. */
#define in_place(op) (wish[op] == CANCELLING -> discard_of(op) : op)

inline read_answer(op) {
  if
  :: wish[op] == CANCELLING && inbox_of(in_place(op)) == APPLIED ->
       wish[op] = CANCELLED; cancelled[op] = true;
       printf(":operation %d is shown as cancelled\n", op); check()
  :: wish[op] == CANCELLING && inbox_of(in_place(op)) == CONFLICT -> wish[op] = TOO_LATE
  :: wish[op] != CANCELLING && inbox_of(op) != CONFLICT -> confirmed[op] = inbox_of(op)
  :: else
  fi
}

#define unsettled(op) (!confirmed[op] && wish[op] != CANCELLED)

inline drain() {
  over = true;
  printf("@afterwards|the client submits what is unconfirmed, and nothing more is lost\n");
  for (turn : 1 .. 2 * LENGTH) {
    n = 1;
    do
    :: n > enqueued -> break
    :: n <= enqueued && unsettled(n) ->
         sending = in_place(n);
         printf(":%e %d arrives\n", kind_of(sending), n);
         decide(sending);
         if
         :: answer == DEFERRED -> break
         :: answer == CONFLICT && wish[n] != CANCELLING -> break
         :: else -> read_answer(n); n = (unsettled(n) -> n : n + 1)
         fi
    :: else -> n++
    od
  };
  head = 1;
  do
  :: head <= enqueued && !unsettled(head) -> head++
  :: else -> break
  od;
  holds(NEVER_STUCK, head > enqueued || (backend_down && wish[head] != CANCELLING))
}

proctype Client(byte me) {
end:
  do
  :: step(enqueued == me - 1, enqueue(me))
  :: step(enqueued >= me && unsettled(me) && wish[me] != CANCELLING && !sent[me] && !in_memory[me],
       on_the_way[me] = true;
       in_memory[me] = REMOVED(SENT_MARK_FIRST);
       sent[me] = !REMOVED(SENT_MARK_FIRST);
       printf("@client|sends operation %d\n", me);
       printf(":the mark on disk is %d\n", sent[me]))
  :: step(in_memory[me], in_memory[me] = false; sent[me] = true; printf("@client|marks operation %d as sent\n", me))
  :: step(in_memory[me], in_memory[me] = false; printf("@client|crashes and restarts\n"))
  :: step(enqueued >= me && unsettled(me) && wish[me] == WANTED, cancel(me))
  :: step(wish[me] == CANCELLING && unsettled(me) && !on_the_way[discard_of(me)],
       on_the_way[discard_of(me)] = true; printf("@client|sends the discard of operation %d\n", me))
  :: step(wish[me] && unsettled(me) && inbox_of(in_place(me)),
       printf("@client|reads the answer to %e %d: %e\n", kind_of(in_place(me)), me, inbox_of(in_place(me)));
       read_answer(me))
  :: step(REMOVED(DEFERRED_IN_DOUBT) && deferral_on_the_way[me] && !put_off[me],
       put_off[me] = true; printf("@client|reads the answer to operation %d: DEFERRED\n", me))
  od
}

proctype Network(byte me) {
end:
  do
  :: step(on_the_way[me],
       printf("@network|%e %d arrives\n", kind_of(me), intent(me));
       decide(me);
       deferral_on_the_way[intent(me)] =
         deferral_on_the_way[intent(me)] || (REMOVED(DEFERRED_IN_DOUBT) && answer == DEFERRED))
  od
}

proctype World() {
end:
  do
  :: step(!backend_down, backend_down = true; printf("@world|the backing services go down\n"))
  :: step(backend_down, backend_down = false; printf("@world|the backing services come back\n"))
  :: step(!sold_out, sold_out = true; printf("@world|the stock is gone\n"))
  :: step(sold_out, sold_out = false; printf("@world|there is stock again\n"))
  :: step(true, drain())
  od
}

init {
  byte me;
  atomic {
    run World();
    for (me : 1 .. LENGTH) { run Client(me) };
    for (me : 1 .. OPERATIONS) { run Network(me) }
  }
}
