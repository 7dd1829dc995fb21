// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Cancelling a token while it is started, ended and freed: token_base::flags and the stop note.
// The operations are those of dispatcher::stop(), settle() and stop_running() and of
// gate_core::request_stop(), on atomics of the checker; the combiner is the real one.
//
// Who may cancel: the executor of the handler, before the handler ran; and a stop callback, which
// the end of the token unregisters and waits for.
#include <gtest/gtest.h>

#include "mc/explore.hpp"
#include "mc/sync.hpp"
#include "tokengate/detail/combiner.hpp"

namespace tokengate::mc {
namespace {

constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;
constexpr auto relaxed = std::memory_order_relaxed;

enum class flaw : std::uint8_t {
  none,
  note_not_awaited,         ///< the token is freed without looking at stop_noted
  ended_ignored,            ///< the canceller leaves a note on an ended token
  noted_ignored,            ///< the second canceller leaves the note again
  note_not_recorded,        ///< a token whose note was worked off before still waits for it
  second_note_not_awaited,  ///< a kill after a withdrawal leaves a second note, which is forgotten
  ask_forgotten,   ///< a kill that finds a withdrawal on its way never reaches the function
  next_read_late,  ///< the holder goes to the next note through one that was worked off
};

using note = detail::basic_note<mc_sync>;

struct result_note : note {};
struct stop_note : note {};

struct gate_state {
  static constexpr std::uint8_t stop_requested = 1, stop_noted = 2, ended = 4;
  enum callback : std::uint8_t { idle, calling, gone };

  detail::combiner<mc_sync> door;

  // The token.
  atomic<std::uint8_t> flags{std::uint8_t{0}};
  atomic<int> claim{1};  ///< its slot
  result_note result;    ///< stands for its way back through the return ring
  stop_note stop;
  var<bool> freed{false};
  var<bool> in_slot{true};           ///< combiner
  var<bool> note_worked_off{false};  ///< combiner
  var<bool> held_for_note{false};    ///< combiner
  var<bool> to_stop{false};          ///< combiner
  var<bool> ask_later{false};        ///< combiner
  var<int> data{0};                  ///< its owner: worker, then gate, then the end

  atomic<int> delivered{0};
  atomic<std::uint8_t> callback_state{std::uint8_t{idle}};
  flaw wrong;
  bool owed = false;   ///< for the check: somebody wants the running function to stop
  bool asked = false;  ///< and it was told

  explicit gate_state(flaw wrong) : wrong(wrong) {
    result.set(note::kind::refill, nullptr);
    stop.set(note::kind::stop, nullptr);
  }

  void touch() const { require(!freed, "token is touched after it was freed"); }

  // --- holder ---

  void deliver() {
    touch();
    data = data + 1;
    require(delivered.fetch_add(1, release) == 0, "a token is ended once");
  }
  void settle() {
    touch();
    const auto before = flags.fetch_or(ended, acq_rel);
    const bool worked_off = note_worked_off && wrong != flaw::note_not_recorded;
    if ((before & stop_noted) != 0 && !worked_off && wrong != flaw::note_not_awaited) {
      held_for_note = true;
      return;
    }
    deliver();
  }
  void work_off_stop() {
    touch();
    note_worked_off = true;
    if (held_for_note) {
      held_for_note = false;
      owed = false;  // the function is over
      return deliver();
    }
    if ((flags.load(relaxed) & ended) != 0) return;
    int expected = 1;
    if (in_slot && claim.compare_exchange_strong(expected, 0, acq_rel)) {
      in_slot = false;
      settle();
    } else if (ask_later && wrong != flaw::ask_forgotten) {
      ask_later = false;
      note_worked_off = false;  // it is left once more
      to_stop = true;
    }
  }
  void work(note& one) {
    if (one.what() == note::kind::stop) return work_off_stop();
    if (in_slot) settle();  // else a husk came back
    in_slot = false;
  }
  void bring(note& mine) {
    if (!door.enter_or_leave(mine)) return;
    work(mine);
    leave();
  }
  /// Works off what was left, and then asks the function to stop outside the combiner.
  void leave() {
    bool ask = false;
    do {
      for (note* at = door.take(); at != nullptr;) {
        note& one = *at;
        if (wrong != flaw::next_read_late) at = one.next;
        work(one);
        if (wrong == flaw::next_read_late) at = one.next;
      }
      ask = ask || to_stop;
      to_stop = false;
    } while (!door.try_leave());
    if (!ask) return;
    ask_function();
    bring(stop);
  }

  // --- any thread ---

  /// `running_too`: the function is asked to stop, else the token is only withdrawn.
  void request_stop(bool running_too) {
    touch();
    const std::uint8_t wanted = stop_noted | (running_too ? stop_requested : 0);
    const auto before = flags.fetch_or(wanted, acq_rel);
    if ((before & ended) != 0 && wrong != flaw::ended_ignored) return;
    if (running_too && (before & stop_requested) == 0) {
      owed = true;
      ask_function();
    }
    if ((before & stop_noted) == 0 || wrong == flaw::noted_ignored) bring(stop);
  }
  void ask_function() {
    touch();
    asked = true;
  }

  /// Somebody looks the token up and ends it, or has its function stopped outside the combiner.
  void kill() {
    while (!door.try_enter()) mc_sync::spin_hint();
    if (in_slot) {
      int expected = 1;
      if (claim.compare_exchange_strong(expected, 0, acq_rel)) {
        in_slot = false;
        settle();
      } else {
        stop_running();
      }
    }
    leave();
  }
  void stop_running() {
    touch();
    const auto before = flags.fetch_or(stop_requested | stop_noted, acq_rel);
    if ((before & (ended | stop_requested)) != 0) return;
    owed = true;
    if ((before & stop_noted) != 0 && !note_worked_off) {
      ask_later = true;  // a withdrawal is on its way: when it has been worked off
      return;
    }
    if (wrong != flaw::second_note_not_awaited) note_worked_off = false;
    to_stop = true;
  }

