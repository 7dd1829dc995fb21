// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <thread>
#include <vector>

#include "support/gate_fixture.hpp"
#include "support/quiet_log.hpp"
#include "tokengate/event_bus.hpp"

// Where handlers run, and what is left of a subscription when that place, the bus or its handle
// goes.

namespace tokengate::test {
namespace {

using numbers = std::vector<int>;

class event_bus_places : public gate_fixture {
 public:
  event_bus_places() : gate_fixture({}, 2) {}

  void run_until_over(subscription const& of, std::uint64_t handled) {
    loop_.run_until([&] {
      auto const seen = of.snapshot();
      return seen.handled + seen.failed == handled && seen.running == 0;
    });
  }

  event_bus bus_{loop_.context};
};

TEST_F(event_bus_places, lane_handles_one_after_another_in_order) {
  numbers got;  // without a lock
  auto const on_lane =
      bus_.subscribe<int>(*gate_, {.name = "sum", .capacity = 1000}, [&](int value) {
        EXPECT_TRUE(this_token::running());
        EXPECT_EQ(this_token::operation_name(), "sum");
        got.push_back(value);
      });
  for (int i = 0; i != 1000; ++i) (void)bus_.topic<int>().try_publish(i);
  run_until_over(on_lane, 1000);
  ASSERT_EQ(got.size(), 1000u);
  for (int i = 0; i != 1000; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], i);
}

TEST_F(event_bus_places, lane_keeps_the_order_of_each_key) {
  struct posting {
    int key;
    int number;
  };
  std::array<numbers, 4> got;  // each without a lock
  auto const on_lane = bus_.subscribe<posting>(
      *gate_, {.capacity = 1000},
      by_key([](posting const& p) { return p.key; },
             [&](posting const& p) { got[static_cast<std::size_t>(p.key)].push_back(p.number); }));
  for (int i = 0; i != 1000; ++i) (void)bus_.topic<posting>().try_publish(posting{i % 4, i / 4});
  run_until_over(on_lane, 1000);
  for (auto const& each : got) {
    ASSERT_EQ(each.size(), 250u);
    for (int i = 0; i != 250; ++i) EXPECT_EQ(each[static_cast<std::size_t>(i)], i);
  }
}

TEST_F(event_bus_places, lane_calls_at_most_so_many_handlers_at_a_time) {
  std::atomic<int> inside{0}, most{0};
  auto const on_lane = bus_.subscribe<int>(*gate_, {.capacity = 200, .concurrency = 2}, [&](int) {
    int const now = ++inside;
    for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
    }
    std::this_thread::yield();
    --inside;
  });
  for (int i = 0; i != 200; ++i) (void)bus_.topic<int>().try_publish(i);
  run_until_over(on_lane, 200);
  EXPECT_LE(most, 2);
}

TEST_F(event_bus_places, error_on_a_lane_is_the_subscribers_own) {
  std::atomic<int> told{0};
  auto const on_lane = bus_.subscribe<int>(
      *gate_,
      [](int value) {
        if (value % 2 == 0) throw value;
      },
      [&](std::exception_ptr) { ++told; });
  outcome<publish_report> report;
  bus_.topic<int>().async_publish_and_wait(2)(keep<publish_report>(report));
  run_until_done(report);
  EXPECT_EQ(report.value->failed, 1u);
  (void)bus_.topic<int>().try_publish(3);
  run_until_over(on_lane, 2);
  EXPECT_EQ(told, 1);
  EXPECT_EQ(on_lane.snapshot().handled, 1u);
}

TEST_F(event_bus_places, unsubscribing_waits_for_the_call_on_a_lane_when_asked_to) {
  auto kept = std::make_shared<int>(0);
  std::weak_ptr<int> const watched = kept;
  auto on_lane = bus_.subscribe<int>(*gate_, [this, kept = std::move(kept)](int) {
    busy_.stay();
    ++*kept;
  });
  for (int i = 0; i != 3; ++i) (void)bus_.topic<int>().try_publish(i);
  busy_.wait_entered();
  outcome<void> over;
  on_lane.async_unsubscribe(keep<void>(over));
  EXPECT_FALSE(on_lane.active());
  loop_.poll();
  EXPECT_FALSE(over.done());
  EXPECT_FALSE(watched.expired());
  busy_.release();
  run_until_done(over);
  EXPECT_FALSE(over.error);
  EXPECT_EQ(on_lane.snapshot().handled, 1u);
  EXPECT_EQ(on_lane.snapshot().undelivered, 2u);
  on_lane = {};
  loop_.run_out();
  EXPECT_TRUE(watched.expired());
}

TEST_F(event_bus_places, handle_that_goes_during_a_call_leaves_its_state_to_the_call) {
  auto kept = std::make_shared<int>(0);
  std::weak_ptr<int> const watched = kept;
  std::optional<subscription> on_lane =
      bus_.subscribe<int>(*gate_, [this, kept = std::move(kept)](int) {
        busy_.stay();
        ++*kept;
      });
  (void)bus_.topic<int>().try_publish(1);
  busy_.wait_entered();
  on_lane.reset();
  EXPECT_FALSE(watched.expired());
  busy_.release();
  loop_.run_out();
  EXPECT_TRUE(watched.expired());
}

