/*
 * A server that loses what it had acknowledged: a restore from a backup, a failover to a copy that lags.
 *
 * `store_id` names the history of the store. A restore takes a new one, every request says which one the client last
 * saw, and a request for another one is not processed. The client then asks for the watermark and the outcomes
 * through it, in the store as it now is. What lies above it is provably undecided there and goes into a new queue
 * under a new key; what had been confirmed and is not there is shown to the shopper as lost.
 *
 * Each intent has one operation in each queue the client has gone through: generation 0, 1, …
 */

#include "rules.pml"

#ifndef INTENTS
#define INTENTS 2
#endif
#ifndef RESTORES
#define RESTORES 2
#endif
#define LENGTH INTENTS
#define GENERATIONS (RESTORES + 1)
#define OPERATIONS (INTENTS * GENERATIONS)
#define QUEUES GENERATIONS
#include "deciding.pml"

#define named(g, n)     ((g) * INTENTS + (n))          /* the operation for intent n in generation g */
#define generation(op)  (((op) - 1) / INTENTS)
#define intent(op)      (((op) - 1) % INTENTS + 1)

/* The store, and the backup of it. */
byte store_id = 1, newest_id = 1;
byte effects[INTENTS + 1];
bool saved;
Queue saved_queue[QUEUES];
byte saved_effects[INTENTS + 1];
byte restores;

/* The client's disk. */
byte known_store;                     /* 0 = never asked */
byte current;                         /* the generation of the queue in use */
byte length;                          /* how many operations that queue has */
byte tapped;
mtype confirmed[INTENTS + 1];
byte confirmed_through;               /* the highest sequence confirmed in the current queue */
bool shown_lost[INTENTS + 1];

/* Requests on their way, by the store they name, and the latest answer to each operation, by the store it is from. */
typedef Requests { bool naming[RESTORES + 2] }
Requests sent[OPERATIONS + 1];
mtype inbox[OPERATIONS + 1];
byte inbox_store[OPERATIONS + 1];

/* Scratch. */
byte i, g, n, old, turn, last;
#define forget forget_judging; i = 0; g = 0; n = 0; old = 0; turn = 0; last = 0

/* ---- the server ------------------------------------------------------------------------------------------------ */

inline decide(op) {
  judge(op, queue[generation(op)]);
  if
  :: decided ->
       if
       :: answer == APPLIED -> once_more(effects[intent(op)])
       :: else
       fi;
       record(op, queue[generation(op)])
  :: else
  fi;
  printf(">%e\n", answer);
  holds(AT_MOST_ONCE, effects[intent(op)] <= 1)
  holds(APPLIED_IS_TRUE, answer != APPLIED || effects[intent(op)])
  holds(REFUSED_IS_TRUE, (answer != REJECTED && answer != CONFLICT) || !effects[intent(op)])
}

inline save() {
  saved = true;
  for (g : 0 .. QUEUES - 1) { copy_queue(queue[g], saved_queue[g]) }
  for (i : 1 .. INTENTS) { saved_effects[i] = effects[i] }
  printf("@operator|makes a backup\n")
}

inline restore() {
  restores++;
  for (g : 0 .. QUEUES - 1) { copy_queue(saved_queue[g], queue[g]) }
  for (i : 1 .. INTENTS) { effects[i] = saved_effects[i] }
  if
  :: !REMOVED(STORE_ID_CHANGES) -> newest_id++; store_id = newest_id
  :: else
  fi;
  printf("@operator|restores the backup: store %d\n", store_id)
}

inline copy_queue(from, to) {
  to.watermark = from.watermark;
  to.last_key = from.last_key;
  for (n : 1 .. LENGTH) {
    to.key[n] = from.key[n]; to.payload[n] = from.payload[n]; to.outcome[n] = from.outcome[n]
  }
}

/* ---- the client ------------------------------------------------------------------------------------------------ */

inline append(which) {
  length++;
  last = named(current, which);
  operation[last].key = last;
  operation[last].payload = which;
  operation[last].kind = PLAIN;
  operation[last].sequence = length;
  operation[last].previous = 0;
  for (i : 1 .. INTENTS) {
    operation[last].previous =
      (i != which && length > 1 && sequence_of(named(current, i)) == length - 1 -> key_of(named(current, i))
                                                                               : previous_of(last))
  }
}

inline read_answer(which) {
  confirmed[which] = inbox[named(current, which)];
  confirmed_through =
    (sequence_of(named(current, which)) > confirmed_through -> sequence_of(named(current, which)) : confirmed_through)
}

