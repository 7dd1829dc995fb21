// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// The combiner: every note is worked off exactly once, by one holder at a time, and none is left.
#include "tokengate/detail/combiner.hpp"

#include <gtest/gtest.h>

#include "mc/explore.hpp"
#include "mc/sync.hpp"

namespace tokengate::mc {
namespace {

constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto relaxed = std::memory_order_relaxed;

using note = detail::basic_note<mc_sync>;

/// A note and what hangs on it: the issuing thread writes it, the holder reads it.
struct errand : note {
  var<int> payload{0};
  var<int> worked{0};
  atomic<bool> done{false};
};

struct gate_state {
  detail::combiner<mc_sync> door;
  std::array<errand, 4> errands;
  var<int> total{0};  ///< protected by the combiner

  void work(note& one) {
    auto& mine = static_cast<errand&>(one);
    total = total + mine.payload;
    mine.worked = mine.worked + 1;
    mine.done.store(true, release);  // from here on its owner may use it again
  }

  /// What a holder does until it is out again.
  void hold() {
    do {
      for (note* next = door.take(); next != nullptr;) {
        note& one = *next;
        next = one.next;
        work(one);
      }
    } while (!door.try_leave());
  }

  void bring(unsigned number) {
    errand& mine = errands[number];
    mine.payload = 1;
    if (!door.enter_or_leave(mine)) return;
    work(mine);
    hold();
  }

