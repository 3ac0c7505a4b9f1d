/*
 * One queue on several devices: a backup put back, an image of a phone, two tabs that share what they should not.
 *
 * Every device believes that the queue is its own. Each goes on tapping, edits what it takes for unsent, and sends.
 * The server sees one queue_id; the chain of previous keys, the keys at each sequence and the payloads tell it which
 * of them it is talking to. After a CONFLICT a device stops and shows the rest to the shopper.
 *
 * An intent is a tap of the shopper. A copy of a queue holds the same intents, not new ones.
 */

#include "rules.pml"

#ifndef LENGTH
#define LENGTH 2
#endif
#ifndef INTENTS
#define INTENTS 3
#endif
#define DEVICES 3
#define OPERATIONS INTENTS
#define QUEUES 1
#include "deciding.pml"

typedef Device {
  bool alive;
  byte length;
  byte at[LENGTH + 1];              /* the operation at each sequence */
  byte sent[LENGTH + 1];            /* the mark "sent": the operation that went out, 0 = none yet */
  mtype inbox[LENGTH + 1];          /* the latest answer on its way to the device */
  mtype confirmed[LENGTH + 1];
  bool stopped                      /* CONFLICT: what is unconfirmed is shown to the shopper */
}
Device device[DEVICES];
byte tapped;                        /* intents so far */

byte effects[INTENTS + 1];          /* of each intent, under whatever key */
bool was_decided[INTENTS + 1];
mtype told[INTENTS + 1];

/* Scratch. */
byte i, s, d, turn, before;
bool in_order;
#define forget forget_judging; i = 0; s = 0; d = 0; turn = 0; before = 0; in_order = 0

#define self device[me]

/* ---- the server ------------------------------------------------------------------------------------------------ */

inline decide(op) {
  judge(op, queue[0]);
  if
  :: decided ->
       if
       :: answer == APPLIED -> once_more(effects[op]); check_order(op)
       :: else
       fi;
       record(op, queue[0]);
       was_decided[op] = true
  :: answer == CONFLICT && REMOVED(CONFLICT_UNRECORDED) && sequence_of(op) <= queue[0].watermark ->
       write_record(op, queue[0], CONFLICT)
  :: else
  fi;
  printf(">%e\n", answer);
  check(op)
}

inline check_order(op) {
  in_order = (previous_of(op) == 0);
  for (before : 1 .. INTENTS) {
    in_order = in_order || (was_decided[before] && key_of(before) == previous_of(op))
  }
  holds(IN_ORDER, in_order)
}

inline check(op) {
  holds(AT_MOST_ONCE, effects[op] <= 1)
  holds(APPLIED_IS_TRUE, answer != APPLIED || effects[op])
  holds(REFUSED_IS_TRUE, (answer != REJECTED && answer != CONFLICT) || !effects[op])
  holds(NEVER_FLIPPED, !(told[op] == APPLIED && answer == REJECTED) && !(told[op] == REJECTED && answer == APPLIED))
  told[op] = (answer == APPLIED || answer == REJECTED -> answer : told[op])
}

/* ---- the devices ----------------------------------------------------------------------------------------------- */

inline tap(me) {
  tapped++;
  self.length++;
  self.at[self.length] = tapped;
  operation[tapped].key = tapped;
  operation[tapped].payload = tapped;
  operation[tapped].kind = PLAIN;
  operation[tapped].sequence = self.length;
  operation[tapped].previous = key_of(self.at[self.length - 1]);
  printf("@device %d|the shopper taps: intent %d, at sequence %d\n", me, tapped, self.length)
}

/* Another intent in its place, under the same key. */
inline edit(me, n) {
  tapped++;
  operation[tapped].key = key_of(self.at[n]);
  operation[tapped].payload = tapped;
  operation[tapped].kind = PLAIN;
  operation[tapped].sequence = n;
  operation[tapped].previous = previous_of(self.at[n]);
  printf("@device %d|the shopper edits intent %d into intent %d\n", me, self.at[n], tapped);
  self.at[n] = tapped
}

