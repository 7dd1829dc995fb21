// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "memory/warm_allocations.hpp"
#include "support/loop.hpp"
#include "tokengate/event_bus.hpp"

// What an event costs in calls of operator new once the pools are warm.

namespace tokengate::test {
namespace {

class event_bus_allocation : public warm_allocations<> {
 protected:
  loop loop_;
  event_bus bus_{loop_.context};
  topic<int> topic_{bus_.topic<int>("a.b")};
  int seen_ = 0;
};

TEST_F(event_bus_allocation, event_for_eight_handlers_takes_none) {
  std::array<subscription, 8> all;
  for (auto& each : all) each = bus_.subscribe<int>("a.*", loop_.context, [this](int) { ++seen_; });
  EXPECT_LE(per_thousand([&] {
              (void)topic_.try_publish(1);
              loop_.poll();
            }),
            few);
  EXPECT_EQ(seen_, 8 * 3000);
}

TEST_F(event_bus_allocation, publisher_that_waits_and_reader_take_none) {
  auto const from = bus_.stream<int>("a.>", loop_.executor(), {.capacity = 1});
  EXPECT_LE(per_thousand([&] {
              for (int i = 0; i != 3; ++i)
                topic_.async_publish(1, [](std::exception_ptr, std::size_t) {});
              for (int i = 0; i != 3; ++i)
                from.async_next([this](std::exception_ptr, event<int> const&) { ++seen_; });
              loop_.poll();
            }),
            few);
  EXPECT_EQ(seen_, 3 * 3000);
}

TEST_F(event_bus_allocation, publishing_by_a_long_subject_takes_none) {
  std::string_view const subject = "orders.of.a.customer.in.a.country.far.away";
  auto const heard = bus_.subscribe<int>(subject, loop_.context, [this](int) { ++seen_; });
  EXPECT_LE(per_thousand([&] {
              bus_.async_publish(subject, 1, [](std::exception_ptr, std::size_t) {});
              bus_.async_publish_and_wait(subject, 1, [](std::exception_ptr, publish_report) {});
              (void)bus_.try_publish(subject, 1);
              loop_.poll();
            }),
            few);
  EXPECT_EQ(seen_, 3 * 3000);
}

TEST_F(event_bus_allocation, request_by_a_long_subject_takes_none) {
  std::string_view const subject = "prices.of.a.thing.in.a.country.far.away";
  auto const served = bus_.serve<int, int>(subject, loop_.context, [](int of) { return of + 1; });
  EXPECT_LE(per_thousand([&] {
              bus_.async_request<int>(subject, 1, std::chrono::seconds(60),
                                      [this](std::exception_ptr, int) { ++seen_; });
              loop_.poll();
            }),
            few);
  EXPECT_EQ(seen_, 3000);
}

}  // namespace
}  // namespace tokengate::test
