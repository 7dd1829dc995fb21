// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/tick_clock.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <thread>
#include <vector>

namespace tokengate::detail {
namespace {

using namespace std::chrono_literals;

TEST(tick_clock, stamps_of_one_thread_do_not_go_back) {
  auto last = tick_clock::now();
  for (int i = 0; i != 10000; ++i) {
    auto const now = tick_clock::now();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(tick_clock, stamps_out_of_order_are_no_time_apart) {
  EXPECT_EQ(tick_clock::elapsed(7, 10), 3U);
  EXPECT_EQ(tick_clock::elapsed(10, 7), 0U);
}

TEST(tick_clock, tick_has_a_length) {
  double const length = tick_clock::ns_per_tick();
  EXPECT_GT(length, 0.05);
  EXPECT_LT(length, 1000);
  if (!tick_clock::uses_counter()) {
    EXPECT_NEAR(length, 1, 1e-3);
  }
}

TEST(tick_clock, span_agrees_with_the_steady_clock) {
  // Taken inside and around a span: the one can be no longer and the other no shorter than it is,
  // but for the error of the scale. No bound on how long anything takes.
  tick_clock::ns_per_tick();
  auto const outer_from = tick_clock::now();
  auto const steady_from = std::chrono::steady_clock::now();
  auto const inner_from = tick_clock::now();
  while (std::chrono::steady_clock::now() - steady_from < 5ms) {
  }
  auto const inner_to = tick_clock::now();
  auto const steady_to = std::chrono::steady_clock::now();
  auto const outer_to = tick_clock::now();
  auto const steady =
      static_cast<double>(std::chrono::nanoseconds(steady_to - steady_from).count());
  auto const inner = static_cast<double>(tick_clock::to_ns(inner_to - inner_from));
  auto const outer = static_cast<double>(tick_clock::to_ns(outer_to - outer_from));
  EXPECT_LE(inner, steady * 1.01);
  EXPECT_GE(outer, steady * 0.99);
}

TEST(tick_clock, conversion_there_and_back_keeps_the_span) {
  auto const ticks = tick_clock::to_ticks(1s);
  EXPECT_NEAR(static_cast<double>(tick_clock::to_ns(ticks)), 1e9, 1e7);
}

TEST(tick_clock, conversion_of_the_extremes_saturates) {
  EXPECT_EQ(tick_clock::to_ticks(-1ns), 0U);
  EXPECT_EQ(tick_clock::to_ticks(0ns), 0U);
  EXPECT_EQ(tick_clock::to_ns(0), 0U);
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();
  EXPECT_GT(tick_clock::to_ticks(std::chrono::nanoseconds::max()), tick_clock::to_ticks(24h));
  EXPECT_GT(tick_clock::to_ns(most), tick_clock::to_ns(most / 1000));
}

TEST(tick_clock, scale_asked_by_many_threads_is_one) {
  std::vector<double> scales(4);
  {
    std::vector<std::jthread> threads;
    for (auto& scale : scales) {
      threads.emplace_back([&scale] {
        for (int i = 0; i != 1000; ++i) scale = tick_clock::ns_per_tick();
      });
    }
  }
  for (double scale : scales) EXPECT_NEAR(scale / scales.front(), 1, 0.01);
}

}  // namespace
}  // namespace tokengate::detail