  void expect(int times) {
    for (const errand& one : errands)
      require(one.worked == 0 || one.worked == 1, "no note is worked off twice");
    require(total == times, "every note was worked off");
    require(door.try_enter(), "the combiner is free in the end");
    require(door.take() == nullptr, "no note is left");
    require(door.try_leave(), "and it can be left");
  }
};

scenario bring(std::vector<std::vector<unsigned>> per_thread) {
  return [=](run& r) {
    auto& s = r.make<gate_state>();
    int all = 0;
    for (const auto& numbers : per_thread) {
      all += static_cast<int>(numbers.size());
      r.thread("issuer " + std::to_string(numbers.front()), [&s, numbers] {
        for (unsigned number : numbers) s.bring(number);
      });
    }
    r.finally([&s, all] { s.expect(all); });
  };
}

/// The drain enters only if nobody is in; then it works off what came in meanwhile.
void drain_tries(run& r) {
  auto& s = r.make<gate_state>();
  r.thread("drain", [&s] {
    if (!s.door.try_enter()) return;
    s.total = s.total + 1;
    s.total = s.total - 1;
    s.hold();
  });
  r.thread("issuer 0", [&s] { s.bring(0); });
  r.thread("issuer 1", [&s] { s.bring(1); });
  r.finally([&s] { s.expect(2); });
}

/// A note that is used again as soon as it has been worked off, at the same address: no ABA.
void note_used_again(run& r) {
  auto& s = r.make<gate_state>();
  r.thread("issuer 0", [&s] {
    for (int round = 0; round < 2; ++round) {
      s.bring(0);
      while (!s.errands[0].done.load(acquire)) mc_sync::spin_hint();
      s.errands[0].done.store(false, relaxed);
      s.errands[0].worked = 0;
      s.errands[0].next = nullptr;
    }
    s.errands[0].worked = 1;
  });
  r.thread("issuer 1", [&s] { s.bring(1); });
  r.finally([&s] { s.expect(3); });
}

/// What was left in one go is taken oldest first.
void notes_keep_their_order(run& r) {
  auto& s = r.make<gate_state>();
  r.thread("holder", [&s] {
    require(s.door.try_enter(), "free at first");
    s.bring(0);
    s.bring(1);
    s.bring(2);
    note* const first = s.door.take();
    require(first == &s.errands[0], "oldest");
    require(first->next == &s.errands[1], "middle");
    require(first->next->next == &s.errands[2], "newest");
    require(first->next->next->next == nullptr, "end");
    require(s.door.try_leave(), "all taken");
  });
}

TEST(combiner_model, two_issuers_with_one_note_each) {
  expect_holds(bring({{0}, {1}}), {.limit = {.preemptions = 4}});
}
TEST(combiner_model, two_issuers_with_two_notes_each) {
  expect_holds(bring({{0, 1}, {2, 3}}), {.limit = {.preemptions = 3}});
}
TEST(combiner_model, three_issuers) {
  expect_holds(bring({{0}, {1}, {2}}));
}
TEST(combiner_model, three_issuers_one_of_them_with_two_notes) {
  expect_holds(bring({{0, 3}, {1}, {2}}));
}
TEST(combiner_model, drain_that_only_tries) {
  expect_holds(drain_tries);
}
TEST(combiner_model, note_used_again_at_once) {
  expect_holds(note_used_again, {.limit = {.preemptions = 3}});
}
TEST(combiner_model, notes_are_taken_oldest_first) {
  expect_holds(notes_keep_their_order);
}

TEST(combiner_model, holder_that_forgets_to_look_again_is_found) {
  const verdict v = explore([](run& r) {
    auto& s = r.make<gate_state>();
    for (unsigned i : {0U, 1U})
      r.thread("issuer " + std::to_string(i), [&s, i] {
        errand& mine = s.errands[i];
        mine.payload = 1;
        if (!s.door.enter_or_leave(mine)) return;
        s.work(mine);
        (void)s.door.try_leave();
      });
    r.finally([&s] { s.expect(2); });
  });
  EXPECT_NE(v.failure, "");
}
TEST(combiner_model, note_touched_after_it_was_left_is_found) {
  const verdict v = explore([](run& r) {
    auto& s = r.make<gate_state>();
    for (unsigned i : {0U, 1U})
      r.thread("issuer " + std::to_string(i), [&s, i] {
        s.bring(i);
        s.errands[i].payload = 0;
      });
  });
  EXPECT_EQ(v.failure.substr(0, 9), "data race");
}

// --- mutants of combiner.hpp ---

using act = mutant::action;

struct combiner_mutants : testing::TestWithParam<mutant> {};

TEST_P(combiner_mutants, are_killed) {
  expect_killed(
      [](run& r) {
        switch (engine::current()->choose.choose(3, choices::about::schedule)) {
          case 0:
            return bring({{0, 1}, {2}})(r);
          case 1:
            return drain_tries(r);
          default:
            return note_used_again(r);
        }
      },
      GetParam());
}

const auto entering = in("enter_or_leave", kind::compare_exchange, acquire);
const auto pushing = in("enter_or_leave", kind::compare_exchange, release);
const auto trying = in("try_enter", kind::compare_exchange);
const auto taking = in("take", kind::exchange);
const auto leaving = in("try_leave", kind::compare_exchange);

INSTANTIATE_TEST_SUITE_P(
    each, combiner_mutants,
    testing::Values(mutant{"enter_relaxed", entering, act::reorder, relaxed},
                    mutant{"enter_split", entering, act::split},
                    mutant{"enter_by_plain_store", entering, act::store_blind, release},
                    mutant{"try_enter_relaxed", trying, act::reorder, relaxed},
                    mutant{"try_enter_split", trying, act::split},
                    mutant{"push_without_release", pushing, act::reorder, relaxed},
                    mutant{"push_split", pushing, act::split},
                    mutant{"push_by_plain_store", pushing, act::store_blind, release},
                    mutant{"take_without_acquire", taking, act::reorder, relaxed},
                    mutant{"take_split", taking, act::split},
                    mutant{"leave_relaxed", leaving, act::reorder, relaxed},
                    mutant{"leave_split", leaving, act::split},
                    mutant{"leave_by_plain_store", leaving, act::store_blind, release}),
    [](const auto& i) { return i.param.name; });

}  // namespace
}  // namespace tokengate::mc
