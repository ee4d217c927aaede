/* How workers park and are woken, for spin: every interleaving of 3 workers and 2 threads outside (issue: no lost
 * wake-up, no deadlock). Beside each step stands the line of the source that it models; who changes the one changes the
 * other. Memory is sequentially consistent here; what weaker orders may do to the same steps is shown by
 * tests/model/event_count_model_test.cpp and parking_model_test.cpp, with the real code.
 *
 * Modelled: the event count (exec/detail/event_count.hpp), the injection queue (inject_queue.hpp), Scheduler::work, park,
 * arm, expire_due and earliest (src/exec/scheduler.cpp, scheduler_timers.cpp), tell_to_stop. Not modelled: queues of the
 * workers' own (their owner is awake) and the watch.
 *
 *   WORK   pieces of work that each thread outside pushes        TIMERS  each of them arms a timer first, due at 1 and 2
 *   STOP   a thread tells all workers to stop, at any moment
 *
 * A load with a loop of compare-exchange after it is one step here: it takes effect at the exchange that succeeds, or at
 * the load that sends it away, and its failed rounds change nothing. So is the futex's sleep: it compares and falls
 * asleep in one step, and a comparison that fails is one more round. What happens under a mutex is one step.
 *
 * What must hold is asked when nothing can move any more (`timeout`): all work was run and all timers have fired, or,
 * with STOP, all workers have ended.
 */
#ifndef W
#define W 3
#endif
#define P 2
#ifndef WORK
#define WORK 2
#endif
#define NEVER 3

byte waiting = 0;           /* EventCount::word_, low half: stays that nobody has notified */
byte permits = 0;           /* its high half: notifications that no stay has taken */
byte size = 0;              /* InjectQueue::size_ */
byte ran = 0;
byte asleep = 0;            /* bit w: worker w sleeps in the futex */
byte ended = 0;             /* workers that left Scheduler::work */
bool stopping = false;      /* Scheduler::stopping_ */
byte now = 0;               /* the clock */
byte keeper_due = NEVER;    /* Scheduler::keeper_due_ */
byte next_due = NEVER;      /* TimerShard::next_due */
bool armed[NEVER];          /* what the wheel holds: the timer due at 1, and the one due at 2 */
byte fired = 0;

#define WHEEL_NEXT (armed[1] -> 1 : (armed[2] -> 2 : NEVER))

/* Atomics::wake_one: any one that sleeps, or nobody. */
inline wake_one() {
  atomic {
    if
    :: (asleep & 1) -> asleep = asleep & ~1
    :: (asleep & 2) -> asleep = asleep & ~2
    :: (asleep & 4) -> asleep = asleep & ~4
    :: (asleep == 0) -> skip
    fi
  }
}

/* EventCount::notify_one: load; while (waiting > 0) CAS (w, p) -> (w-1, p+1), then wake one. */
inline notify_one() {
  atomic {
    if
    :: (waiting > 0) -> waiting--; permits++; notified = true
    :: else
    fi
  };
  if
  :: notified -> notified = false; wake_one()
  :: else
  fi
}

/* EventCount::cancel: CAS (w, p) -> (w-1, p) if w > 0, else (0, p-1). */
inline cancel() {
  atomic { if :: (waiting > 0) -> waiting-- :: else -> permits-- fi }
}

/* InjectQueue::pop: an empty one is seen without the lock. */
inline pop() {
  atomic { if :: (size > 0) -> size--; ran++; got = true :: else fi }
}

/* Scheduler::expire_due: look, then all that is due under the lock; next_due becomes exact. */
inline expire_due() {
  if
  :: (next_due > now) -> skip
  :: else ->
     atomic {
       if :: (armed[1] && now >= 1) -> armed[1] = false; fired++ :: else fi;
       if :: (armed[2] && now >= 2) -> armed[2] = false; fired++ :: else fi;
       next_due = WHEEL_NEXT
     }
  fi
}

