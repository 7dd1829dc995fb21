// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// A token in a slot belongs to whoever exchanges it out, the worker that starts it or the gate that
// pulls it back, and a slot that was emptied returns as a husk. Slots and counts are those of the
// library, on atomics of the checker.
#include <gtest/gtest.h>

#include "mc/explore.hpp"
#include "mc/sync.hpp"
#include "tokengate/detail/combiner.hpp"
#include "tokengate/detail/mailbox.hpp"

namespace tokengate::mc {
namespace {

constexpr auto release = std::memory_order_release;
constexpr auto relaxed = std::memory_order_relaxed;

enum class flaw : std::uint8_t {
  none,
  put_after_send,        ///< the worker may find the slot empty and take it for a husk
  held_kept_after_pull,  ///< the gate takes the husk for a result
  worker_reads_held,     ///< the worker goes by the gate's own field
  returned_too_early,    ///< the gate uses the slot again while the worker is at it
};

struct token {
  var<int> data{0};  ///< whoever owns the token
  atomic<int> ran{0};
  atomic<int> withdrawn{0};
};

struct slot {
  detail::basic_slot<token, mc_sync> place;
  var<token*> held{nullptr};
};

struct gate_state {
  detail::combiner<mc_sync> door;
  std::array<token, 2> tokens;
  std::array<slot, 2> slots;
  detail::basic_slot_count<mc_sync> sent;
  detail::basic_slot_count<mc_sync> returned;
  var<unsigned> staged{0U};
  var<unsigned> collected{0U};
  var<int> settled{0};
  unsigned ring;  ///< slots in use
  flaw wrong;

  gate_state(unsigned ring, flaw wrong) : ring(ring), wrong(wrong) {}

  [[nodiscard]] slot& at(unsigned count) { return slots.at(count % ring); }
  [[nodiscard]] slot& first() { return slots[0]; }

  /// Runs `work` as the holder of the combiner.
  template <class Work>
  void hold(Work work) {
    while (!door.try_enter()) mc_sync::spin_hint();
    work();
    require(door.try_leave(), "nobody leaves notes here");
  }

  void stage(token& one) {
    slot& next = at(staged);
    staged = staged + 1;
    next.held = &one;
    if (wrong == flaw::put_after_send) sent.hand_over(staged);
    next.place.put(one,
                   &one == &tokens[0] ? detail::run_length::lengthy : detail::run_length::brief);
    if (wrong != flaw::put_after_send) sent.hand_over(staged);
  }

  [[nodiscard]] bool pull_back(slot& from) {
    if (from.held == nullptr || !from.place.pull_back()) return false;
    if (wrong != flaw::held_kept_after_pull) from.held = nullptr;
    return true;
  }

  [[nodiscard]] token* start(slot& from) {
    if (wrong == flaw::worker_reads_held) return from.held;
    return from.place.take();
  }

  void withdraw(slot& from) {
    token* const mine = from.held;
    if (!pull_back(from)) return;
    mine->data = -1;
    mine->withdrawn.fetch_add(1, relaxed);
    settled = settled + 1;
  }

  /// Until `slots_out` slots have come; then the worker has nothing more to do.
  void work(unsigned slots_out) {
    for (unsigned started = 0; started != slots_out;) {
      const auto seen = static_cast<unsigned>(sent.handed_over());
      if (started == seen) mc_sync::spin_hint();
      for (; started != seen; ++started) {
        if (wrong == flaw::returned_too_early) returned.hand_over(started + 1);
        if (token* const mine = start(at(started)); mine != nullptr) {
          mine->data = mine->data + 1;
          mine->ran.fetch_add(1, relaxed);
        }
        if (wrong != flaw::returned_too_early) returned.hand_over(started + 1);
      }
    }
  }

  /// The drain: until `slots_out` more slots are back.
  void drain(unsigned slots_out) {
    while (slots_out != 0) {
      hold([&] {
        if (returned.handed_over() == collected) return mc_sync::spin_hint();
        slot& next = at(collected);
        collected = collected + 1;
        --slots_out;
        if (token* const back = next.held; back != nullptr) {
          require(back->data == 11, "a result is there");
          settled = settled + 1;
        }
        next.held = nullptr;
      });
    }
  }

