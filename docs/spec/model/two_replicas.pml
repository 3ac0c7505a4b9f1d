/*
 * The commit, taken apart: two replicas of a server over one database, two queues, one cart.
 *
 * A replica takes an operation that arrives, reads, judges, commits, and answers, and may crash before each of these.
 * What it reads is one snapshot: the queue with its records, and the cart. What it writes it writes in one
 * transaction, which goes through only if queue and cart are still those that were read (compare-and-set, or what a
 * database calls serializable, or snapshot isolation with first-committer-wins); the loser reads again. The cart is
 * written as a whole, from what was read: that is how an update gets lost.
 *
 * Queue 0 holds operations 1, 2, …, queue 1 the last one. All of them are on their way, any number of times.
 */

#include "rules.pml"

#ifndef LENGTH
#define LENGTH 2
#endif
#define OPERATIONS (LENGTH + 1)
#define QUEUES 2
#define REPLICAS 2
#include "deciding.pml"

#define queue_of(op) (op == OPERATIONS -> 1 : 0)

typedef Cart { byte added[OPERATIONS + 1] }
Cart cart;                        /* how often each operation had its effect */
byte cart_version, queue_version[QUEUES];

mtype = { IDLE, HALF_READ, READ, HALF_DONE, DONE };
typedef Replica {
  mtype phase;
  byte working_on;                /* the operation it is at */
  mtype reply;                    /* what it will answer */
  Queue seen_queue;
  Cart seen_cart;
  byte seen_queue_version, seen_cart_version
}
Replica replica[REPLICAS];

mtype told[OPERATIONS + 1];
bool was_decided[OPERATIONS + 1];

/* Scratch. */
byte i, q, turn;
bool busy;
#define forget forget_judging; i = 0; q = 0; turn = 0; busy = 0

#define self replica[me]

/* ---- reading --------------------------------------------------------------------------------------------------- */

inline read_records(me) {
  q = queue_of(self.working_on);
  for (i : 1 .. LENGTH) {
    self.seen_queue.key[i] = queue[q].key[i];
    self.seen_queue.payload[i] = queue[q].payload[i];
    self.seen_queue.outcome[i] = queue[q].outcome[i]
  }
  self.seen_queue_version = queue_version[q];
  self.seen_cart_version = cart_version;
  for (i : 1 .. OPERATIONS) { self.seen_cart.added[i] = cart.added[i] }
}

inline read_watermark(me) {
  q = queue_of(self.working_on);
  self.seen_queue.watermark = queue[q].watermark;
  self.seen_queue.last_key = queue[q].last_key
}

inline take(me, what) {
  self.working_on = what;
  read_records(me);
  if
  :: REMOVED(ONE_INSTANT) -> self.phase = HALF_READ
  :: else -> read_watermark(me); self.phase = READ
  fi
}

/* ---- committing ------------------------------------------------------------------------------------------------ */

#define unchanged (queue_version[q] == self.seen_queue_version && cart_version == self.seen_cart_version)

inline commit(me) {
  q = queue_of(self.working_on);
  judge(self.working_on, self.seen_queue);
  self.reply = answer;
  if
  :: !decided -> self.phase = DONE; printf(":nothing to commit\n")

  :: decided && REMOVED(ANSWER_AFTER_COMMIT) && self.phase == READ ->
       self.phase = HALF_DONE; printf(">%e\n", answer); told[self.working_on] = answer
  :: decided && REMOVED(QUEUE_COMPARED) ->
       write_effect(self.working_on, cart); write_record_of(self.working_on); self.phase = DONE
  :: decided && REMOVED(CART_COMPARED) && queue_version[q] == self.seen_queue_version ->
       write_effect(self.working_on, self.seen_cart); write_record_of(self.working_on); self.phase = DONE
  :: decided && unchanged && REMOVED(EFFECT_IN_COMMIT) && self.phase == READ ->
       write_effect(self.working_on, self.seen_cart); self.seen_cart_version = cart_version; self.phase = HALF_DONE
  :: decided && unchanged && REMOVED(EFFECT_IN_COMMIT) -> write_record_of(self.working_on); self.phase = DONE
  :: decided && unchanged && REMOVED(WATERMARK_IN_COMMIT) && self.phase == READ ->
       write_record_of(self.working_on); self.seen_queue_version = queue_version[q]; self.phase = HALF_DONE
  :: decided && unchanged && REMOVED(WATERMARK_IN_COMMIT) ->
       write_effect(self.working_on, self.seen_cart); self.phase = DONE

  :: decided && unchanged ->
       write_effect(self.working_on, self.seen_cart); write_record_of(self.working_on); self.phase = DONE
  :: else -> printf(":somebody else was first, it reads again\n"); take(me, self.working_on)
  fi;
  check()
}

