// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "support/gate_fixture.hpp"
#include "tokengate/event_bus.hpp"

// What a subscription says of times: how late its events reached the handler, and how long that
// ran. Both are measured from outside too, and lie between what is surely inside and surely around
// them.

namespace tokengate::test {
namespace {

using namespace std::chrono_literals;

class event_bus_times : public gate_fixture {
 public:
  using clock = std::chrono::steady_clock;
  using moment = clock::time_point;

  static constexpr std::size_t events = 2;
  static constexpr auto late = 10ms, slow = 4ms;

  static double ns(std::chrono::nanoseconds span) { return static_cast<double>(span.count()); }
  static void pass(std::chrono::nanoseconds span) {
    auto const until = clock::now() + span;
    while (clock::now() < until) {
    }
  }
  void publish() {
    for (auto& each : seen_) {
      each.before_publish = clock::now();
      EXPECT_EQ(bus_.topic<int>().try_publish(static_cast<int>(&each - seen_.data())), 1u);
      each.after_publish = clock::now();
    }
    pass(late);
    released_ = clock::now();
  }
  /// The first call is slow, the second is not.
  void handle(int number) {
    auto& here = seen_[static_cast<std::size_t>(number)];
    here.entered = clock::now();
    if (number == 0) pass(slow);
    here.left = clock::now();
  }
  static asio::awaitable<void> handle_in_coroutine(event_bus_times* self, int number) {
    self->handle(number);
    co_return;
  }

  void expect_times(subscription const& of) {
    loop_.run_until([&] { return of.snapshot().handled == events; });
    auto const over = clock::now();
    bounds lag, run;
    for (std::size_t i = 0; i != events; ++i) {
      auto const& one = seen_[i];
      // It has one handler at a time, and nobody to call it before.
      auto const earliest = i == 0 ? released_ : seen_[i - 1].left;
      auto const latest_end = i + 1 == events ? over : seen_[i + 1].entered;
      lag.add(earliest - one.after_publish, one.entered - one.before_publish);
      run.add(one.left - one.entered, latest_end - earliest);
    }
    auto const told = of.snapshot();
    lag.expect("lag", told.lag_mean_ns, told.lag_max_ns);
    run.expect("handler", told.handler_mean_ns, told.handler_max_ns);
    // The means are not the maxima: no event was as late as the last, no call as long as the first.
    EXPECT_GE(told.lag_mean_ns, ns(late) * 0.99);
    EXPECT_GE(told.handler_max_ns, ns(slow) * 0.99);
    EXPECT_LT(told.lag_mean_ns, told.lag_max_ns);
    EXPECT_LT(told.handler_mean_ns, told.handler_max_ns);
  }

  event_bus bus_{loop_.context};

 private:
  struct times {
    moment before_publish{}, after_publish{}, entered{}, left{};
  };

  /// Of the durations of all calls.
  struct bounds {
    double least_sum = 0, most_sum = 0, least_max = 0, most_max = 0;

    void add(std::chrono::nanoseconds least, std::chrono::nanoseconds most) {
      least_sum += ns(least);
      most_sum += ns(most);
      least_max = std::max(least_max, ns(least));
      most_max = std::max(most_max, ns(most));
    }
    void expect(char const* what, double mean, double max) const {
      // Two clocks, which agree on a span to a thousandth or so.
      EXPECT_GE(mean, least_sum / events * 0.99 - 1000) << what;
      EXPECT_LE(mean, most_sum / events * 1.01 + 1000) << what;
      EXPECT_GE(max, least_max * 0.99 - 1000) << what;
      EXPECT_LE(max, most_max * 1.01 + 1000) << what;
    }
  };

  std::array<times, events> seen_{};
  moment released_{};
};

TEST_F(event_bus_times, loop_tells_how_late_and_how_long_its_handler_ran) {
  auto const subscribed =
      bus_.subscribe<int>(loop_.context, [this](int number) { handle(number); });
  publish();
  expect_times(subscribed);
}

TEST_F(event_bus_times, coroutine_tells_how_late_and_how_long_it_ran) {
  auto const subscribed = bus_.subscribe<int>(
      loop_.context, [this](int number) { return handle_in_coroutine(this, number); });
  publish();
  expect_times(subscribed);
}

TEST_F(event_bus_times, lane_tells_how_late_and_how_long_its_handler_ran) {
  auto const subscribed = bus_.subscribe<int>(*gate_, [this](int number) { handle(number); });
  block();
  publish();
  busy_.release();
  expect_times(subscribed);
}

TEST_F(event_bus_times, lane_with_keys_tells_how_late_and_how_long_its_handler_ran) {
  auto const subscribed = bus_.subscribe<int>(
      *gate_, by_key([](int) { return 0; }, [this](int number) { handle(number); }));
  block();
  publish();
  busy_.release();
  expect_times(subscribed);
}

TEST_F(event_bus_times, reader_that_comes_late_is_told_how_far_it_is_behind) {
  auto const stream = bus_.stream<int>(loop_.executor());
  EXPECT_EQ(stream.snapshot().behind_ns, 0);
  auto const before = clock::now();
  EXPECT_EQ(bus_.topic<int>().try_publish(1), 1u);
  auto const published = clock::now();
  pass(late);
  auto const least = ns(clock::now() - published);
  auto const told = stream.snapshot();
  auto const most = ns(clock::now() - before);
  EXPECT_GE(told.behind_ns, least * 0.99 - 1000);
  EXPECT_LE(told.behind_ns, most * 1.01 + 1000);
  EXPECT_EQ(*stream.try_next(), 1);
  EXPECT_EQ(stream.snapshot().behind_ns, 0);
}

}  // namespace
}  // namespace tokengate::test
