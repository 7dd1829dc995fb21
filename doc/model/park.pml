// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// run: -DV=1 -> pass
// run: -DV=1 -DSTOP -> pass
// run: -DV=1 -DTIMEOUT -> pass
// run: -DV=2 -> fail
// run: -DV=3 -> fail
// run: -DV=4 -> fail
// run: -DV=5 -> fail
// run: -DV=6 -> fail
// run: -DV=7 -> fail
/*
 * include/tokengate/detail/parking.hpp between two gates and a worker, under x86-TSO: a plain store
 * waits in the store buffer of its thread (one slot, a later store to the same place overwrites it)
 * until it drains or a read-modify-write or a system call of that thread empties the buffer.
 *
 * V=1  as it is written
 * V=2  the gate skips the exchange when a plain load does not say `parked`
 * V=3  the gate stores `notified` after a plain load of the old state
 * V=4  the worker parks without consuming `notified`: a plain store of `parked`
 * V=5  the worker sleeps without comparing the word
 * V=6  the gate notifies before it publishes
 * V=7  the worker wakes up by a plain store that stays in its buffer while it scans
 * STOP     a third thread stops the worker, which must end
 * TIMEOUT  sleeping may end by itself at any time; nothing may depend on it
 */
#ifndef V
#define V 1
#endif
#define EACH 2

#define RUNNING 0
#define PARKED 1
#define NOTIFIED 2

byte word = RUNNING;
bool asleep = false;

/* The mailboxes: what is in memory, and what is in the store buffer of the gate. */
byte tail[2]; byte buffered[2]; bool pending[2];
bool stop_memory, stop_buffered, stop_pending;
/* The worker's store of the word (V=4, V=7 only). */
byte word_buffered; bool word_pending;

byte taken; byte ended_gates; bool worker_ended;

inline gate_drains(g)  { if :: pending[g] -> tail[g] = buffered[g]; pending[g] = false :: else fi }
inline worker_drains() { if :: word_pending -> word = word_buffered; word_pending = false :: else fi }
inline pool_drains()   { if :: stop_pending -> stop_memory = stop_buffered; stop_pending = false :: else fi }

/* Store buffers drain whenever they like. */
active proctype buffers() {
end:
  do
  :: atomic { pending[0] -> gate_drains(0) }
  :: atomic { pending[1] -> gate_drains(1) }
  :: atomic { word_pending -> worker_drains() }
  :: atomic { stop_pending -> pool_drains() }
  od
}

/* notify() and wake(); DRAINS is the store buffer of the caller. */
#define NOTIFY(DRAINS) \
  atomic { DRAINS; old = word; word = NOTIFIED }; \
  if :: old == PARKED -> atomic { asleep = false } :: else fi

proctype gate(byte me) {
  byte i, old;
  do
  :: i == EACH -> break
  :: else ->
     i++;
#if V == 6
     NOTIFY(gate_drains(me));
     atomic { buffered[me] = i; pending[me] = true }
#else
     atomic { buffered[me] = i; pending[me] = true };      /* release store: may wait */
#if V == 2
     if
     :: word == PARKED -> NOTIFY(gate_drains(me))
     :: word != PARKED
     fi
#elif V == 3
     atomic { gate_drains(me); old = word };
     atomic { word = NOTIFIED };
     if :: old == PARKED -> atomic { asleep = false } :: else fi
#else
     NOTIFY(gate_drains(me))
#endif
#endif
  od;
  ended_gates++
}

#ifdef STOP
active proctype pool() {
  byte old;
  atomic { stop_buffered = true; stop_pending = true };
  NOTIFY(pool_drains())
}
#endif

inline scan() {
  seen = tail[0];
  taken = taken + (seen - head[0]); head[0] = seen;
  seen = tail[1];
  taken = taken + (seen - head[1]); head[1] = seen
}

active proctype worker() {
  byte seen, old; byte head[2]; bool parked, stopping;
  do
  ::
#ifdef STOP
     stopping = stop_memory;
#endif
     scan();
     if
#ifdef STOP
     :: stopping -> break
#else
     :: taken == 2 * EACH -> break
#endif
     :: else ->
        /* try_park() */
#if V == 4
        atomic { word_buffered = PARKED; word_pending = true };
        atomic { worker_drains() };                         /* the system call empties the buffer */
        parked = true;
#else
        atomic { worker_drains(); old = word; if :: old == NOTIFIED -> word = RUNNING :: else fi };
        if
        :: old == NOTIFIED -> parked = false
        :: else ->
           atomic {
             worker_drains();
             if :: word == RUNNING -> word = PARKED; parked = true :: else -> parked = false fi
           }
        fi;
#endif
        if
        :: parked ->
           /* sleep(): the kernel compares and sleeps in one step */
           do
           :: word != PARKED -> break
           :: word == PARKED ->
#if V == 5
              asleep = true;
#else
              atomic { worker_drains(); if :: word == PARKED -> asleep = true :: else fi };
#endif
#ifdef TIMEOUT
              if :: !asleep :: asleep = false; break fi
#else
              !asleep
#endif
           od;
           /* unpark() */
#if V == 7
           atomic { word_buffered = RUNNING; word_pending = true }
#else
           atomic { worker_drains(); old = word; word = RUNNING }
#endif
        :: else
        fi
     fi
  od;
  worker_ended = true
}

init { atomic { run gate(0); run gate(1) } }

/* Reached when nobody else can take a step. */
active proctype monitor() {
  timeout -> assert(ended_gates == 2 && worker_ended);
#ifndef STOP
  assert(taken == 2 * EACH)
#endif
}