inline write_effect(op, base) {
  for (i : 1 .. OPERATIONS) { cart.added[i] = base.added[i] }
  if
  :: answer == APPLIED ->
       once_more(cart.added[op]);
       cart_version++;
       holds(IN_ORDER, previous_of(op) == 0 || was_decided[op - 1])
  :: else
  fi
}

inline write_record_of(op) {
  record(op, queue[q]);
  queue_version[q]++;
  was_decided[op] = true
}

/* ---- what must be true after every step ------------------------------------------------------------------------- */

inline tell(op, what) {
  printf(">%e\n", what);
  holds(NEVER_FLIPPED, !(told[op] == APPLIED && what == REJECTED) && !(told[op] == REJECTED && what == APPLIED))
  holds(PURGED_IS_TRUE, what != PURGED)
  told[op] = (what == APPLIED || what == REJECTED -> what : told[op])
}

inline check() {
  for (i : 1 .. OPERATIONS) {
    busy = (replica[0].working_on == i || replica[1].working_on == i);
    holds(AT_MOST_ONCE, cart.added[i] <= 1)
    holds(APPLIED_IS_TRUE, told[i] != APPLIED || busy || cart.added[i])
    holds(REFUSED_IS_TRUE, told[i] != REJECTED || busy || !cart.added[i])
  }
}

inline rest(me) {
  self.phase = IDLE; self.working_on = 0; self.reply = 0;
  self.seen_queue_version = 0; self.seen_cart_version = 0;
  self.seen_queue.watermark = 0; self.seen_queue.last_key = 0;
  for (i : 1 .. LENGTH) {
    self.seen_queue.key[i] = 0; self.seen_queue.payload[i] = 0; self.seen_queue.outcome[i] = 0
  }
  for (i : 1 .. OPERATIONS) { self.seen_cart.added[i] = 0 }
}

/* Both replicas crash and restart; then each queue is submitted once, and everything must have been answered. */
inline drain() {
  over = true;
  printf("@afterwards|the client submits everything once more, and nothing is lost\n");
  replica[0].working_on = 0; replica[1].working_on = 0;
  for (turn : 1 .. OPERATIONS) {
    q = queue_of(turn);
    judge(turn, queue[q]);
    if
    :: decided -> write_effect(turn, cart); write_record_of(turn)
    :: else
    fi;
    printf(":operation %d arrives\n", turn);
    tell(turn, answer);
    check();
    holds(NEVER_STUCK, answer == APPLIED || answer == REJECTED)
  }
}

proctype Server(byte me) {
end:
  do
  :: step(self.phase == IDLE, printf("@replica %d|takes operation 1, and reads\n", me); take(me, 1))
  :: step(self.phase == IDLE, printf("@replica %d|takes operation 2, and reads\n", me); take(me, 2))
  :: step(self.phase == IDLE, printf("@replica %d|takes operation 3, and reads\n", me); take(me, 3))
#if OPERATIONS > 3
  :: step(self.phase == IDLE, printf("@replica %d|takes operation 4, and reads\n", me); take(me, 4))
#endif
  :: step(self.phase == HALF_READ,
       printf("@replica %d|reads the watermark\n", me); read_watermark(me); self.phase = READ)
  :: step(self.phase == READ || self.phase == HALF_DONE,
       printf("@replica %d|judges operation %d, and commits\n", me, self.working_on); commit(me))
  :: step(self.phase == DONE,
       printf("@replica %d|answers operation %d\n", me, self.working_on); tell(self.working_on, self.reply); rest(me); check())
  :: step(self.phase != IDLE, printf("@replica %d|crashes and restarts\n", me); rest(me); check())
  od
}

proctype World() {
end:
  do
  :: step(!sold_out, sold_out = true; printf("@world|the stock is gone\n"))
  :: step(sold_out, sold_out = false; printf("@world|there is stock again\n"))
  :: step(true, drain())
  od
}

init {
  byte op;
  atomic {
    for (op : 1 .. OPERATIONS) {
      operation[op].key = op; operation[op].payload = op; operation[op].kind = PLAIN;
      operation[op].sequence = (op == OPERATIONS -> 1 : op);
      operation[op].previous = (op == OPERATIONS -> 0 : op - 1)
    }
    replica[0].phase = IDLE; replica[1].phase = IDLE;
    run Server(0); run Server(1); run World()
  }
}
