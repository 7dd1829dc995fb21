// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/watch_core.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <vector>

namespace tokengate::detail {
namespace {

using core_type = watch_core<int>;
struct party : core_type::change_waiter {
  party() : change_waiter([](waiter&) noexcept {}) {}
};
using order = std::vector<waiter*>;
order take(woken_list& list) {
  order all;
  while (waiter* each = list.pop_front()) all.push_back(each);
  return all;
}

TEST(watch_core, only_a_later_version_ends_a_wait) {
  core_type core(10);
  woken_list woken;
  auto const seen = core.version();
  party first, second, late;
  EXPECT_FALSE(core.wait(first, seen));
  EXPECT_FALSE(core.wait(second, seen));
  int value = 11;
  EXPECT_TRUE(core.set(value, woken));
  EXPECT_EQ(value, 10) << "the old one goes with the caller";
  EXPECT_EQ(core.item(), 11);
  EXPECT_EQ(take(woken), (order{&first, &second}));
  EXPECT_FALSE(core.cancel(first)) << "decided";
  EXPECT_TRUE(core.wait(late, seen)) << "it has not seen this one";
  EXPECT_EQ(late.outcome, wait_outcome::done);
}

TEST(watch_core, closed_one_still_shows_what_was_not_seen) {
  core_type core(1);
  woken_list woken;
  auto const seen = core.version();
  int value = 2;
  EXPECT_TRUE(core.set(value, woken));
  party waiting, behind, late;
  EXPECT_FALSE(core.wait(waiting, core.version()));
  core.close(woken);
  EXPECT_EQ(take(woken), order{&waiting});
  EXPECT_EQ(waiting.outcome, wait_outcome::closed);
  EXPECT_TRUE(core.wait(behind, seen));
  EXPECT_EQ(behind.outcome, wait_outcome::done);
  EXPECT_TRUE(core.wait(late, core.version()));
  EXPECT_EQ(late.outcome, wait_outcome::closed);
  EXPECT_FALSE(core.set(value, woken));
  EXPECT_EQ(core.item(), 2);
}

// In plain words: those who wait, and a number that counts the changes.
TEST(watch_core, random_sequences_match_the_model) {
  for (unsigned seed = 0; seed != 1000; ++seed) {
    std::mt19937 random{seed};
    core_type core(0);
    woken_list woken;
    std::deque<party> all;
    order waiting;
    std::uint64_t version = core.version();
    int value = 0;
    for (int step = 0; step != 100; ++step) {
      order expected;
      switch (random() % 4) {
        case 0: {
          int next = step + 1;
          ASSERT_TRUE(core.set(next, woken));
          ASSERT_EQ(next, value);
          value = step + 1;
          ++version;
          expected.swap(waiting);
          break;
        }
        case 1:
          if (!all.empty()) {
            auto& one = all[random() % all.size()];
            bool const waits = std::erase(waiting, &one) != 0;
            ASSERT_EQ(core.cancel(one), waits) << "seed " << seed << " step " << step;
          }
          break;
        default: {
          auto& one = all.emplace_back();
          auto const seen = version - random() % 2;
          ASSERT_EQ(core.wait(one, seen), seen != version) << "seed " << seed << " step " << step;
          if (seen == version) waiting.push_back(&one);
        }
      }
      ASSERT_EQ(take(woken), expected) << "seed " << seed << " step " << step;
      ASSERT_EQ(core.version(), version);
    }
    core.close(woken);
    ASSERT_EQ(take(woken), waiting);
  }
}

}  // namespace
}  // namespace tokengate::detail