/* Another store, or (what a client watches for besides) a watermark below what was confirmed. */
#define store_lost_state (known_store && (known_store != store_id || queue[current].watermark < confirmed_through))

/* The look-up, and what follows from it. */
inline recover() {
  known_store = store_id;
  old = current;
  current++;
  length = 0;
  confirmed_through = 0;
  for (n : 1 .. tapped) {
    if
    :: key_of(named(old, n)) == 0                          /* settled before this queue */
    :: key_of(named(old, n)) && confirmed[n] && sequence_of(named(old, n)) > queue[old].watermark ->
         shown_lost[n] = (confirmed[n] == APPLIED);
         printf(":intent %d was confirmed, and is shown as lost\n", n)
    :: key_of(named(old, n)) && !confirmed[n] && sequence_of(named(old, n)) <= queue[old].watermark &&
       !REMOVED(LOOK_UP_FIRST) ->
         confirmed[n] = queue[old].outcome[sequence_of(named(old, n))];
         printf(":intent %d is found decided: %e\n", n, confirmed[n])
    :: key_of(named(old, n)) && !confirmed[n] -> append(n); printf(":intent %d goes into a new queue\n", n)
    :: else
    fi
  }
}

#define can_recover (store_lost_state && current + 1 < GENERATIONS)

inline drain() {
  over = true;
  printf("@afterwards|the client submits what is unconfirmed, and nothing more is lost\n");
  known_store = (known_store == 0 -> store_id : known_store);
  if
  :: can_recover -> printf(":the server has lost state; the client looks up what is there\n"); recover()
  :: else
  fi;
  for (turn : 1 .. INTENTS) {
    for (g : 1 .. tapped) {
      last = named(current, g);
      if
      :: key_of(last) && !confirmed[g] && sequence_of(last) == turn ->
           printf(":operation %d, for intent %d, arrives\n", last, g);
           decide(last);
           confirmed[g] = (answer == APPLIED || answer == REJECTED -> answer : 0)
      :: else
      fi
    }
  };
  for (g : 1 .. tapped) {
    holds(NEVER_STUCK, confirmed[g])
    holds(NOTHING_LOST, confirmed[g] != APPLIED || effects[g] || shown_lost[g])
  }
}

proctype Shopper() {
end:
  do
  :: step(tapped < INTENTS && current < GENERATIONS,
       tapped++; append(tapped); printf("@client|puts intent %d on disk, as operation %d\n", tapped, last))
  :: step(known_store == 0, known_store = store_id; printf("@client|asks for the policy: store %d\n", store_id))
  :: step(can_recover,
       printf("@client|learns that the server has lost state, and looks up what is there\n"); recover())
  od
}

proctype Message(byte me) {
end:
  do
  :: step(key_of(me) && current == generation(me) && !sent[me].naming[known_store] &&
          (known_store || REMOVED(STORE_KNOWN_FIRST)),
       sent[me].naming[known_store] = true;
       printf("@client|sends operation %d, for intent %d, naming store %d\n", me, intent(me), known_store))
  :: step(inbox[me] && current == generation(me) && !confirmed[intent(me)] && inbox_store[me] == known_store,
       printf("@client|reads the answer to operation %d: %e\n", me, inbox[me]); read_answer(intent(me)))
  od
}

proctype Request(byte me; byte store) {
end:
  do
  :: step(sent[me].naming[store] && (store == 0 || store == store_id || REMOVED(STORE_ID_IN_REQUESTS)),
       printf("@network|operation %d naming store %d arrives\n", me, store);
       decide(me);
       inbox[me] = (answer == APPLIED || answer == REJECTED -> answer : inbox[me]);
       inbox_store[me] = (answer == APPLIED || answer == REJECTED -> store_id : inbox_store[me]))
  od
}

proctype World() {
end:
  do
  :: step(!sold_out, sold_out = true; printf("@world|the stock is gone\n"))
  :: step(sold_out, sold_out = false; printf("@world|there is stock again\n"))
  :: step(restores < RESTORES, save())
  :: step(saved && restores < RESTORES, restore())
  :: step(true, drain())
  od
}

init {
  byte me, store;
  atomic {
    run World();
    run Shopper();
    for (me : 1 .. OPERATIONS) {
      run Message(me);
      for (store : 0 .. RESTORES + 1) { run Request(me, store) }
    }
  }
}
