// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// slot::claim: a token in a slot belongs to whoever exchanges it out, the worker that starts it or
// the gate that pulls it back, and a slot that was emptied returns as a husk. The operations are
// those of lane_link and worker, on atomics of the checker.
#include <gtest/gtest.h>

#include "mc/explore.hpp"
#include "mc/sync.hpp"
#include "model/test_ring.hpp"
#include "tokengate/detail/combiner.hpp"

namespace tokengate::mc {
namespace {

constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;
constexpr auto relaxed = std::memory_order_relaxed;

enum class flaw : std::uint8_t {
  none,
  claim_set_after_push,  ///< the worker may find the slot empty and take it for a husk
  held_kept_after_pull,  ///< the gate takes the husk for a result
  worker_reads_held,     ///< the worker goes by the gate's own field
};

struct token {
  var<int> data{0};  ///< whoever owns the token
  atomic<int> ran{0};
  atomic<int> withdrawn{0};
};

struct slot {
  atomic<int> claim{-1};
  var<int> held{-1};
};

struct gate_state {
  detail::combiner<mc_sync> door;
  std::array<token, 2> tokens;
  std::array<slot, 2> slots;
  test_ring mailbox;
  test_ring returns;
  var<unsigned> sent{0U};
  var<int> settled{0};
  flaw wrong;

  explicit gate_state(flaw wrong) : wrong(wrong) {}

  /// Runs `work` as the holder of the combiner.
  template <class Work>
  void hold(Work work) {
    while (!door.try_enter()) mc_sync::spin_hint();
    work();
    require(door.try_leave(), "nobody leaves notes here");
  }

  void stage(int number) {
    const unsigned index = sent;
    slot& place = slots.at(index);
    sent = index + 1;
    place.held = number;
    if (wrong == flaw::claim_set_after_push) mailbox.push(static_cast<int>(index));
    place.claim.store(number, relaxed);
    if (wrong != flaw::claim_set_after_push) mailbox.push(static_cast<int>(index));
  }

  [[nodiscard]] bool pull_back(slot& place) {
    int expected = place.held;
    if (expected == -1 || !place.claim.compare_exchange_strong(expected, -1, acq_rel)) return false;
    if (wrong != flaw::held_kept_after_pull) place.held = -1;
    return true;
  }

  [[nodiscard]] int start(slot& place) {
    if (wrong == flaw::worker_reads_held) return place.held;
    return place.claim.exchange(-1, acq_rel);
  }

  void withdraw(slot& place) {
    const int number = place.held;
    if (!pull_back(place)) return;
    tokens.at(static_cast<unsigned>(number)).data = -1;
    tokens.at(static_cast<unsigned>(number)).withdrawn.fetch_add(1, relaxed);
    settled = settled + 1;
  }

  /// Until `slots_out` slots have come; then the worker has nothing more to do.
  void work(unsigned slots_out) {
    for (unsigned seen = 0; seen != slots_out;) {
      const unsigned now = mailbox.consume(1, [this](int index) {
        if (const int number = start(slots.at(static_cast<unsigned>(index))); number != -1) {
          token& mine = tokens.at(static_cast<unsigned>(number));
          mine.data = mine.data + 1;
          mine.ran.fetch_add(1, relaxed);
        }
        returns.push(index);
      });
      seen += now;
      if (now == 0) mc_sync::spin_hint();
    }
  }

  /// The drain: until `slots_out` slots are back.
  void drain(unsigned slots_out) {
    for (unsigned seen = 0; seen != slots_out;) {
      unsigned now = 0;
      hold([&] {
        now = returns.consume(1, [this](int index) {
          slot& place = slots.at(static_cast<unsigned>(index));
          if (const int number = place.held; number != -1) {
            require(tokens.at(static_cast<unsigned>(number)).data == 11, "a result is there");
            settled = settled + 1;
          }
          place.held = -1;
        });
      });
      seen += now;
      if (now == 0) mc_sync::spin_hint();
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
    auto& s = r.make<gate_state>(wrong);
    s.tokens[0].data = 10;
    r.thread("worker", [&s] { s.work(1); });
    r.thread("gate", [&s] {
      s.hold([&s] { s.stage(0); });
      s.hold([&s] { s.withdraw(s.slots[0]); });
      s.drain(1);
    });
    r.thread("expiry", [&s] { s.hold([&s] { s.withdraw(s.slots[0]); }); });
    r.finally([&s] { s.expect(1); });
  };
}

/// A token that was pulled back goes on in another slot, and still runs once.
scenario moved(flaw wrong = flaw::none) {
  return [wrong](run& r) {
    auto& s = r.make<gate_state>(wrong);
    s.tokens[0].data = 10;
    s.tokens[1].data = 10;
    r.thread("worker", [&s] { s.work(2); });
    r.thread("gate", [&s] {
      s.hold([&s] { s.stage(0); });
      s.hold([&s] { s.stage(s.pull_back(s.slots[0]) ? 0 : 1); });
      s.drain(2);
    });
    r.finally([&s] {
      // One token in both slots, or two tokens.
      s.expect(s.tokens[1].ran.load(relaxed) == 1 ? 2 : 1);
    });
  };
}

TEST(slot_claim_model, worker_and_two_pull_backs_leave_one_owner) {
  expect_holds(two_pull_backs());
}
TEST(slot_claim_model, token_moved_to_another_slot_runs_once) {
  expect_holds(moved());
}

TEST(slot_claim_model, flaws_are_found) {
  for (const flaw wrong :
       {flaw::claim_set_after_push, flaw::held_kept_after_pull, flaw::worker_reads_held})
    EXPECT_NE(explore(two_pull_backs(wrong)).failure + explore(moved(wrong)).failure, "")
        << static_cast<int>(wrong);
}

using act = mutant::action;

struct slot_claim_mutants : testing::TestWithParam<mutant> {};

TEST_P(slot_claim_mutants, are_killed) {
  expect_killed(
      [](run& r) {
        if (engine::current()->choose.choose(2, choices::about::schedule) == 0)
          two_pull_backs()(r);
        else
          moved()(r);
      },
      GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    each, slot_claim_mutants,
    testing::Values(mutant{"worker_split", in("start", kind::exchange), act::split},
                    mutant{"pull_back_split", in("pull_back", kind::compare_exchange), act::split},
                    mutant{"pull_back_by_plain_store", in("pull_back", kind::compare_exchange),
                           act::store_blind, release},
                    mutant{"mailbox_push_relaxed", in("push", kind::store), act::reorder, relaxed},
                    mutant{"mailbox_pop_relaxed", in("consume", kind::load), act::reorder,
                           relaxed}),
    [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace tokengate::mc