TEST_F(event_bus_places, gate_that_goes_ends_its_subscriptions) {
  quiet_log quiet;
  block();
  auto const on_lane = bus_.subscribe<int>(*gate_, {.concurrency = 2}, [](int) {});
  auto const batched = bus_.subscribe<int>(*gate_, [](int) {});
  for (int i = 0; i != 10; ++i) (void)bus_.topic<int>().try_publish(i);
  busy_.release();
  gate_.reset();
  loop_.run_out();
  (void)bus_.topic<int>().try_publish(10);
  loop_.run_out();
  for (auto const* each : {&on_lane, &batched}) {
    EXPECT_FALSE(each->active());
    auto const seen = each->snapshot();
    EXPECT_EQ(seen.handled + seen.failed + seen.undelivered, seen.offered);
  }
}

TEST_F(event_bus_places, token_that_has_not_started_is_not_killed) {
  int handled = 0, errors = 0;
  block();
  block();  // the workers of both cores
  auto const on_lane = bus_.subscribe<int>(
      *gate_, [&](int) { ++handled; }, [&](std::exception_ptr const&) { ++errors; });
  (void)bus_.topic<int>().try_publish(1);
  (void)bus_.topic<int>().try_publish(2);
  for (auto const& each : gate_->tokens()) {
    if (each.state != token_state::executing) {
      EXPECT_FALSE(gate_->kill(each.id));
    }
  }
  busy_.release();
  run_until_over(on_lane, 2);
  EXPECT_EQ(errors, 0);
  EXPECT_EQ(handled, 2);
}

TEST_F(event_bus_places, no_handler_of_a_key_starts_after_unsubscribe) {
  std::atomic<int> handled{0};
  block();
  block();  // the workers of both cores
  auto const same = [](int value) { return value % 2; };
  auto keyed = bus_.subscribe<int>(*gate_, by_key(same, [&](int) { ++handled; }));
  for (int i = 0; i != 10; ++i) (void)bus_.topic<int>().try_publish(i);
  keyed.unsubscribe();
  auto const seen = keyed.snapshot();
  busy_.release();
  loop_.run_out();
  EXPECT_EQ(handled, 0);
  EXPECT_EQ(keyed.snapshot().undelivered, 10u) << "of " << seen.offered;
}

TEST_F(event_bus_places, subscription_and_stream_on_a_strand_outlive_their_context) {
  subscription listening;
  std::optional<event_stream<int>> fetching;
  {
    asio::io_context context;
    listening = bus_.subscribe<int>(asio::make_strand(context), [](int) {});
    fetching.emplace(bus_.stream<int>(asio::make_strand(context)));
    (void)bus_.topic<int>().try_publish(1);
  }
  EXPECT_FALSE(listening.active());
}

TEST_F(event_bus_places, context_that_goes_with_a_turn_out_keeps_no_handler) {
  auto const watched = std::make_shared<int>(0);
  std::vector<subscription> all;
  {
    asio::io_context context;
    for (int i = 0; i != 3; ++i)
      all.push_back(bus_.subscribe<int>(context, [watched](int) { ++*watched; }));
    (void)bus_.topic<int>().try_publish(1);
  }
  all.clear();
  EXPECT_EQ(watched.use_count(), 1);
  EXPECT_EQ(*watched, 0);
}

TEST_F(event_bus_places, strand_and_thread_pool_call_one_at_a_time) {
  asio::thread_pool threads(3);
  std::atomic<int> calls{0};
  int inside = 0;  // without a lock
  auto const handler = [&](int) {
    EXPECT_EQ(++inside, 1);
    --inside;
    ++calls;
  };
  auto const on_pool = bus_.subscribe<int>(threads, {.capacity = 1000}, [&](int) { ++calls; });
  auto const on_strand =
      bus_.subscribe<int>(asio::make_strand(threads), {.capacity = 1000}, handler);
  asio::any_io_executor const erased = asio::make_strand(loop_.context);
  auto const on_loop = bus_.subscribe<int>(erased, {.capacity = 1000}, [&](int) { ++calls; });
  for (int i = 0; i != 500; ++i) (void)bus_.topic<int>().try_publish(i);
  loop_.run_until([&] { return on_loop.snapshot().handled == 500; });
  threads.join();
  EXPECT_EQ(calls, 1500);
  EXPECT_EQ(on_strand.snapshot().handled, 500u);
}

