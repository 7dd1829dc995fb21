// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "unit/loops_simulation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace tokengate::detail::test {
namespace {

constexpr double least_share = 0.9;
constexpr double least_busy = 0.95;
constexpr double most_unfairness = 1.25;

/// Gates beside each other, and what each of them does alone with the same workers.
struct comparison {
  loops_figures together;
  double sum;       ///< of what each does alone
  double capacity;  ///< tokens that the workers could run

  [[nodiscard]] double share() const { return static_cast<double>(together.all) / sum; }
  [[nodiscard]] bool workers_suffice() const { return capacity >= sum; }
};

comparison compare(loops_setup setup) {
  constexpr ticks warm = 5'000'000;
  constexpr ticks length = 50'000'000;
  auto const together = loops_simulation(setup).run(warm, length);
  auto const gates = static_cast<double>(std::exchange(setup.gates, 1));
  auto const alone = loops_simulation(setup).run(warm, length);
  EXPECT_TRUE(together.each_once && alone.each_once);
  return {together, gates * static_cast<double>(alone.all),
          static_cast<double>(length * setup.workers) /
              static_cast<double>(setup.function + setup.pick_up)};
}

/// Each with the same pool, and wake-ups at this price.
void check_all_sizes(ticks waking) {
  constexpr double none = 9;
  double share = none;
  double busy = none;
  double unfairness = 0;
  for (std::size_t gates : {1, 2, 4, 8})
    for (std::size_t workers : {1, 2, 4, 8, 16})
      for (ticks function : {1'000, 10'000, 100'000}) {
        SCOPED_TRACE(testing::Message() << gates << " gates, " << workers
                                        << " workers, functions of " << function << " ns");
        auto const got =
            compare({.gates = gates, .workers = workers, .function = function, .waking = waking});
        unfairness = std::max(unfairness, got.together.unfairness());
        EXPECT_LE(got.together.unfairness(), most_unfairness);
        if (got.workers_suffice()) {
          if (gates != 1) share = std::min(share, got.share());
          EXPECT_GE(got.share(), least_share);
        } else {
          busy = std::min(busy, got.together.busy);
          EXPECT_GE(got.together.busy, least_busy);
        }
      }
  std::printf("[          ] least share of the sum %.3f, workers busy %.3f, unfairness %.3f\n",
              share, busy, unfairness);
  EXPECT_LT(share, none) << "in no case did the workers suffice";
  EXPECT_LT(busy, none) << "in no case were they the limit";
}

TEST(loops_simulation, gates_share_nothing_but_the_workers) {
  check_all_sizes(loops_setup().waking);
}

// The more gates, the more often a worker is awake already: that hides what else they might share.
TEST(loops_simulation, gates_share_nothing_but_the_workers_where_wake_ups_are_free) {
  check_all_sizes(0);
}

// Each wake-up costs the loop: workers are not woken for what others do as soon, nor left without
// work while a turn delivers, so that they go to sleep.
TEST(loops_simulation, pool_that_is_larger_than_a_loop_needs_costs_it_little) {
  for (ticks function : {300, 1'000, 3'000, 10'000})
    for (ticks handler : {100, 1'000, 5'000}) {
      SCOPED_TRACE(testing::Message()
                   << "functions of " << function << " ns, handlers of " << handler);
      std::uint64_t most = 0;
      for (std::size_t workers : {1, 2, 4, 8}) {
        loops_setup const setup{.workers = workers, .function = function, .handler = handler};
        most = std::max(most, loops_simulation(setup).run().all);
      }
      loops_setup const all{.workers = 16, .function = function, .handler = handler};
      EXPECT_GE(static_cast<double>(loops_simulation(all).run().all),
                least_share * static_cast<double>(most));
    }
}

// An operation is known by what it takes as a rule.
TEST(loops_simulation, function_that_is_preempted_now_and_then_keeps_no_others_away) {
  loops_setup setup{.workers = 16, .function = 300, .handler = 300, .outstanding = 64};
  auto const one = loops_simulation(setup).run().all;
  setup.operations = 8;
  setup.preempted = 1'000;
  EXPECT_GE(static_cast<double>(loops_simulation(setup).run().all),
            least_share * static_cast<double>(one));
}

// What would be found, if it were so.

TEST(loops_simulation, lock_of_all_loops_takes_from_the_sum) {
  loops_setup const whole_handler{.gates = 2, .workers = 8, .waking = 0, .shared_lock = 5'040};
  loops_setup const fifth_of_it{
      .gates = 8, .workers = 16, .function = 1'000, .waking = 0, .shared_lock = 1'000};
  for (loops_setup const& setup : {whole_handler, fifth_of_it}) {
    auto const got = compare(setup);
    EXPECT_TRUE(got.workers_suffice());
    EXPECT_LT(got.share(), least_share);
  }
}

TEST(loops_simulation, workers_that_stay_with_a_gate_are_unfair) {
  auto const got = compare({.gates = 2, .workers = 1, .turn = asleep / 2});
  EXPECT_FALSE(got.workers_suffice());
  EXPECT_GT(got.together.unfairness(), most_unfairness);
}

TEST(loops_simulation, hand_over_longer_than_credits_cover_leaves_workers_idle) {
  loops_setup setup{.gates = 2, .workers = 4, .handler = 500, .hot = 1'000'000, .spin = 1'000'000};
  EXPECT_GE(loops_simulation(setup).run().busy, least_busy);
  setup.look = 100'000;
  EXPECT_LT(loops_simulation(setup).run().busy, least_busy);
}

}  // namespace
}  // namespace tokengate::detail::test
