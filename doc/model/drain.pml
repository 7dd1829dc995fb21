// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// run: -DV=1 -> pass
// run: -DV=1 -DBUDGET=1 -> pass
// run: -DV=1 -DHOT -> pass
// run: -DV=2 -> fail
// run: -DV=3 -> fail
// run: -DV=4 -> fail
// run: -DV=5 -DBUDGET=1 -> fail
// run: -DV=6 -> fail
// run: -DV=7 -> fail
/*
 * The drain of a gate on the parking word: two workers publish results and post the drain when it
 * was parked; an issuer claims the parked drain and posts it himself. Two loop threads, so that two
 * drains would run side by side if two were posted. TSO: the stores of workers into their return
 * rings wait in a buffer until the exchange of notify().
 *
 * V=1  as it is written
 * V=2  the issuer claims by a load and a store
 * V=3  the issuer posts whether or not he got the claim
 * V=4  the worker notifies only when a plain load says `parked`
 * V=5  a drain that used up its budget ends without being posted again
 * V=6  the drain parks by a plain store, over a `notified`
 * V=7  posting fails for want of memory and the drain is left running
 * HOT  a drain that finds nothing may be posted again instead of parking
 */
#ifndef V
#define V 1
#endif
#ifndef BUDGET
#define BUDGET 4
#endif
#define EACH 2

#define RUNNING 0
#define PARKED 1
#define NOTIFIED 2

byte word = PARKED;
byte tail[2]; byte buffered[2]; bool pending[2];
byte head[2];
byte posted, draining, delivered, hot_turns, ended;
bool failed_once;

inline ring_drains(w) { if :: pending[w] -> tail[w] = buffered[w]; pending[w] = false :: else fi }

active proctype buffers() {
end:
  do
  :: atomic { pending[0] -> ring_drains(0) }
  :: atomic { pending[1] -> ring_drains(1) }
  od
}

inline post() {
#if V == 7
  if
  :: !failed_once -> failed_once = true; word = RUNNING    /* nobody posts, and it is not parked */
  :: atomic { posted++; assert(posted + draining <= 1) }
  fi
#else
  atomic { posted++; assert(posted + draining <= 1) }
#endif
}

proctype worker(byte me) {
  byte i, old;
  do
  :: i == EACH -> break
  :: else ->
     i++;
     atomic { buffered[me] = i; pending[me] = true };
#if V == 4
     if
     :: word != PARKED -> goto next
     :: word == PARKED
     fi;
#endif
     atomic { ring_drains(me); old = word; word = NOTIFIED };
     if :: old == PARKED -> post() :: else fi;
next: skip
  od;
  ended++
}

active proctype issuer() {
  bool got;
#if V == 2
  got = (word == PARKED);
  if :: got -> word = RUNNING :: else fi;
#else
  atomic { got = (word == PARKED); if :: got -> word = RUNNING :: else fi };
#endif
#if V == 3
  got = true;
#endif
  if :: got -> post() :: else fi;
  ended++
}

proctype loop() {
  byte t, w, left, old; bool again, fresh;
end:
  do
  :: atomic { posted > 0 -> posted--; draining++ };
     assert(draining == 1);
     /* unpark(); a drain that goes on finds RUNNING or NOTIFIED, and loses nothing by it */
     atomic { old = word; word = RUNNING };
     left = BUDGET;
     w = 0;
     do
     :: w == 2 -> break
     :: else ->
        t = tail[w];
        do
        :: head[w] != t && left > 0 -> head[w] = head[w] + 1; delivered++; left--
        :: else -> break
        od;
        w++
     od;
     again = false;
     if
     :: left == 0 ->
#if V == 5
        again = false; goto leave;
#else
        again = true
#endif
#ifdef HOT
     :: left != 0 && hot_turns < 2 -> hot_turns++; again = true
#endif
     :: left != 0 ->
        /* try_park(): after it succeeds another drain may run, so nothing is touched then */
#if V == 6
        draining--; word = PARKED; goto out
#else
        atomic { old = word; if :: old == NOTIFIED -> word = RUNNING :: else fi };
        if
        :: old == NOTIFIED -> again = true
        :: else ->
           atomic {
             if :: word == RUNNING -> word = PARKED; draining--; goto out :: else -> again = true fi
           }
        fi
#endif
     fi;
leave:
     atomic { draining--; if :: again -> posted++; assert(posted + draining <= 1) :: else fi };
out: skip
  od
}

init { atomic { run worker(0); run worker(1); run loop(); run loop() } }

active proctype monitor() {
  timeout -> assert(ended == 3 && delivered == 2 * EACH && posted == 0)
}
