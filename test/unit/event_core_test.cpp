// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/event_core.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "tokengate/detail/barrier_core.hpp"
#include "tokengate/detail/latch_core.hpp"

namespace tokengate::detail {
namespace {

template <class Base>
struct party : Base {
  party() : Base([](waiter&) noexcept {}) {}
};
using passer = party<event_waiter>;
using arrival = party<barrier_waiter>;

using order = std::vector<waiter*>;
/// Takes out those that are to be told.
order contents(woken_list& list) {
  order all;
  while (waiter* each = list.pop_front()) all.push_back(each);
  return all;
}

TEST(event_core, open_door_lets_everybody_pass) {
  event_core core(false);
  passer first, second, late, later;
  EXPECT_FALSE(core.wait(first));
  EXPECT_FALSE(core.wait(second));
  woken_list woken;
  core.open(woken);
  EXPECT_EQ(contents(woken), (order{&first, &second}));
  EXPECT_TRUE(core.wait(late));
  EXPECT_EQ(late.outcome, wait_outcome::done);
  core.shut();
  EXPECT_FALSE(core.wait(later));
  EXPECT_TRUE(core.cancel(later));
}

TEST(event_core, cancelled_wait_is_forgotten) {
  event_core core(false);
  passer first, second;
  EXPECT_FALSE(core.wait(first));
  EXPECT_FALSE(core.wait(second));
  EXPECT_TRUE(core.cancel(first));
  EXPECT_FALSE(core.cancel(first));
  woken_list woken;
  core.open(woken);
  EXPECT_EQ(contents(woken), order{&second});
  EXPECT_FALSE(core.cancel(second)) << "decided already";
}

TEST(event_core, close_ends_waits_but_an_open_door_stays_open) {
  event_core core(false);
  passer first, late;
  EXPECT_FALSE(core.wait(first));
  woken_list woken;
  core.close(woken);
  EXPECT_EQ(first.outcome, wait_outcome::closed);
  EXPECT_EQ(contents(woken), order{&first});
  core.open(woken);
  EXPECT_TRUE(core.wait(late));
  EXPECT_EQ(late.outcome, wait_outcome::closed);

  event_core open(true);
  open.close(woken);
  passer through;
  EXPECT_TRUE(open.wait(through));
  EXPECT_EQ(through.outcome, wait_outcome::done) << "what has happened has happened";
}

TEST(latch_core, last_count_opens_it_for_good) {
  latch_core core(3);
  passer waiting, late;
  EXPECT_FALSE(core.wait(waiting));
  woken_list woken;
  core.count_down(2, woken);
  EXPECT_TRUE(woken.empty());
  EXPECT_EQ(core.count(), 1u);
  core.count_down(5, woken);
  EXPECT_EQ(core.count(), 0u);
  EXPECT_EQ(contents(woken), order{&waiting});
  EXPECT_TRUE(core.wait(late));
  EXPECT_TRUE(latch_core(0).set());
}

TEST(barrier_core, last_arrival_ends_the_phase_for_all) {
  barrier_core core(3);
  woken_list woken;
  for (std::uint64_t phase = 0; phase != 3; ++phase) {
    arrival first, second, last;
    EXPECT_FALSE(core.arrive(first, woken));
    EXPECT_FALSE(core.arrive(second, woken));
    EXPECT_TRUE(core.arrive(last, woken));
    EXPECT_EQ(contents(woken), (order{&first, &second}));
    for (auto* each : {&first, &second, &last}) EXPECT_EQ(each->phase(), phase);
  }
}

TEST(barrier_core, who_gives_up_has_not_arrived) {
  barrier_core core(2);
  woken_list woken;
  arrival first, second, last;
  EXPECT_FALSE(core.arrive(first, woken));
  EXPECT_TRUE(core.cancel(first));
  EXPECT_FALSE(core.arrive(second, woken));
  EXPECT_TRUE(core.arrive(last, woken));
  EXPECT_EQ(contents(woken), order{&second});
  EXPECT_FALSE(core.cancel(second));
}

TEST(barrier_core, leaving_party_may_end_the_phase) {
  barrier_core core(3);
  woken_list woken;
  arrival first, second, alone;
  EXPECT_FALSE(core.arrive(first, woken));
  core.drop(woken);
  EXPECT_TRUE(woken.empty());
  core.drop(woken);
  EXPECT_EQ(contents(woken), order{&first});
  EXPECT_EQ(core.phase(), 1u);
  EXPECT_TRUE(core.arrive(alone, woken)) << "one party is left";
  core.close(woken);
  EXPECT_TRUE(core.arrive(second, woken));
  EXPECT_EQ(second.outcome, wait_outcome::closed);
}

// In plain words: a list of numbers; the phase ends when it is as long as there are parties.
TEST(barrier_core, random_sequences_match_the_model) {
  for (unsigned seed = 0; seed != 2000; ++seed) {
    std::mt19937 random{seed};
    std::size_t parties = 1 + random() % 6;
    barrier_core core(parties);
    std::vector<arrival*> model;
    std::vector<std::unique_ptr<arrival>> all;
    std::uint64_t phase = 0;
    for (int step = 0; step != 100; ++step) {
      woken_list woken;
      order expected;
      auto const end_phase = [&](std::size_t waiting) {
        expected.assign(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(waiting));
        model.clear();
        ++phase;
      };
      switch (random() % 8) {
        default: {
          auto& one = *all.emplace_back(std::make_unique<arrival>());
          bool const last = model.size() + 1 >= parties;
          ASSERT_EQ(core.arrive(one, woken), last) << "seed " << seed << " step " << step;
          if (last)
            end_phase(model.size());
          else
            model.push_back(&one);
          break;
        }
        case 4: {
          auto& one = *all.emplace_back(std::make_unique<arrival>());
          bool const last = model.size() + 1 >= parties;
          ASSERT_EQ(core.try_arrive(one, woken), last) << "seed " << seed << " step " << step;
          if (last) end_phase(model.size());
          break;
        }
        case 1:
        case 2:
          if (!all.empty()) {
            auto* one = all[random() % all.size()].get();
            bool const waits = std::erase(model, one) != 0;
            ASSERT_EQ(core.cancel(*one), waits) << "seed " << seed << " step " << step;
          }
          break;
        case 3:
          if (parties > 1) {
            core.drop(woken);
            if (--parties; !model.empty() && model.size() >= parties) end_phase(model.size());
          }
      }
      ASSERT_EQ(contents(woken), expected) << "seed " << seed << " step " << step;
      ASSERT_EQ(core.phase(), phase);
      ASSERT_EQ(core.waiting(), model.size());
    }
    woken_list rest;
    core.close(rest);
    contents(rest);
  }
}

}  // namespace
}  // namespace tokengate::detail