proctype worker(byte me) {
  bool got = false, keeper = false, slept = false, left = false;
  byte due = NEVER;

  do
#ifdef STOP
  :: stopping -> break                                  /* Scheduler::work: while (!stopping_) */
#endif
  :: pop();                                             /*   found = worker.next(): worker.run(found) */
#ifdef TIMERS
     if
     :: !got -> expire_due(); pop()                     /*   worker.read_clock(); found = worker.next() */
     :: else
     fi;
#endif
     if
     :: got -> got = false
     :: else ->                                         /* park(worker): */
        waiting++;                                      /* key = parking_.prepare() */
#ifndef BUG_NO_SECOND_LOOK
        if                                              /* stopping_ || has_visible_work() */
#ifdef STOP
        :: stopping -> cancel(); goto again
#endif
        :: (size > 0) -> cancel(); goto again
        :: else
        fi;
#endif
#ifdef TIMERS
        atomic { next_due = WHEEL_NEXT; due = next_due };  /* due = earliest(true) */
        if
        :: (due != NEVER && due <= now) -> cancel(); goto again  /* due <= now */
        :: else
        fi;
        atomic {                                        /* while (due < kept) compare_exchange_weak(kept, due) */
          if
          :: (due < keeper_due) -> keeper_due = due; keeper = true
          :: else
          fi
        };
#endif
        /* EventCount::wait(key, keeper ? due - now : nullopt) */
        do
        :: atomic {
             if
             :: (permits > 0) -> permits--; left = true           /* CAS (w, p) -> (w, p-1): notified */
             :: (permits == 0 && slept && keeper) -> waiting--; left = true  /* (w-1, p): the time has passed */
             :: else -> asleep = asleep | (1 << me); slept = true  /* slept = Atomics::wait(word_, seen, timeout) */
             fi
           };
           if
           :: left -> break
           :: else ->
              if
              :: ((asleep & (1 << me)) == 0) -> skip    /* woken */
              :: atomic { (keeper && now >= due) -> asleep = asleep & ~(1 << me) }  /* the time-out */
              fi
           fi
        od;
        left = false; slept = false;
#ifdef TIMERS
        if
        :: keeper ->                                    /* compare_exchange_strong(due, never) */
#ifndef BUG_KEEPER_STAYS
           atomic { if :: (keeper_due == due) -> keeper_due = NEVER :: else fi };
#endif
           keeper = false
        :: else
        fi;
#endif
again:  due = NEVER
     fi
  od;
  ended++
}

/* A thread outside: Scheduler::arm and Scheduler::schedule. */
proctype outside(byte at) {
  byte left = WORK;
  bool notified = false;
#ifdef TIMERS
  atomic { armed[at] = true; if :: (at < next_due) -> next_due = at :: else fi };  /* under the shard's lock */
  if
  :: (at < keeper_due) -> notify_one()                  /* if (due < keeper_due_.load()) parking_.notify_one() */
  :: else
  fi;
#endif
  do
  :: (left > 0) ->
#ifdef BUG_NOTIFY_FIRST
     notify_one(); size++;
#else
     size++;                                            /* inject_.push(): size_.store() */
     notify_one();                                      /* parking_.notify_one() */
#endif
     left--
  :: else -> break
  od
}

#ifdef TIMERS
proctype clock() { now = 1; now = 2 }
#endif

#ifdef STOP
proctype stopper() {                                    /* Scheduler::tell_to_stop */
  stopping = true;
  atomic { permits = permits + waiting; waiting = 0; };  /* parking_.notify_all(): CAS, then */
  asleep = 0                                            /* Atomics::wake_all */
}
#endif

init {
  atomic {
    byte i = 0;
    do
    :: (i < W) -> run worker(i); i++
    :: else -> break
    od;
    i = 0;
    run outside(1); run outside(2);
#ifdef TIMERS
    run clock();
#endif
#ifdef STOP
    run stopper();
#endif
  };
  timeout;                                              /* nobody can move any more */
#ifdef STOP
  assert(ended == W);
#else
  assert(ran == P * WORK);
  assert(size == 0);
  assert(!armed[1] && !armed[2]);
  assert(waiting == W && permits == 0);                 /* all of them sleep, and nothing is left behind */
#endif
}
