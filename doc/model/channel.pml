// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// run: -DV=1 -> pass
// run: -DV=1 -DCLOSE -> pass
// run: -DV=1 -DCANCEL -> pass
// run: -DV=2 -> fail
// run: -DV=1 -DPOLL -> pass
// run: -DV=3 -DPOLL -> fail
// run: -DV=4 -> fail
// run: -DV=5 -DCLOSE -> fail
// run: -DV=6 -DCANCEL -> fail
/*
 * include/tokengate/detail/spsc_ring.hpp and channel_spsc.hpp between one sender and one receiver, a
 * ring of one place. Everything that is shared is changed by read-modify-writes or under the lock, so
 * a step of the model is an operation and there are no store buffers; what the memory orders do is
 * checked on the code itself, in test/model/spsc_channel_test.cpp.
 *
 * V=1  as it is written
 * V=2  the receiver announces that it waits without comparing the index
 * V=3  the sender announces that it waits without comparing the index
 * V=4  the sender looks for `waits`, and publishes in a second step
 * V=5  the sender looks for `closed` and publishes in two steps
 * V=6  who took the announcement back wakes without the lock, and does not look who waits
 * CLOSE   a third thread closes the channel
 * POLL    the receiver only tries, again and again
 * CANCEL  the receiver gives its wait up once, and comes again
 */
#ifndef V
#define V 1
#endif
#define EACH 3

byte tail = 0; bool receiver_waits = false; bool closed = false;  /* one word */
byte head = 0; bool sender_waits = false;                         /* one word */
bool lock = false;
bool receiver_linked = false; bool sender_linked = false;         /* under the lock */
bool receiver_told = false; bool receiver_end = false;
bool sender_told = false; bool sender_end = false;
byte received = 0; byte accepted = 0;

inline take_lock() { atomic { !lock -> lock = true } }
inline let_lock_go() { lock = false }

/* Under the lock: serves those who wait, until their waiting is announced. */
inline settle() {
  do
  :: true ->
     moved = false;
     if
     :: receiver_linked ->
        if
        :: atomic { tail != head -> head++; received++; receiver_linked = false; receiver_told = true; moved = true }
        :: atomic { tail == head && closed -> receiver_linked = false; receiver_told = true; receiver_end = true; moved = true }
        :: else -> skip
        fi
     :: else -> skip
     fi;
     if
     :: sender_linked ->
        if
        :: atomic { closed -> sender_linked = false; sender_told = true; sender_end = true; moved = true }
        :: atomic { !closed && tail - head == 0 -> tail++; receiver_waits = false; accepted++; sender_linked = false; sender_told = true; moved = true }
        :: else -> skip
        fi
     :: else -> skip
     fi;
     if
     :: moved -> skip
     :: !moved ->
        if
        :: receiver_linked ->
#if V == 2
           receiver_waits = true
#else
           atomic { if :: tail == head && !closed -> receiver_waits = true :: else -> moved = true fi }
#endif
        :: else -> skip
        fi;
        if
        :: sender_linked ->
#if V == 3
           sender_waits = true
#else
           atomic { if :: tail - head == 1 -> sender_waits = true :: else -> moved = true fi }
#endif
        :: else -> sender_waits = false
        fi;
        if
        :: moved -> skip
        :: else -> break
        fi
     fi
  od
}

active proctype sender() {
  bool moved; bool wake; bool ended = false;
  do
  :: accepted == EACH || ended -> break
  :: else ->
     /* try_send */
     wake = false;
     if
     :: closed -> ended = true
     :: else ->
        if
        :: tail - head == 0 ->
#if V == 4
           wake = receiver_waits;
           atomic { if :: closed -> ended = true :: else -> tail++; accepted++ fi }
#elif V == 5
           tail++; accepted++;
           atomic { wake = receiver_waits; receiver_waits = false }
#else
           atomic { if :: closed -> ended = true :: else -> tail++; accepted++; wake = receiver_waits; receiver_waits = false fi }
#endif
        :: else ->
           /* send */
           take_lock();
           sender_told = false;
           sender_linked = true;
           settle();
           let_lock_go();
           sender_told;
           if :: sender_end -> ended = true :: else fi
        fi
     fi;
     if
     :: wake ->
#if V == 6
        if :: receiver_linked && tail != head -> head++; received++; assert(head <= tail); receiver_linked = false; receiver_told = true :: else fi
#else
        take_lock(); settle(); let_lock_go()
#endif
     :: else
     fi
  od
}

active proctype receiver() {
  bool moved; bool wake; bool ended = false; bool gave_up = false;
  do
  :: (received == EACH || ended) -> break
  :: else ->
     wake = false;
     if
     :: atomic { tail != head -> head++; received++; wake = sender_waits }
     :: atomic { tail == head && closed -> ended = true }
     :: else ->
#ifdef POLL
        (tail != head || closed)
#else
        take_lock();
        receiver_told = false;
        receiver_linked = true;
        settle();
        let_lock_go();
        if
#ifdef CANCEL
        :: !gave_up ->
           gave_up = true;
           take_lock();
           receiver_linked = false;
           let_lock_go()
#endif
        :: receiver_told -> skip
        fi;
        if :: receiver_end -> ended = true :: else fi
#endif
     fi;
     if
     :: wake -> take_lock(); settle(); let_lock_go()
     :: else
     fi
  od;
#ifdef CLOSE
  if :: ended -> assert(received == accepted && tail == head) :: else fi
#endif
}

#ifdef CLOSE
active proctype closer() {
  bool moved;
  atomic { closed = true };
  take_lock(); settle(); let_lock_go()
}
#endif
