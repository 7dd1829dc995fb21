// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/stage_core.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace tokengate::detail {
namespace {

constexpr auto none = stage_core::none;

TEST(stage_core, ordered_stage_sends_in_the_order_of_taking) {
  stage_core core(3, 3, true);
  auto const a = core.take(), b = core.take(), c = core.take();
  core.done(c);
  core.done(b);
  EXPECT_EQ(core.next(), none) << "the oldest is not ready";
  core.done(a);
  for (auto expected : {a, b, c}) {
    EXPECT_EQ(core.next(), expected);
    EXPECT_EQ(core.next(), none) << "one at a time";
    core.sent(expected);
  }
  EXPECT_EQ(core.next(), none);
}

TEST(stage_core, unordered_stage_sends_as_results_come) {
  stage_core core(3, 3, false);
  auto const a = core.take(), b = core.take(), c = core.take();
  core.done(b);
  EXPECT_EQ(core.next(), b);
  core.done(a);
  core.done(c);
  core.sent(b);
  EXPECT_EQ(core.next(), a);
  core.sent(a);
  EXPECT_EQ(core.next(), c);
}

TEST(stage_core, full_window_takes_nothing_until_a_result_left) {
  stage_core core(2, 3, true);
  auto const a = core.take();
  auto const b = core.take();
  EXPECT_FALSE(core.may_take()) << "two in work";
  core.done(b);
  auto const c = core.take();
  core.done(c);
  EXPECT_FALSE(core.may_take()) << "three held behind the slow first one";
  core.done(a);
  EXPECT_EQ(core.next(), a);
  EXPECT_FALSE(core.may_take()) << "it has not left yet";
  core.sent(a);
  EXPECT_TRUE(core.may_take());
}

TEST(stage_core, ended_input_finishes_when_the_last_result_left) {
  stage_core core(2, 2, true);
  auto const a = core.take();
  core.end_input();
  EXPECT_FALSE(core.may_take());
  EXPECT_FALSE(core.finished());
  core.done(a);
  EXPECT_EQ(core.next(), a);
  EXPECT_FALSE(core.finished());
  core.sent(a);
  EXPECT_TRUE(core.finished());
}

TEST(stage_core, window_is_never_smaller_than_the_parallelism) {
  stage_core core(4, 1, true);
  EXPECT_EQ(core.window(), 4u);
  stage_core one(0, 0, false);
  EXPECT_TRUE(one.may_take());
}

// Any order of events: bounds are kept, each item leaves once, in order if asked for.
TEST(stage_core, random_runs_conserve_items_and_order) {
  std::mt19937 random(99);
  for (int round = 0; round != 3000; ++round) {
    std::size_t const parallel = 1 + random() % 5, window = random() % 9;
    bool const ordered = random() % 2 == 0;
    stage_core core(parallel, window, ordered);
    int const count = 40;
    int taken = 0;
    std::vector<int> item(core.window(), -1), left, ready_in_order;
    std::vector<std::size_t> working;
    std::size_t sending = none;
    while (!core.finished()) {
      auto const what = random() % 3;
      if (what == 0) {
        if (taken == count)
          core.end_input();
        else if (core.may_take()) {
          auto const slot = core.take();
          ASSERT_EQ(item[slot], -1);
          item[slot] = taken++;
          working.push_back(slot);
        }
      } else if (what == 1 && !working.empty()) {
        auto const at = working.begin() + static_cast<std::ptrdiff_t>(random() % working.size());
        ready_in_order.push_back(item[*at]);
        core.done(*at);
        working.erase(at);
      } else if (sending != none) {
        core.sent(sending);
        left.push_back(std::exchange(item[std::exchange(sending, none)], -1));
      } else {
        sending = core.next();
      }
      ASSERT_LE(core.in_work(), parallel);
      ASSERT_EQ(core.in_work(), working.size());
      ASSERT_LE(core.held(), core.window());
    }
    ASSERT_EQ(left.size(), static_cast<std::size_t>(count));
    if (ordered)
      ASSERT_TRUE(std::is_sorted(left.begin(), left.end()));
    else
      ASSERT_EQ(left, ready_in_order);
  }
}

}  // namespace
}  // namespace tokengate::detail
