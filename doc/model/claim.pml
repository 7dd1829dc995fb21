// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// run: -DV=1 -> pass
// run: -DV=1 -DKILL -> pass
// run: -DV=2 -> fail
// run: -DV=3 -> fail
// run: -DV=4 -> fail
// run: -DV=5 -> fail
// run: -DV=6 -> fail
// run: -DV=7 -> fail
// run: -DV=8 -> fail
// run: -DV=9 -DKILL -> fail
/*
 * One token in a slot: a worker starts it, or the gate pulls it back for a stop request; two
 * cancellers ask for a stop at any time until the token has been ended. The token is run or
 * withdrawn, never both; it is ended once, and nobody touches it afterwards: not a canceller whose
 * note is on its way, not the holder of the combiner that works the note off.
 *
 * Holding the combiner is one lock here (combiner.pml shows that it is), a note in the intake one
 * count. A canceller is registered with the token; the end of the token waits until a canceller that
 * is in has come out, as the destructor of a stop callback does, but not for his note.
 *
 * V=1  as it is written
 * V=2  the worker claims by a load and a store
 * V=3  the gate pulls back by a load and a store
 * V=4  `ended` is set by a load and a store
 * V=5  the token is freed without looking at stop_noted
 * V=6  a canceller does not look at `ended`
 * V=7  a canceller does not look at stop_noted: the one note is left twice
 * V=8  the flags of a canceller are set by a load and a store
 * V=9  a kill after a withdrawal leaves the note again, and the gate does not wait for it
 * KILL   one who holds the combiner asks a token that runs to stop, and leaves the note afterwards
 */
#ifndef V
#define V 1
#endif

bool claim = true;              /* the slot holds the token */
bool stop_noted, ended;         /* flags, changed together in one read-modify-write */
byte intake;                    /* stop notes that nobody has worked off */
bool combiner_held;
bool held = true;               /* combiner: the gate counts on a result from this slot */
bool worked_off, held_for_note; /* combiner */
byte ran, withdrawn, delivered;
bool returned, collected, freed;
byte inside;                    /* cancellers that are registered and at work */
byte finished;

inline enter() { atomic { !combiner_held -> combiner_held = true } }
inline touch() { assert(!freed) }

inline deliver() { touch(); delivered++; assert(delivered == 1) }

inline settle() {
  touch();
#if V == 4
  noted = stop_noted; ended = true;
  flags_stored_over = noted;
  stop_noted = flags_stored_over;
#else
  atomic { noted = stop_noted; ended = true };
#endif
#if V == 5
  noted = false;
#endif
  if
  :: noted && !worked_off -> held_for_note = true
  :: else -> deliver()
  fi
}

inline pull_back() {
#if V == 3
  got = claim; if :: got -> claim = false :: else fi;
#else
  atomic { got = claim; claim = false };
#endif
  if :: got -> held = false; withdrawn++ :: else fi
}

inline work_off_stop() {
  touch();
  worked_off = true;
  if
  :: held_for_note -> held_for_note = false; deliver()
  :: else ->
     if
     :: !ended && held -> pull_back(); if :: got -> settle() :: else fi
     :: else
     fi
  fi
}

/* Who is the holder works off what is in the intake before he is out. */
inline leave() {
  do
  :: atomic { intake > 0 -> intake-- }; work_off_stop()
  :: atomic { intake == 0 -> combiner_held = false }; break
  od
}

/* enter_or_leave() with the stop note */
inline bring_note() {
  touch();
  atomic {
    if
    :: combiner_held -> intake++; assert(intake == 1); entered = false
    :: else -> combiner_held = true; entered = true
    fi
  };
  if :: entered -> work_off_stop(); leave() :: else fi
}

active proctype worker() {
  bool got;
#if V == 2
  got = claim; if :: got -> claim = false :: else fi;
#else
  atomic { got = claim; claim = false };
#endif
  if :: got -> touch(); ran++ :: else fi;
  returned = true;
  finished++
}

active proctype drain() {
  bool got, noted, flags_stored_over;
  returned;
  enter();
  if :: held -> held = false; settle() :: else fi;    /* else a husk */
  collected = true;
  leave();
  finished++
}

proctype canceller() {
  bool got, noted, was_ended, entered, flags_stored_over, in;
  atomic { in = (delivered == 0); if :: in -> inside++ :: else fi };
  if
  :: in ->
     touch();
#if V == 8
     noted = stop_noted; was_ended = ended;
     stop_noted = true; ended = was_ended;
#else
     atomic { noted = stop_noted; was_ended = ended; stop_noted = true };
#endif
#if V == 6
     was_ended = false;
#elif V == 7
     noted = false;
#endif
     if :: !noted && !was_ended -> bring_note() :: else fi;
     inside--
  :: else
  fi;
  finished++
}

#ifdef KILL
active proctype killer() {
  bool got, noted, was_ended, entered, flags_stored_over, ask;
  enter();
  if
  :: held ->
     pull_back();
     if
     :: got -> settle()
     :: else ->
        touch();
        atomic { noted = stop_noted; was_ended = ended; stop_noted = true };
        ask = !was_ended && (!noted || worked_off);
#if V != 9
        if :: ask -> worked_off = false :: else fi
#endif
     fi
  :: else
  fi;
  leave();
  if :: ask -> touch(); bring_note() :: else fi;
  finished++
}
#endif

/* The end of the token: unregisters the cancellers, then frees. */
active proctype end_of_token() {
  bool gone;
  delivered > 0;
  inside == 0;
  freed = true;
  finished++
}

init { atomic { run canceller(); run canceller() } }

active proctype monitor() {
  timeout -> assert(freed && delivered == 1 && ran + withdrawn == 1 && intake == 0 && !combiner_held);
#ifdef KILL
  assert(finished == 6)
#else
  assert(finished == 5)
#endif
}
