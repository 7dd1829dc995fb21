// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/event_bus.hpp"

#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "support/loop.hpp"
#include "support/outcome.hpp"
#include "support/quiet_log.hpp"

namespace tokengate::test {
namespace {

using std::chrono::hours;
using std::chrono::nanoseconds;
using numbers = std::vector<int>;

class event_bus_test : public testing::Test {
 protected:
  void TearDown() override { loop_.run_out(); }

  auto into(numbers& to) {
    return [&to](int value) { to.push_back(value); };
  }
  /// Fetches what is queued.
  static numbers drain(event_stream<int> const& from) {
    numbers all;
    while (auto const next = from.try_next()) all.push_back(*next);
    return all;
  }
  event_stream<int> stream(full_policy policy, std::size_t capacity) {
    subscription_options options;
    options.when_full = policy;
    options.capacity = capacity;
    return bus_->stream<int>(loop_.executor(), options);
  }
  template <class T, class Operation>
  outcome<T>& run(outcome<T>& to, Operation operation) {
    std::move(operation)(keep<T>(to));
    EXPECT_FALSE(to.done()) << "completed inside the initiating call";
    loop_.run_until([&] { return to.done(); });
    return to;
  }
  void run_coroutine(asio::awaitable<void> body) {
    std::optional<std::exception_ptr> ended;
    asio::co_spawn(loop_.context, std::move(body),
                   [&](std::exception_ptr error) { ended = error; });
    loop_.run_until([&] { return ended.has_value(); });
    if (ended && *ended) std::rethrow_exception(*ended);
  }

