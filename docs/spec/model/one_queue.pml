/*
 * One client, one queue, one server, and a network that does what it likes.
 *
 * The client keeps its intents on disk: an operation is enqueued, then marked "sent", then it may arrive at the server
 * at any time, any number of times, in any order, or never, and so may each answer. That is all that losing,
 * duplicating, delaying and reordering can do to messages that never change, and all that a crash of the client can do
 * to a queue on disk. A crash of the server is a lost answer, since deciding is one commit (two_replicas.pml takes the
 * commit apart). Around the server stock comes and goes, backing services fail, time passes the replay window, the
 * server is upgraded, and any record is pruned at any time.
 */

#include "rules.pml"

#ifndef LENGTH
#define LENGTH 3
#endif
#define OPERATIONS LENGTH
#define QUEUES 1
#include "deciding.pml"

/* The client's disk. The n-th operation has sequence n. */
byte enqueued;                       /* 1 … enqueued are there */
bool sent[LENGTH + 1];
mtype confirmed[LENGTH + 1];         /* the final answer that was read; 0 = none yet, it will be sent again */

/* For the properties: what really happened. */
byte effects[LENGTH + 1];
bool was_decided[LENGTH + 1];
bool was_pruned[LENGTH + 1];
mtype told[LENGTH + 1];              /* the first final answer that left the server; the client may have read it, or may yet */

/* Scratch. */
byte i, head, at, turn, sum;
#define forget forget_judging; i = 0; head = 0; at = 0; turn = 0; sum = 0
#define TURNS (LENGTH * (QUARANTINE + 1) + 1)

/* ---- the server ------------------------------------------------------------------------------------------------ */

inline decide(op) {
  judge(op, queue[0]);
  if
  :: decided ->
       if
       :: answer == APPLIED ->
            once_more(effects[op]);
            for (i : 1 .. op - 1) { holds(IN_ORDER, was_decided[i]) }
       :: else
       fi;
       record(op, queue[0]);
       was_decided[op] = true
  :: else
  fi;
  printf(">%e\n", answer);
  check(op)
}

inline check(op) {
  sum = 0;
  /* A key may be used again, at its owner's risk, once the record of its first use is pruned. */
  for (i : 1 .. enqueued) { sum = sum + (key_of(i) == key_of(op) && !was_pruned[i] -> effects[i] : 0) }
  holds(AT_MOST_ONCE, effects[op] <= 1 && sum <= 1)
  holds(NEVER_FLIPPED, !(told[op] == APPLIED && answer == REJECTED) && !(told[op] == REJECTED && answer == APPLIED))
  holds(APPLIED_IS_TRUE, answer != APPLIED || effects[op])
  holds(REFUSED_IS_TRUE, (answer != REJECTED && answer != CONFLICT) || !effects[op])
  holds(PURGED_IS_TRUE, answer != PURGED || was_pruned[op])
  told[op] = (told[op] == 0 && (answer == APPLIED || answer == REJECTED || answer == PURGED) -> answer : told[op])
}

/* ---- the client ------------------------------------------------------------------------------------------------ */

inline enqueue(op, what, its_key) {
  enqueued = op;
  operation[op].key = its_key;
  operation[op].sequence = (REMOVED(SEQUENCE_DURABLE) && confirmed[op - 1] -> 1 : op);
  operation[op].previous = (sequence_of(op) == 1 -> 0 : key_of(op - 1));
  operation[op].payload = op;
  operation[op].kind = what;
  printf("@client|puts operation %d on disk: key %d, %e\n", op, its_key, what)
}

/* Faults have ceased. The client submits everything from the lowest unconfirmed operation on; the server answers,
   and looks at nothing behind a deferral or a conflict. Again and again: is everything confirmed in the end?
   Only one thing may still wait: a fresh operation that needs the backing services, while they are unreachable. */
inline drain() {
  over = true;
  printf("@afterwards|the client submits what is unconfirmed, and nothing more is lost\n");
  turn = 0;
  do
  :: turn == TURNS -> break
  :: else ->
       turn++;
       first_unconfirmed();
       at = (REMOVED(CONSECUTIVE) -> enqueued : head);
       do
       :: at < head || at > enqueued -> break
       :: else ->
            printf(":operation %d arrives\n", at);
            decide(at);
            confirmed[at] = told[at];
            if
            :: answer == DEFERRED || answer == CONFLICT -> break
            :: else -> at = (REMOVED(CONSECUTIVE) -> at - 1 : at + 1)
            fi
       od
  od;
  first_unconfirmed();
  holds(NEVER_STUCK, head > enqueued || (backend_down && !window_passed && kind_of(head) == PLAIN))
}

inline first_unconfirmed() {
  head = 1;
  do
  :: head <= enqueued && confirmed[head] -> head++
  :: else -> break
  od
}

proctype Client(byte me) {
end:
  do
  :: step(enqueued == me - 1, enqueue(me, PLAIN, me))
  :: step(enqueued == me - 1, enqueue(me, UNSUPPORTED, me))
  :: step(enqueued == me - 1, enqueue(me, POISON, me))
  :: step(enqueued == me - 1 && me > 1, enqueue(me, PLAIN, key_of(me - 1)))
  :: step(enqueued >= me && !sent[me],
       sent[me] = true; printf("@client|marks operation %d as sent, and sends it\n", me))
  :: step(told[me] && !confirmed[me],
       confirmed[me] = told[me]; printf("@client|reads the answer to operation %d: %e\n", me, told[me]))
  od
}

proctype Network(byte me) {
end:
  do
  :: step(sent[me], printf("@network|operation %d arrives\n", me); decide(me))
  od
}

proctype World() {
end:
  do
  :: step(!backend_down, backend_down = true; printf("@world|the backing services go down\n"))
  :: step(backend_down, backend_down = false; printf("@world|the backing services come back\n"))
  :: step(!sold_out, sold_out = true; printf("@world|the stock is gone\n"))
  :: step(sold_out, sold_out = false; printf("@world|there is stock again\n"))
  :: step(!window_passed, window_passed = true; printf("@world|the replay window passes\n"))
  :: step(!digest_version, digest_version = 1; printf("@world|the server is upgraded to another list of payload fields\n"))
  :: step(true, drain())
  od
}

proctype Pruning(byte me) {
end:
  do
  :: step(queue[0].key[me],
       prune(queue[0], me); was_pruned[me] = true; printf("@server|prunes the record of sequence %d\n", me))
  od
}

init {
  byte op;
  atomic {
    run World();
    for (op : 1 .. LENGTH) { run Client(op); run Network(op); run Pruning(op) }
  }
}