inline copy_to(me, other) {
  device[other].alive = true;
  device[other].length = self.length;
  for (i : 1 .. LENGTH) {
    device[other].at[i] = self.at[i];
    device[other].sent[i] = self.sent[i];
    device[other].confirmed[i] = self.confirmed[i]
  }
  printf("@world|device %d gets a copy of the queue of device %d\n", other, me)
}

inline read_answer(me, n) {
  self.confirmed[n] = (self.inbox[n] != CONFLICT -> self.inbox[n] : 0);
  self.stopped = self.stopped || (self.inbox[n] == CONFLICT);
  holds(APPLIED_IS_TRUE, self.inbox[n] != APPLIED || effects[self.at[n]])
}

/* What no client does: issue again, in a new queue and under new keys, what a conflict left over. */
inline issue_again(me) {
  printf("@device %d|after the conflict issues again, in a new queue\n", me);
  for (i : 1 .. self.length) {
    if
    :: self.confirmed[i] == 0 && (REMOVED(CONFLICT_STOPS) || !self.sent[i]) ->
         printf(":intent %d is applied there\n", self.at[i]);
         once_more(effects[self.at[i]]);
         self.confirmed[i] = APPLIED;
         holds(AT_MOST_ONCE, effects[self.at[i]] <= 1)
    :: else
    fi
  }
}

inline drain() {
  over = true;
  printf("@afterwards|every device submits what it has, and nothing more is lost\n");
  for (turn : 1 .. LENGTH + 1) {
    for (d : 0 .. DEVICES - 1) {
      s = 1;
      do
      :: !device[d].alive || device[d].stopped || s > device[d].length -> break
      :: else ->
           if
           :: device[d].confirmed[s] == 0 ->
                printf(":device %d sends operation %d\n", d, device[d].at[s]);
                decide(device[d].at[s]);
                device[d].inbox[s] = answer;
                if
                :: answer == DEFERRED -> break
                :: else -> read_answer(d, s)
                fi
           :: else
           fi;
           s++
      od
    }
  };
  for (d : 0 .. DEVICES - 1) {
    for (s : 1 .. device[d].length) {
      holds(NEVER_STUCK, !device[d].alive || device[d].stopped || device[d].confirmed[s])
    }
  }
}

proctype Phone(byte me) {
end:
  do
  :: step(self.alive && !self.stopped && self.length < LENGTH && tapped < INTENTS, tap(me))
  :: step(self.stopped && (REMOVED(CONFLICT_STOPS) || REMOVED(NEVER_SENT_STOPS)), issue_again(me))
  :: step(self.alive && me == 0 && !device[1].alive, copy_to(me, 1))
  :: step(self.alive && !device[2].alive && device[1].alive, copy_to(me, 2))
  od
}

proctype Place(byte me; byte n) {
end:
  do
  :: step(self.length >= n && !self.stopped && tapped < INTENTS && !self.confirmed[n] &&
          (!self.sent[n] || REMOVED(IMMUTABLE_ONCE_SENT)),
       edit(me, n))
  :: step(self.length >= n && !self.stopped && !self.sent[n],
       self.sent[n] = self.at[n]; printf("@device %d|marks operation %d as sent, and sends it\n", me, self.at[n]))
  :: step(self.sent[n] && !self.confirmed[n],
       printf("@network|operation %d of device %d arrives\n", self.sent[n], me);
       decide(self.sent[n]);
       self.inbox[n] = (answer == DEFERRED -> self.inbox[n] : answer))
  :: step(self.inbox[n] && !self.confirmed[n] && !self.stopped,
       printf("@device %d|reads the answer to operation %d: %e\n", me, self.at[n], self.inbox[n]);
       read_answer(me, n))
  od
}

proctype World() {
end:
  do
  :: step(!sold_out, sold_out = true; printf("@world|the stock is gone\n"))
  :: step(true, drain())
  od
}

init {
  byte who, n;
  atomic {
    device[0].alive = true;
    run World();
    for (who : 0 .. DEVICES - 1) {
      run Phone(who);
      for (n : 1 .. LENGTH) { run Place(who, n) }
    }
  }
}