TEST_F(event_bus_places, context_that_goes_ends_the_subscriptions_on_it) {
  auto kept = std::make_shared<int>(0);
  std::weak_ptr<int> const watched = kept;
  std::optional<asio::io_context> other(std::in_place);
  auto on_loop = bus_.subscribe<int>(*other, [kept](int) { ++*kept; });
  auto coroutine = [kept = std::move(kept)](int) -> asio::awaitable<void> {
    asio::steady_timer never(co_await asio::this_coro::executor, std::chrono::hours(1));
    co_await never.async_wait(asio::use_awaitable);
    ++*kept;
  };
  auto suspended = bus_.subscribe<int>(*other, std::move(coroutine));
  auto const here = bus_.stream<int>(loop_.executor());
  outcome<publish_report> report;
  bus_.topic<int>().async_publish_and_wait(1)(keep<publish_report>(report));
  other->poll();
  (void)bus_.topic<int>().try_publish(2);  // its turn is on its way
  other.reset();
  EXPECT_FALSE(on_loop.active());
  EXPECT_FALSE(suspended.active());
  EXPECT_EQ(bus_.topic<int>().try_publish(3), 1u);
  for (auto const* each : {&on_loop, &suspended}) {
    auto const seen = each->snapshot();
    EXPECT_EQ(seen.handled + seen.failed + seen.undelivered, seen.offered);
    EXPECT_EQ(seen.running, 0u);
  }
  EXPECT_EQ(*here.try_next(), 1);
  run_until_done(report);
  EXPECT_EQ(report.value->handled, 2u);
  EXPECT_EQ(report.value->failed, 1u);
  on_loop = {};
  suspended = {};
  EXPECT_TRUE(watched.expired());
}

TEST_F(event_bus_places, gate_whose_context_goes_ends_the_subscriptions_on_it) {
  for (std::uint32_t const concurrency : {1u, 3u}) {
    std::optional<asio::io_context> other(std::in_place);
    gate through(other->get_executor(), workers_);
    subscription_options options;
    options.concurrency = concurrency;
    auto const on_lane = bus_.subscribe<int>(through, options, [](int) {});
    other.reset();
    static_cast<void>(bus_.topic<int>().try_publish(1));
    EXPECT_FALSE(on_lane.active());
    auto const seen = on_lane.snapshot();
    EXPECT_EQ(seen.handled + seen.failed + seen.undelivered, seen.offered);
    EXPECT_EQ(seen.queued + seen.running, 0u);
    EXPECT_EQ(bus_.topic<int>().try_publish(2), 0u);
  }
}

TEST_F(event_bus_places, bus_that_goes_lets_its_publishers_and_readers_go) {
  std::optional<event_bus> bus(std::in_place, loop_.context);
  auto const slow = bus->stream<int>(loop_.executor(), {.capacity = 1});
  auto const topic = bus->topic<int>();
  outcome<std::size_t> held;
  outcome<publish_report> waiting;
  topic.async_publish_and_wait(1)(keep<publish_report>(waiting));
  topic.async_publish(2, keep<std::size_t>(held));
  loop_.poll();
  EXPECT_FALSE(held.done() || waiting.done());
  bus.reset();
  loop_.run_until([&] { return held.done() && waiting.done(); });
  EXPECT_EQ(held.value, 0u);
  EXPECT_EQ(waiting.value->undelivered, 1u);
}

TEST_F(event_bus_places, unsubscribing_waits_for_a_coroutine) {
  asio::steady_timer gone(loop_.context, std::chrono::hours(1));
  auto handler = [&](int) -> asio::awaitable<void> {
    co_await gone.async_wait(asio::as_tuple(asio::use_awaitable));
  };
  auto const suspended = bus_.subscribe<int>(loop_.context, handler);
  (void)bus_.topic<int>().try_publish(1);
  loop_.run_until([&] { return suspended.snapshot().running == 1; });
  outcome<void> over, given_up;
  suspended.async_unsubscribe(keep<void>(over));
  suspended.async_unsubscribe().within(std::chrono::nanoseconds(1))(keep<void>(given_up));
  run_until_done(given_up);
  EXPECT_EQ(given_up.code(), error::timed_out);
  EXPECT_FALSE(over.done());
  gone.cancel();
  run_until_done(over);
  EXPECT_EQ(suspended.snapshot().handled, 1u);
}

TEST_F(event_bus_places, snapshot_tells_topics_and_subscriptions) {
  auto const topic = bus_.topic<int>("a.b", {.sticky = true});
  auto const some = bus_.stream<int>("a.*", loop_.executor(), {.name = "some \"one\""});
  (void)topic.try_publish(1);
  auto const seen = bus_.snapshot();
  ASSERT_EQ(seen.topics.size(), 1u);
  EXPECT_EQ(seen.topics[0].subject, "a.b");
  EXPECT_TRUE(seen.topics[0].has_last);
  ASSERT_EQ(seen.subscriptions.size(), 1u);
  EXPECT_EQ(seen.subscriptions[0].queued, 1u);
  EXPECT_GT(seen.subscriptions[0].behind_ns, 0);
  auto const json = to_json(seen);
  EXPECT_NE(json.find("\"name\":\"some \\\"one\\\"\",\"pattern\":\"a.*\",\"kind\":\"stream\","
                      "\"when_full\":\"wait\",\"capacity\":256,\"offered\":1"),
            std::string::npos)
      << json;
}

}  // namespace
}  // namespace tokengate::test