  void expect(int tokens_out) {
    for (token& one : tokens)
      require(one.ran.load(relaxed) + one.withdrawn.load(relaxed) <= 1, "a token has one owner");
    require(settled == tokens_out, "each token is settled once");
  }
};

/// A worker starts the token; withdrawal and expiry both want it back.
scenario two_pull_backs(flaw wrong = flaw::none) {
  return [wrong](run& r) {
    auto& s = r.make<gate_state>(2U, wrong);
    s.tokens[0].data = 10;
    r.thread("worker", [&s] { s.work(1); });
    r.thread("gate", [&s] {
      s.hold([&s] { s.stage(s.tokens[0]); });
      s.hold([&s] { s.withdraw(s.first()); });
      s.drain(1);
    });
    r.thread("expiry", [&s] { s.hold([&s] { s.withdraw(s.first()); }); });
    r.finally([&s] { s.expect(1); });
  };
}

/// A token that was pulled back goes on in another slot, and still runs once.
scenario moved(flaw wrong = flaw::none) {
  return [wrong](run& r) {
    auto& s = r.make<gate_state>(2U, wrong);
    s.tokens[0].data = 10;
    s.tokens[1].data = 10;
    r.thread("worker", [&s] { s.work(2); });
    r.thread("gate", [&s] {
      s.hold([&s] { s.stage(s.tokens[0]); });
      s.hold([&s] { s.stage(s.tokens[s.pull_back(s.first()) ? 0 : 1]); });
      s.drain(2);
    });
    r.finally([&s] {
      // One token in both slots, or two tokens.
      s.expect(s.tokens[1].ran.load(relaxed) == 1 ? 2 : 1);
    });
  };
}

/// One slot for two tokens, one after the other.
scenario reused(flaw wrong = flaw::none) {
  return [wrong](run& r) {
    auto& s = r.make<gate_state>(1U, wrong);
    s.tokens[0].data = 10;
    s.tokens[1].data = 10;
    r.thread("worker", [&s] { s.work(2); });
    r.thread("gate", [&s] {
      for (token& one : s.tokens) {
        s.hold([&] { s.stage(one); });
        s.drain(1);
      }
    });
    r.finally([&s] { s.expect(2); });
  };
}

TEST(slot_claim_model, worker_and_two_pull_backs_leave_one_owner) {
  expect_holds(two_pull_backs());
}
TEST(slot_claim_model, token_moved_to_another_slot_runs_once) {
  expect_holds(moved());
}
TEST(slot_claim_model, slot_is_used_again) {
  expect_holds(reused());
}

TEST(slot_claim_model, flaws_are_found) {
  for (const flaw wrong : {flaw::put_after_send, flaw::held_kept_after_pull,
                           flaw::worker_reads_held, flaw::returned_too_early})
    EXPECT_NE(explore(two_pull_backs(wrong)).failure + explore(moved(wrong)).failure +
                  explore(reused(wrong)).failure,
              "")
        << static_cast<int>(wrong);
}

using act = mutant::action;

struct slot_claim_mutants : testing::TestWithParam<mutant> {};

TEST_P(slot_claim_mutants, are_killed) {
  expect_killed(
      [](run& r) {
        static scenario const all[]{two_pull_backs(), moved(), reused()};
        all[engine::current()->choose.choose(3, choices::about::schedule)](r);
      },
      GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    each, slot_claim_mutants,
    testing::Values(
        mutant{"take_split", in("take", kind::exchange), act::split},
        mutant{"pull_back_split", in("pull_back", kind::compare_exchange), act::split},
        mutant{"pull_back_by_plain_store", in("pull_back", kind::compare_exchange),
               act::store_blind, release},
        mutant{"hand_over_relaxed", in("hand_over", kind::store), act::reorder, relaxed},
        mutant{"handed_over_relaxed", in("handed_over", kind::load), act::reorder, relaxed}),
    [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace tokengate::mc