  void worker() {
    if (claim.exchange(0, acq_rel) == 1) data = data + 1;
    returned.store(true, release);
  }
  /// The drain, which finds the slot in the return ring.
  void drain() {
    while (!returned.load(acquire)) mc_sync::spin_hint();
    bring(result);
  }
  atomic<bool> returned{false};

  void stop_callback() {
    std::uint8_t expected = idle;
    if (!callback_state.compare_exchange_strong(expected, calling, acquire, relaxed)) return;
    request_stop(true);
    callback_state.store(idle, release);
  }

  /// The executor of the handler: cancels, unless the token was delivered first; ends and frees it.
  void handler_side(bool cancels) {
    if (cancels && delivered.load(acquire) == 0) request_stop(false);
    while (delivered.load(acquire) == 0) mc_sync::spin_hint();
    std::uint8_t expected = idle;
    while (!callback_state.compare_exchange_strong(expected, gone, acquire, relaxed)) {
      expected = idle;
      mc_sync::spin_hint();
    }
    touch();
    data = -1;
    stop.next = nullptr;
    freed = true;
  }
};

scenario cancelling(bool handler_cancels, bool callback_cancels, flaw wrong = flaw::none) {
  return [=](run& r) {
    auto& s = r.make<gate_state>(wrong);
    r.thread("worker and drain", [&s] {
      s.worker();
      s.drain();
    });
    r.thread("handler", [&s, handler_cancels] { s.handler_side(handler_cancels); });
    if (callback_cancels) r.thread("stop callback", [&s] { s.stop_callback(); });
    r.finally([&s] {
      require(s.delivered.load(relaxed) == 1 && s.freed, "the token is freed once");
      require(s.door.try_enter() && s.door.take() == nullptr, "no note is left");
    });
  };
}

/// The drain runs on a thread of its own, beside the worker.
void four_threads(run& r) {
  auto& s = r.make<gate_state>(flaw::none);
  r.thread("worker", [&s] { s.worker(); });
  r.thread("drain", [&s] { s.drain(); });
  r.thread("handler", [&s] { s.handler_side(true); });
  r.thread("stop callback", [&s] { s.stop_callback(); });
  r.finally(
      [&s] { require(s.delivered.load(relaxed) == 1 && s.freed, "the token is freed once"); });
}

/// A withdrawal, and a kill that may come after its note was worked off.
scenario withdrawn_and_killed(flaw wrong = flaw::none) {
  return [wrong](run& r) {
    auto& s = r.make<gate_state>(wrong);
    r.thread("worker and drain", [&s] {
      s.worker();
      s.drain();
    });
    r.thread("handler", [&s] { s.handler_side(true); });
    r.thread("killer", [&s] { s.kill(); });
    r.finally([&s] {
      require(s.delivered.load(relaxed) == 1 && s.freed, "the token is freed once");
      require(!s.owed || s.asked, "who is to stop is told");
    });
  };
}

TEST(stop_note_model, one_canceller_against_completion) {
  expect_holds(cancelling(true, false));
}
TEST(stop_note_model, stop_callback_against_completion) {
  expect_holds(cancelling(false, true));
}
TEST(stop_note_model, two_cancellers_against_completion) {
  expect_holds(cancelling(true, true));
}
TEST(stop_note_model, withdrawal_and_kill_against_completion) {
  expect_holds(withdrawn_and_killed());
}
TEST(stop_note_model, kill_that_a_withdrawal_swallows_is_found) {
  EXPECT_EQ(explore(withdrawn_and_killed(flaw::ask_forgotten)).failure, "who is to stop is told");
}
TEST(stop_note_model, second_note_that_is_not_awaited_is_found) {
  EXPECT_NE(explore(withdrawn_and_killed(flaw::second_note_not_awaited)).failure, "");
}
TEST(stop_note_model, two_cancellers_beside_worker_and_drain) {
  expect_holds(four_threads);
}

struct stop_note_flaws : testing::TestWithParam<flaw> {};
TEST_P(stop_note_flaws, are_found) {
  const verdict v = explore(cancelling(true, true, GetParam()));
  EXPECT_NE(v.failure, "");
  if (verbose()) std::cout << report(v) << "\n";
}
INSTANTIATE_TEST_SUITE_P(each, stop_note_flaws,
                         testing::Values(flaw::note_not_awaited, flaw::ended_ignored,
                                         flaw::noted_ignored, flaw::note_not_recorded,
                                         flaw::next_read_late));

using act = mutant::action;

struct stop_note_mutants : testing::TestWithParam<mutant> {};
TEST_P(stop_note_mutants, are_killed) {
  expect_killed(cancelling(true, true), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    each, stop_note_mutants,
    testing::Values(mutant{"ended_split", in("settle", kind::fetch), act::split},
                    mutant{"stop_requested_split", in("request_stop", kind::fetch), act::split},
                    mutant{"pull_back_split", in("work_off_stop", kind::compare_exchange),
                           act::split},
                    mutant{"worker_split", in("worker", kind::exchange), act::split},
                    mutant{"delivery_relaxed", in("deliver", kind::fetch), act::reorder, relaxed},
                    mutant{"leave_by_plain_store", in("try_leave", kind::compare_exchange),
                           act::store_blind, release}),
    [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace tokengate::mc
