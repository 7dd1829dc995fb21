// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/scope_core.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

namespace tokengate::detail {
namespace {

struct child : scope_child {};
using verdict = scope_core::verdict;
using phase = scope_child::phase;

TEST(scope_core, without_limit_starts_every_child) {
  scope_core core(0, true);
  std::array<child, 5> children;
  for (child& each : children) EXPECT_EQ(core.add(each), verdict::start);
  EXPECT_EQ(core.live(), 5u);
  for (std::size_t i = 0; i != children.size(); ++i) {
    auto const step = core.ended(children[i], false);
    EXPECT_EQ(step.start, nullptr);
    EXPECT_FALSE(step.cancel);
    EXPECT_EQ(step.idle, i == 4);
  }
}

TEST(scope_core, over_the_limit_starts_in_order_as_others_end) {
  scope_core core(2, true);
  std::array<child, 5> children;
  EXPECT_EQ(core.add(children[0]), verdict::start);
  EXPECT_EQ(core.add(children[1]), verdict::start);
  for (std::size_t i = 2; i != 5; ++i) EXPECT_EQ(core.add(children[i]), verdict::wait);
  EXPECT_EQ(core.ended(children[1], false).start, &children[2]);
  EXPECT_EQ(core.ended(children[0], false).start, &children[3]);
  EXPECT_EQ(core.running(), 2u);
  EXPECT_EQ(core.ended(children[3], false).start, &children[4]);
  EXPECT_EQ(core.ended(children[2], false).start, nullptr);
  EXPECT_TRUE(core.ended(children[4], false).idle);
}

TEST(scope_core, first_failure_asks_for_cancellation_once) {
  scope_core core(0, true);
  std::array<child, 3> children;
  for (child& each : children) core.add(each);
  EXPECT_TRUE(core.ended(children[1], true).cancel);
  child_list withdrawn;
  EXPECT_TRUE(core.cancel(withdrawn));
  EXPECT_FALSE(core.cancel(withdrawn));
  EXPECT_EQ(core.next_to_signal(), &children[0]);
  EXPECT_EQ(core.next_to_signal(), &children[2]);
  EXPECT_EQ(core.next_to_signal(), nullptr);
  EXPECT_FALSE(core.ended(children[0], true).cancel);
  EXPECT_TRUE(core.ended(children[2], true).idle);
  EXPECT_EQ(core.failed(), 3u);
}

TEST(scope_core, failure_of_the_last_child_cancels_nothing) {
  scope_core core(0, true);
  child only;
  core.add(only);
  auto const step = core.ended(only, true);
  EXPECT_FALSE(step.cancel);
  EXPECT_TRUE(step.idle);
  child next;
  EXPECT_EQ(core.add(next), verdict::start) << "the scope goes on";
  core.ended(next, false);
}

TEST(scope_core, collecting_scope_goes_on_after_failures) {
  scope_core core(1, false);
  std::array<child, 3> children;
  for (child& each : children) core.add(each);
  auto const first = core.ended(children[0], true);
  EXPECT_FALSE(first.cancel);
  EXPECT_EQ(first.start, &children[1]);
  EXPECT_EQ(core.ended(children[1], true).start, &children[2]);
  EXPECT_TRUE(core.ended(children[2], false).idle);
}

TEST(scope_core, cancelled_one_withdraws_what_waits_and_refuses_what_comes) {
  scope_core core(1, true);
  std::array<child, 4> children;
  for (std::size_t i = 0; i != 3; ++i) core.add(children[i]);
  child_list withdrawn;
  EXPECT_TRUE(core.cancel(withdrawn));
  EXPECT_EQ(core.add(children[3]), verdict::refuse);
  EXPECT_EQ(children[3].at(), phase::fresh);
  EXPECT_EQ(withdrawn.size(), 2u);
  EXPECT_EQ(core.live(), 3u) << "withdrawn ones are reported first";
  EXPECT_EQ(withdrawn.pop_front(), &children[1]);
  core.ended(children[1], true);
  EXPECT_EQ(withdrawn.pop_front(), &children[2]);
  EXPECT_FALSE(core.ended(children[2], true).idle);
  EXPECT_EQ(core.next_to_signal(), &children[0]);
  EXPECT_TRUE(core.ended(children[0], false).idle);
}

// Random life of many scopes: the limit is kept, starts are in order, each child ends once.
TEST(scope_core, random_lives_keep_limit_order_and_count) {
  std::mt19937 random(4711);
  for (int round = 0; round != 2000; ++round) {
    std::size_t const limit = random() % 4;
    scope_core core(limit, random() % 2 == 0);
    std::array<child, 12> children;
    std::vector<child*> running, started;
    std::size_t added = 0, ended = 0, refused = 0;
    bool cancelled = false;
    auto end = [&](child* one, bool failed) {
      std::erase(running, one);
      auto const step = core.ended(*one, failed);
      ++ended;
      if (step.start != nullptr) {
        running.push_back(static_cast<child*>(step.start));
        started.push_back(running.back());
      }
      EXPECT_EQ(step.idle, ended + refused == added);
      return step.cancel;
    };
    auto cancel = [&] {
      child_list withdrawn;
      if (core.cancel(withdrawn)) cancelled = true;
      while (auto* one = withdrawn.pop_front()) end(static_cast<child*>(one), true);
    };
    while (ended + refused != children.size()) {
      if (added != children.size() && random() % 2 == 0) {
        child& next = children[added++];
        auto const verdict = core.add(next);
        ASSERT_EQ(verdict == verdict::refuse, cancelled);
        if (verdict == verdict::refuse) ++refused;
        if (verdict == verdict::start) {
          running.push_back(&next);
          started.push_back(&next);
        }
      } else if (!running.empty()) {
        if (end(running[random() % running.size()], random() % 5 == 0)) cancel();
      }
      if (random() % 40 == 0) cancel();
      ASSERT_TRUE(limit == 0 || running.size() <= limit);
      ASSERT_EQ(core.running(), running.size());
      ASSERT_EQ(core.live(), added - ended - refused);
    }
    ASSERT_TRUE(std::is_sorted(started.begin(), started.end())) << "array order is spawn order";
    ASSERT_EQ(core.live(), 0u);
  }
}

}  // namespace
}  // namespace tokengate::detail
