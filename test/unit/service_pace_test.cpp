// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include "tokengate/detail/operation_record.hpp"

namespace tokengate::detail {
namespace {

/// `results` come, `apart` ticks from each other, while work waits.
std::uint64_t saturate(service_pace& pace, std::uint64_t now, int results, std::uint64_t apart) {
  for (int i = 0; i != results; ++i) {
    now += apart;
    pace.finished();
    pace.look(now, true);
  }
  return now;
}

TEST(service_pace, nothing_seen_is_unknown) {
  EXPECT_EQ(service_pace().mean(), 0u);
}

TEST(service_pace, saturated_lane_is_measured_by_its_results) {
  service_pace pace;
  pace.look(1000, true);
  saturate(pace, 1000, 16, 50);
  EXPECT_EQ(pace.mean(), 50u);
}

TEST(service_pace, few_results_say_nothing) {
  service_pace pace;
  pace.look(1000, true);
  saturate(pace, 1000, 15, 50);
  EXPECT_EQ(pace.mean(), 0u);
}

TEST(service_pace, change_of_pace_is_followed) {
  service_pace pace;
  pace.look(1000, true);
  auto const now = saturate(pace, 1000, 16, 50);
  saturate(pace, now, 16 * 40, 200);
  EXPECT_NEAR(static_cast<double>(pace.mean()), 200, 5);
}

TEST(service_pace, results_before_work_waited_do_not_count) {
  service_pace pace;
  for (int i = 0; i != 100; ++i) pace.finished();
  pace.look(1'000'000, true);
  saturate(pace, 1'000'000, 16, 50);
  EXPECT_EQ(pace.mean(), 50u);
}

TEST(service_pace, lane_without_a_backlog_forgets_it) {
  service_pace pace;
  pace.look(1000, true);
  saturate(pace, 1000, 16, 50);
  pace.look(5000, false);
  EXPECT_EQ(pace.mean(), 0u);
}

}  // namespace
}  // namespace tokengate::detail
