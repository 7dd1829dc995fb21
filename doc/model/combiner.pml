// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// run: -DV=1 -> pass
// run: -DV=1 -DTWICE -> pass
// run: -DV=2 -> fail
// run: -DV=3 -> fail
// run: -DV=4 -> fail
// run: -DV=5 -> fail
// run: -DV=6 -> fail
// run: -DV=7 -> fail
/*
 * include/tokengate/detail/combiner.hpp: three threads bring a note each. Who finds the combiner free
 * is its holder, works off his own note and those that others leave, and leaves only when there are
 * none. Every note is worked off once, by one holder at a time, and none is left in the end. Under
 * TSO no plain store takes part in the protocol but `next`, which the push that follows publishes, so
 * there is no store buffer here; orders are the business of test/model.
 *
 * V=1  as it is written
 * V=2  leave by a plain store, without comparing
 * V=3  leave by a load and a store
 * V=4  enter by a load and a store
 * V=5  push by a load and a store
 * V=6  the holder takes by a load and a store
 * V=7  the next note is read after this one was worked off, and so is its owner's again
 * TWICE  each thread brings its note a second time as soon as it was worked off
 */
#ifndef V
#define V 1
#endif
#define N 3

/* The word: free, held without notes, or the number of the newest note. */
#define FREE 0
#define HELD 100

byte word = FREE;
byte next[4];                 /* of note 1..N; HELD ends the stack */
byte worked[4]; bool done[4];
byte holders, ended;

inline work(n) { worked[n] = worked[n] + 1; done[n] = true }

inline enter_or_leave() {
  seen = word;                                  /* relaxed: may be old by the time it is used */
  do
  :: seen == FREE ->
#if V == 4
     word = HELD; entered = true; break
#else
     atomic { if :: word == FREE -> word = HELD; entered = true :: else -> seen = word; entered = false fi };
     if :: entered -> break :: else fi
#endif
  :: else ->
     next[me] = seen;
#if V == 5
     word = me; left = true;
#else
     atomic { if :: word == seen -> word = me; left = true :: else -> seen = word; left = false fi };
#endif
     if :: left -> entered = false; break :: else fi
  od
}

proctype issuer(byte me) {
  byte seen, at, after, oldest, round; bool entered, left, out;
  round = 1;
again:
  enter_or_leave();
  if
  :: entered ->
     holders++; assert(holders == 1);
     work(me);
     out = false;
     do
     :: out -> break
     :: else ->
        /* take(): all at once, then turned round */
#if V == 6
        at = word; word = HELD;
#else
        atomic { at = word; word = HELD };
#endif
        assert(at != FREE);
        oldest = HELD;
        do
        :: at == HELD -> break
        :: else -> after = next[at]; next[at] = oldest; oldest = at; at = after
        od;
        at = oldest;
        do
        :: at == HELD -> break
        :: else ->
           assert(at != FREE);
#if V == 7
           work(at); after = next[at];
#else
           after = next[at]; work(at);
#endif
           at = after
        od;
        /* try_leave() */
        holders--;
#if V == 2
        word = FREE; out = true;
#elif V == 3
        seen = word;
        if :: seen == HELD -> word = FREE; out = true :: else fi;
#else
        atomic { if :: word == HELD -> word = FREE; out = true :: else fi };
#endif
        if :: !out -> holders++; assert(holders == 1) :: else fi
     od
  :: else
  fi;
#ifdef TWICE
  if :: round == 1 -> done[me]; done[me] = false; round = 2; goto again :: else fi;
#endif
  done[me];
  next[me] = FREE;                              /* its owner may do with it what he likes */
  ended++
}

init { atomic { run issuer(1); run issuer(2); run issuer(3) } }

active proctype monitor() {
  byte n;
  timeout -> assert(ended == N && word == FREE);
  n = 1;
  do
  :: n > N -> break
  :: else ->
#ifdef TWICE
     assert(worked[n] == 2);
#else
     assert(worked[n] == 1);
#endif
     n++
  od
}
