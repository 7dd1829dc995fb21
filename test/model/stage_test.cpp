// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// The stages of a gate: what is staged is admitted exactly once, in order, by whoever is in, and a
// stage that changes hands takes nothing with it.
#include "issue_stage.hpp"

#include <gtest/gtest.h>

#include "mc/explore.hpp"
#include "mc/sync.hpp"
#include "tokengate/detail/combiner.hpp"

namespace tokengate::mc {
namespace {

constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto relaxed = std::memory_order_relaxed;

/// A ring with the orders of boost::lockfree::spsc_queue.
class ring {
 public:
  bool push(int item) {
    unsigned const at = written_.load(relaxed);
    if (at - read_.load(acquire) == items_.size()) return false;
    items_[at % items_.size()] = item;
    written_.store(at + 1, release);
    return true;
  }
  template <class Visitor>
  void consume(Visitor visit) {
    unsigned at = read_.load(relaxed);
    unsigned const end = written_.load(acquire);
    for (; at != end; ++at) visit(static_cast<int>(items_[at % items_.size()]));
    read_.store(at, release);
  }

 private:
  std::array<var<int>, 2> items_;
  atomic<unsigned> written_{0};
  atomic<unsigned> read_{0};
};

enum class flaw { none, given_back_full, consumed_outside };

struct gate_state {
  detail::combiner<mc_sync> door;
  detail::basic_issue_stages<mc_sync, ring, 1> stages;
  std::array<var<int>, 4> admitted;  ///< how often, by number; protected by the combiner
  var<int> last{-1};                 ///< of those that a thread staged in order
  atomic<int> told{-1};              ///< the number of a token that another thread was told of

  void admit(int number) {
    admitted[static_cast<std::size_t>(number)] = admitted[static_cast<std::size_t>(number)] + 1;
    require(number > last, "tokens of one thread keep their order");
    last = number;
  }
  void enter() {
    while (!door.try_enter()) mc_sync::spin_hint();
  }
  void pass() {
    enter();
    stages.consume([&](int number) { admit(number); });
    require(door.try_leave(), "no notes here");
  }

  /// A turn whose handlers issue two tokens.
  void turn(int first, flaw wrong = flaw::none) {
    ring* const stage = stages.take();
    for (int number : {first, first + 1}) {
      if (stage != nullptr && stage->push(number)) continue;
      enter();
      stages.consume([&](int staged) { admit(staged); });
      admit(number);
      require(door.try_leave(), "no notes here");
    }
    if (stage == nullptr) return;
    if (wrong == flaw::consumed_outside)
      stages.consume([&](int number) { admit(number); });
    else if (wrong != flaw::given_back_full)
      pass();
    stages.give_back(stage);
  }

  void expect(int tokens) {
    for (int i = 0; i != tokens; ++i)
      require(admitted[static_cast<std::size_t>(i)] == 1, "every token is admitted exactly once");
  }
};

/// A turn, and a thread that enters meanwhile.
scenario turn_and_passer(flaw wrong = flaw::none) {
  return [wrong](run& r) {
    auto& s = r.make<gate_state>();
    r.thread("turn", [&s, wrong] { s.turn(0, wrong); });
    r.thread("passer", [&s] {
      s.pass();
      s.pass();
    });
    r.finally([&s] { s.expect(2); });
  };
}

/// The next turn, on another thread, may get the same stage.
void stage_changes_hands(run& r) {
  auto& s = r.make<gate_state>();
  r.thread("turn", [&s] {
    s.turn(0);
    s.told.store(1, release);
  });
  r.thread("next turn", [&s] {
    while (s.told.load(acquire) != 1) mc_sync::spin_hint();
    s.turn(2);
  });
  r.finally([&s] { s.expect(4); });
}

/// Without being told: the bit of the stage alone hands it over.
void stage_is_found_free(run& r) {
  auto& s = r.make<gate_state>();
  for (int producer : {0, 1})
    r.thread("turn " + std::to_string(producer), [&s] {
      ring* const stage = s.stages.take();
      if (stage == nullptr) return;
      require(stage->push(0), "it comes empty");
      s.enter();
      s.stages.consume([](int) {});
      require(s.door.try_leave(), "no notes here");
      s.stages.give_back(stage);
    });
}

/// Whoever heard of a token from its issuer admits it before what he came for.
void told_of_a_token(run& r) {
  auto& s = r.make<gate_state>();
  r.thread("turn", [&s] {
    ring* const stage = s.stages.take();
    require(stage->push(0), "there is room");
    s.told.store(0, release);
    s.pass();
    s.stages.give_back(stage);
  });
  r.thread("other", [&s] {
    if (s.told.load(acquire) != 0) return;
    s.enter();
    s.stages.consume([&](int number) { s.admit(number); });
    require(s.admitted[0] == 1, "what happened before is admitted before");
    require(s.door.try_leave(), "no notes here");
  });
  r.finally([&s] { s.expect(1); });
}

TEST(stage_model, turn_beside_a_thread_that_enters) {
  expect_holds(turn_and_passer());
}
TEST(stage_model, stage_that_changes_hands) {
  expect_holds(stage_changes_hands);
}
TEST(stage_model, stage_that_is_found_free) {
  expect_holds(stage_is_found_free);
}
TEST(stage_model, token_that_another_thread_was_told_of) {
  expect_holds(told_of_a_token);
}
TEST(stage_model, stage_given_back_with_tokens_is_found) {
  EXPECT_NE(explore(turn_and_passer(flaw::given_back_full)).failure, "");
}
TEST(stage_model, stage_consumed_outside_the_combiner_is_found) {
  EXPECT_NE(explore(turn_and_passer(flaw::consumed_outside)).failure, "");
}

// --- mutants of issue_stage.hpp ---

using act = mutant::action;

struct stage_mutants : testing::TestWithParam<mutant> {};

TEST_P(stage_mutants, are_killed) {
  expect_killed(stage_is_found_free, GetParam());
}

INSTANTIATE_TEST_SUITE_P(each, stage_mutants,
                         testing::Values(mutant{"take_relaxed", in("take", kind::fetch),
                                                act::reorder, relaxed},
                                         mutant{"take_split", in("take", kind::fetch), act::split},
                                         mutant{"give_back_relaxed", in("give_back", kind::fetch),
                                                act::reorder, relaxed}),
                         [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace tokengate::mc
