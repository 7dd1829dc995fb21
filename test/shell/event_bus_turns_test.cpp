// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <vector>

#include "support/loop.hpp"
#include "tokengate/event_bus.hpp"
#include "tokengate/impl/turn_queue.hpp"

// How much of its loop a bus takes at a time, and how late its events are said to be.

namespace tokengate::test {
namespace {

using namespace std::chrono_literals;

class event_bus_turns : public testing::Test {
 protected:
  loop loop_;
  event_bus bus_{loop_.context};
};

TEST_F(event_bus_turns, turn_runs_no_more_handlers_than_its_budget) {
  constexpr int followers = 64, events = 16;
  constexpr auto budget = static_cast<std::size_t>(detail::turn_queue::budget);
  std::vector<std::vector<int>> got(followers);
  std::vector<subscription> all;
  std::size_t handled = 0;
  for (auto& each : got)
    all.push_back(bus_.subscribe<int>(loop_.context, [&](int value) {
      ++handled;
      each.push_back(value);
    }));
  for (int i = 0; i != events; ++i) EXPECT_EQ(bus_.topic<int>().try_publish(i), followers);
  bool others = false;
  asio::post(loop_.context, [&] { others = true; });
  for (std::size_t before = 0; handled != followers * events; before = handled) {
    ASSERT_EQ(loop_.context.poll_one(), 1u);
    EXPECT_LE(handled - before, budget + events);
    if (handled > 2 * budget) {
      EXPECT_TRUE(others);
    }
  }
  for (auto const& each : got) {
    ASSERT_EQ(each.size(), events);
    for (int i = 0; i != events; ++i) EXPECT_EQ(each[static_cast<std::size_t>(i)], i);
  }
}

TEST_F(event_bus_turns, subscriptions_that_end_in_the_middle_of_a_turn_are_left_out) {
  constexpr std::size_t followers = 40, events = 8;
  std::vector<subscription> all(followers);
  std::size_t handled = 0;
  for (std::size_t i = 0; i != followers; ++i)
    all[i] = bus_.subscribe<int>(loop_.context, [&](int) {
      if (++handled != 70) return;  // the rest has been handed on to the next turn
      for (auto& each : all) each.unsubscribe();
    });
  for (std::size_t i = 0; i != events; ++i) (void)bus_.topic<int>().try_publish(1);
  loop_.run_out();
  EXPECT_EQ(handled, 70u);
  for (auto const& each : all) {
    auto const seen = each.snapshot();
    EXPECT_EQ(seen.offered, seen.handled + seen.undelivered);
  }
}

TEST_F(event_bus_turns, lag_of_a_kept_event_counts_from_the_subscription) {
  using clock = std::chrono::steady_clock;
  auto const topic = bus_.topic<int>("kept", {.sticky = true});
  (void)topic.try_publish(1);
  // Old enough to tell the two apart.
  auto const published = clock::now();
  while (clock::now() - published < 20ms) {
  }
  auto const subscribed = clock::now();
  int got = 0;
  auto const late = bus_.subscribe<int>("kept", loop_.context, [&](int value) { got = value; });
  auto const behind = late.snapshot().behind_ns;
  loop_.run_until([&] { return late.snapshot().handled == 1; });
  auto const passed = static_cast<double>((clock::now() - subscribed).count());
  EXPECT_EQ(got, 1);
  // Two clocks, which agree on a span to a thousandth or so.
  EXPECT_LE(behind, passed * 1.01 + 1000);
  EXPECT_LE(late.snapshot().lag_max_ns, passed * 1.01 + 1000);
}

}  // namespace
}  // namespace tokengate::test