  loop loop_;
  std::optional<event_bus> bus_{std::in_place, loop_.context};
};

TEST_F(event_bus_test, variable_that_is_published_by_subject_stays_as_it_was) {
  std::vector<std::string> heard;
  auto const listening = bus_->subscribe<std::string>(
      ">", loop_.executor(), [&](std::string const& text) { heard.push_back(text); });
  std::string text(100, 'x');
  (void)bus_->try_publish("a", text);
  bus_->async_publish("b", text)(asio::detached);
  bus_->async_publish_and_wait("c", text)(asio::detached);
  loop_.run_until([&] { return heard.size() == 3; });
  EXPECT_EQ(text.size(), 100u);
  for (auto const& each : heard) EXPECT_EQ(each, text);
}

TEST_F(event_bus_test, lazy_publish_reaches_its_topic_after_the_last_handle_has_gone) {
  event_bus_options options;
  options.cached_topics = 1;
  event_bus few(loop_.executor(), options);
  int heard = 0;
  auto operation = few.topic<int>("a").async_publish(1);
  for (auto const* other : {"b", "c", "d"}) (void)few.try_publish(other, 2);
  auto const listening = few.subscribe<int>("a", loop_.executor(), [&](int) { ++heard; });
  outcome<std::size_t> accepted;
  run(accepted, std::move(operation));
  EXPECT_EQ(accepted.value, 1u);
  loop_.run_until([&] { return heard == 1; });
}

TEST_F(event_bus_test, event_reaches_those_who_subscribed_to_its_type_and_no_others) {
  numbers got;
  int texts = 0;
  auto const first = bus_->subscribe<int>(loop_.context, into(got));
  auto const second = bus_->subscribe<int>(loop_.executor(), into(got));
  auto const other = bus_->subscribe<std::string>(loop_.context, [&](auto const&) { ++texts; });
  auto const named = bus_->subscribe<int>(">", loop_.context, into(got));
  auto const topic = bus_->topic<int>();
  outcome<std::size_t> published;
  EXPECT_EQ(run(published, topic.async_publish(7)).value, 2u);
  loop_.run_until([&] { return got.size() == 2; });
  EXPECT_EQ(got, (numbers{7, 7}));
  EXPECT_EQ(texts, 0);
}

TEST_F(event_bus_test, subjects_are_matched_by_patterns) {
  std::vector<std::string> got;
  auto const paid = bus_->subscribe<int>("orders.*.paid", loop_.context, [&](event<int> const& e) {
    got.push_back("paid " + std::string(e.subject()));
  });
  auto const all = bus_->subscribe<int>("orders.>", loop_.context, [&](event<int> const& e) {
    got.push_back("all " + std::string(e.subject()));
  });
  EXPECT_EQ(bus_->try_publish("orders.eu.paid", 1), 2u);
  EXPECT_EQ(bus_->try_publish("orders.eu.sent", 1), 1u);
  EXPECT_EQ(bus_->try_publish("orders", 1), 0u);
  loop_.run_until([&] { return got.size() == 3; });
  EXPECT_EQ(got, (std::vector<std::string>{"paid orders.eu.paid", "all orders.eu.paid",
                                           "all orders.eu.sent"}));
}

TEST_F(event_bus_test, what_is_no_subject_is_refused) {
  EXPECT_THROW((void)bus_->topic<int>("a.*"), std::invalid_argument);
  EXPECT_THROW((void)bus_->try_publish("a..b", 1), std::invalid_argument);
  EXPECT_THROW((void)bus_->stream<int>("a.>.b", loop_.executor()), std::invalid_argument);
}

TEST_F(event_bus_test, one_object_is_shared_by_all_and_never_copied) {
  std::vector<void const*> seen;
  auto const note = [&](std::unique_ptr<int> const& value) { seen.push_back(value.get()); };
  auto const first = bus_->subscribe<std::unique_ptr<int>>("a", loop_.context, note);
  auto const second = bus_->subscribe<std::unique_ptr<int>>("a", loop_.context, note);
  auto value = std::make_unique<int>(1);
  void const* const where = value.get();
  (void)bus_->try_publish("a", std::move(value));
  loop_.run_until([&] { return seen.size() == 2; });
  EXPECT_EQ(seen, (std::vector<void const*>{where, where}));
}

TEST_F(event_bus_test, publisher_is_held_back_until_there_is_a_place) {
  auto const slow = stream(full_policy::wait, 1);
  auto const quick = stream(full_policy::wait, 8);
  auto const topic = bus_->topic<int>();
  outcome<std::size_t> first, second, third;
  run(first, topic.async_publish(1));
  topic.async_publish(2, keep<std::size_t>(second));
  topic.async_publish(3, keep<std::size_t>(third));
  loop_.poll();
  EXPECT_FALSE(second.done() || third.done());
  EXPECT_FALSE(topic.try_publish(4)) << "overtook those who wait";
  EXPECT_EQ(drain(quick), (numbers{1, 2, 3}));
  EXPECT_EQ(*slow.try_next(), 1);
  loop_.run_until([&] { return second.done(); });
  EXPECT_EQ(second.value, 2u);
  EXPECT_FALSE(third.done());
  EXPECT_EQ(drain(slow), (numbers{2, 3}));
  loop_.run_until([&] { return third.done(); });
}

TEST_F(event_bus_test, publisher_that_gives_up_leaves_nothing_with_those_who_held_it_back) {
  auto const slow = stream(full_policy::wait, 1);
  auto const quick = stream(full_policy::wait, 8);
  auto const topic = bus_->topic<int>();
  asio::cancellation_signal signal;
  outcome<std::size_t> first, cancelled, late;
  run(first, topic.async_publish(1));
  topic.async_publish(2, asio::bind_cancellation_slot(signal.slot(), keep<std::size_t>(cancelled)));
  topic.async_publish(3).within(nanoseconds(1))(keep<std::size_t>(late));
  signal.emit(asio::cancellation_type::total);
  loop_.run_until([&] { return cancelled.done() && late.done(); });
  EXPECT_EQ(cancelled.code(), error::cancelled);
  EXPECT_EQ(late.code(), error::timed_out);
  EXPECT_EQ(drain(slow), (numbers{1}));
  EXPECT_EQ(drain(quick), (numbers{1, 2, 3}));
  EXPECT_EQ(slow.snapshot().undelivered, 2u);
}

TEST_F(event_bus_test, policies_drop_what_they_say_and_count_it) {
  auto const oldest = stream(full_policy::drop_oldest, 2);
  auto const newest = stream(full_policy::drop_newest, 2);
  auto const latest = stream(full_policy::latest, 2);
  for (int i = 1; i != 6; ++i) (void)bus_->topic<int>().try_publish(i);
  EXPECT_EQ(drain(oldest), (numbers{4, 5}));
  EXPECT_EQ(drain(newest), (numbers{1, 2}));
  EXPECT_EQ(drain(latest), (numbers{5}));
  EXPECT_EQ(oldest.snapshot().dropped, 3u);
  EXPECT_EQ(newest.snapshot().dropped, 3u);
  EXPECT_EQ(latest.snapshot().dropped, 4u);
}

TEST_F(event_bus_test, slow_reader_is_disconnected_after_what_it_has) {
  auto const slow = stream(full_policy::disconnect, 2);
  auto const topic = bus_->topic<int>();
  for (int i = 1; i != 5; ++i) (void)topic.try_publish(i);
  EXPECT_EQ(topic.subscribers(), 0u);
  outcome<event<int>> first, second, third;
  EXPECT_EQ(**run(first, slow.async_next()).value, 1);
  EXPECT_EQ(**run(second, slow.async_next()).value, 2);
  EXPECT_EQ(run(third, slow.async_next()).code(), error::disconnected);
}

TEST_F(event_bus_test, publisher_may_wait_until_all_have_handled_and_hears_their_errors) {
  quiet_log quiet;
  numbers got;
  auto const good = bus_->subscribe<int>(loop_.context, into(got));
  auto const bad =
      bus_->subscribe<int>(loop_.context, [](int) { throw std::runtime_error("as it should"); });
  auto const dropping = stream(full_policy::drop_newest, 1);
  auto const topic = bus_->topic<int>();
  (void)topic.try_publish(0);
  outcome<publish_report> all;
  run(all, topic.async_publish_and_wait(1));
  EXPECT_EQ(got, (numbers{0, 1}));
  EXPECT_EQ(all.value->accepted, 2u);
  EXPECT_EQ(all.value->handled, 1u);
  EXPECT_EQ(all.value->failed, 1u);
  EXPECT_EQ(all.value->dropped, 1u);
  ASSERT_EQ(all.value->errors.size(), 1u);
  EXPECT_EQ(text_of(all.value->errors[0]), "as it should");
}

TEST_F(event_bus_test, error_of_a_handler_goes_to_its_sink_or_to_the_log) {
  quiet_log quiet;
  auto const fails = [](int) { throw std::runtime_error("as it should"); };
  std::string told;
  auto const sunk =
      bus_->subscribe<int>(loop_.context, fails, [&](std::exception_ptr e) { told = text_of(e); });
  auto const logged = bus_->subscribe<int>(loop_.context, {.name = "billing"}, fails);
  outcome<std::size_t> published;
  EXPECT_EQ(run(published, bus_->topic<int>().async_publish(1)).value, 2u);
  EXPECT_FALSE(published.error);
  loop_.run_until([&] { return logged.snapshot().failed == 1; });
  EXPECT_EQ(told, "as it should");
  EXPECT_NE(quiet.text().find("billing"), std::string::npos);
  EXPECT_TRUE(sunk.active());
}

asio::awaitable<int> doubled(asio::io_context& loop, int value) {
  asio::steady_timer soon(loop, nanoseconds(1));
  co_await soon.async_wait(asio::use_awaitable);
  co_return 2 * value;
}

TEST_F(event_bus_test, coroutine_handlers_run_one_at_a_time_in_order) {
  numbers got;
  bool inside = false;
  auto handler = [&](int value) -> asio::awaitable<void> {
    EXPECT_FALSE(std::exchange(inside, true));
    int const twice = co_await doubled(loop_.context, value);
    got.push_back(twice);
    inside = false;
    if (value == 3) throw std::runtime_error("as it should");
  };
  int errors = 0;
  auto const subscribed =
      bus_->subscribe<int>(loop_.context, handler, [&](std::exception_ptr) { ++errors; });
  for (int i = 0; i != 40; ++i) (void)bus_->topic<int>().try_publish(i);
  loop_.run_until([&] { return got.size() == 40; });
  for (int i = 0; i != 40; ++i) EXPECT_EQ(got[static_cast<std::size_t>(i)], 2 * i);
  EXPECT_EQ(errors, 1);
}

TEST_F(event_bus_test, stream_waits_and_a_cancelled_reader_takes_nothing) {
  auto const from = stream(full_policy::wait, 4);
  asio::cancellation_signal signal;
  outcome<event<int>> first, cancelled, second;
  from.async_next(keep<event<int>>(first));
  from.async_next(asio::bind_cancellation_slot(signal.slot(), keep<event<int>>(cancelled)));
  from.async_next(keep<event<int>>(second));
  signal.emit(asio::cancellation_type::terminal);
  (void)bus_->topic<int>().try_publish(1);
  (void)bus_->topic<int>().try_publish(2);
  loop_.run_until([&] { return first.done() && second.done() && cancelled.done(); });
  EXPECT_EQ(**first.value, 1);
  EXPECT_EQ(cancelled.code(), error::cancelled);
  EXPECT_EQ(**second.value, 2);
}

TEST_F(event_bus_test, operations_work_with_awaitable_operators) {
  using namespace asio::experimental::awaitable_operators;
  auto const from = stream(full_policy::wait, 4);
  auto body = [&]() -> asio::awaitable<void> {
    asio::steady_timer never(loop_.context, hours(1));
    (void)bus_->topic<int>().try_publish(5);
    auto const got =
        co_await (from.async_next(asio::use_awaitable) || never.async_wait(asio::use_awaitable));
    EXPECT_EQ(*std::get<0>(got), 5);
    asio::steady_timer soon(loop_.context, nanoseconds(1));
    auto const none =
        co_await (from.async_next(asio::use_awaitable) || soon.async_wait(asio::use_awaitable));
    EXPECT_EQ(none.index(), 1u);
    std::size_t const accepted = co_await bus_->topic<int>().async_publish(6);
    EXPECT_EQ(accepted, 1u);
    auto const [failed, last] = co_await from.async_next(asio::as_tuple(asio::use_awaitable));
    EXPECT_FALSE(failed);
    EXPECT_EQ(*last, 6);
  };
  run_coroutine(body());
}

TEST_F(event_bus_test, request_is_answered_by_the_first_and_within_its_deadline) {
  int worked = 0;
  auto const add_one = bus_->serve<int, int>("math.*", loop_.context, [&](int x) {
    ++worked;
    return x + 1;
  });
  auto const also = bus_->serve<int, int>("math.inc", loop_.context, [&](int x) {
    ++worked;
    return x + 2;
  });
  auto const text = bus_->serve<int, std::string>(
      "math.inc", loop_.context, [&](int x) -> asio::awaitable<std::string> {
        int const twice = co_await doubled(loop_.context, x);
        co_return std::to_string(twice);
      });
  outcome<int> sum;
  outcome<std::string> written;
  EXPECT_EQ(run(sum, bus_->async_request<int>("math.inc", 1, hours(1))).value, 2);
  EXPECT_EQ(run(written, bus_->async_request<std::string>("math.inc", 4, hours(1))).value, "8");
  loop_.poll();
  EXPECT_EQ(worked, 1) << "work for a request that was answered";
}

TEST_F(event_bus_test, request_that_nobody_answers_says_why) {
  outcome<int> nobody, threw, late, gone;
  EXPECT_EQ(run(nobody, bus_->async_request<int>("a", 1, hours(1))).code(), error::no_subscriber);
  auto const fails =
      bus_->serve<int, int>("b", loop_.context, [](int) -> int { throw std::runtime_error("no"); });
  EXPECT_EQ(text_of(run(threw, bus_->async_request<int>("b", 1, hours(1))).error), "no");
  asio::steady_timer never(loop_.context, hours(1));
  auto const slow = bus_->serve<int, int>("c", loop_.context, [&](int x) -> asio::awaitable<int> {
    co_await never.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return x;
  });
  EXPECT_EQ(run(late, bus_->async_request<int>("c", 1, nanoseconds(1))).code(), error::timed_out);
  bus_->async_request<int>("c", 1, hours(1), keep<int>(gone));
  slow.unsubscribe();  // the second request is queued behind the first
  loop_.run_until([&] { return gone.done(); });
  EXPECT_EQ(gone.code(), error::broken_promise);
  never.cancel();
}

TEST_F(event_bus_test, sticky_topic_gives_its_last_event_to_those_who_come_later) {
  auto const state = bus_->topic<int>("state", {.sticky = true});
  (void)state.try_publish(1);
  (void)state.try_publish(2);
  auto const late = bus_->stream<int>(">", loop_.executor());
  (void)state.try_publish(3);
  EXPECT_EQ(drain(late), (numbers{2, 3}));
  EXPECT_EQ(*state.last(), 3);
  state.forget();
  auto const later = bus_->stream<int>("state", loop_.executor());
  EXPECT_TRUE(drain(later).empty());
}

TEST_F(event_bus_test, handler_may_publish_unsubscribe_and_subscribe) {
  numbers got;
  subscription once, added;
  once = bus_->subscribe<int>(loop_.context, [&](int value) {
    got.push_back(value);
    once.unsubscribe();
    added = bus_->subscribe<int>(loop_.context, into(got));
    (void)bus_->topic<int>().try_publish(value + 1);
  });
  (void)bus_->topic<int>().try_publish(1);
  (void)bus_->topic<int>().try_publish(10);
  loop_.run_until([&] { return got.size() == 2; });
  loop_.run_out();
  EXPECT_EQ(got, (numbers{1, 2}));
  EXPECT_EQ(once.snapshot().undelivered, 1u);
}

TEST_F(event_bus_test, handler_may_destroy_the_bus) {
  int calls = 0;
  auto const subscribed = bus_->subscribe<int>(loop_.context, [&](int) {
    ++calls;
    bus_.reset();
  });
  auto const topic = bus_->topic<int>();
  auto const from = stream(full_policy::wait, 4);
  (void)topic.try_publish(1);
  (void)topic.try_publish(2);
  loop_.run_out();
  EXPECT_EQ(calls, 1);
  outcome<std::size_t> published;
  EXPECT_EQ(run(published, topic.async_publish(3)).code(), error::closed);
  EXPECT_THROW((void)topic.try_publish(3), boost::system::system_error);
  outcome<event<int>> next;
  EXPECT_EQ(run(next, from.async_next()).code(), error::closed);
}

TEST_F(event_bus_test, closed_bus_takes_nothing_and_hands_on_what_it_has) {
  numbers got;
  auto const subscribed = bus_->subscribe<int>(loop_.context, into(got));
  auto const from = stream(full_policy::wait, 4);
  auto const topic = bus_->topic<int>();
  (void)topic.try_publish(1);
  bus_->close();
  outcome<std::size_t> published;
  EXPECT_EQ(run(published, topic.async_publish(2)).code(), error::closed);
  outcome<event<int>> first, second;
  EXPECT_EQ(**run(first, from.async_next()).value, 1);
  EXPECT_EQ(run(second, from.async_next()).code(), error::closed);
  EXPECT_EQ(got, (numbers{1}));
  EXPECT_FALSE(subscribed.active());
}

}  // namespace
}  // namespace tokengate::test
