// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// broadcast and watch. Their order and loss by value: unit/broadcast_core_test.cpp and
// unit/watch_core_test.cpp.
#include "tokengate/broadcast.hpp"

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/loop.hpp"
#include "support/outcome.hpp"
#include "tokengate/watch.hpp"

namespace tokengate {
namespace {

using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;
using test::keep;
using test::outcome;

class broadcasts : public testing::Test {
 public:
  void TearDown() override { loop_.run_out(); }
  test::loop loop_;
  broadcast<std::string> news_{loop_.context, 4};
};

TEST_F(broadcasts, every_reader_gets_every_item_and_all_share_it) {
  auto first = news_.subscribe();
  auto second = news_.subscribe();
  outcome<broadcast_item<std::string>> got, also;
  first.async_receive(keep(got));
  outcome<void> sent;
  news_.async_send("hello", keep(sent));
  EXPECT_FALSE(got.done());
  loop_.poll();
  second.async_receive(keep(also));
  loop_.poll();
  EXPECT_TRUE(sent.done() && !sent.error);
  EXPECT_EQ(**got.value, "hello");
  EXPECT_EQ(got.value->value, also.value->value) << "one object";
}

TEST_F(broadcasts, slow_reader_holds_the_sender_back_in_a_coroutine) {
  auto slow = news_.subscribe();
  std::string order;
  auto const send = [](broadcast<std::string>* news, std::string* order) -> asio::awaitable<void> {
    for (int i = 0; i != 8; ++i) {
      co_await news->async_send(std::to_string(i));
      *order += 's';
    }
    news->close();
  };
  auto const read = [](broadcast<std::string>::reader* from,
                       std::string* order) -> asio::awaitable<void> {
    try {
      for (int i = 0;; ++i) {
        auto const item = co_await from->async_receive();
        EXPECT_EQ(*item, std::to_string(i));
        *order += 'r';
      }
    } catch (boost::system::system_error const& ended) {
      EXPECT_EQ(ended.code(), tokengate::error::closed);
    }
  };
  asio::co_spawn(loop_.context, send(&news_, &order), asio::detached);
  loop_.poll();
  EXPECT_EQ(order, "ssss") << "the capacity";
  asio::co_spawn(loop_.context, read(&slow, &order), asio::detached);
  loop_.run_out();
  EXPECT_EQ(std::count(order.begin(), order.end(), 's'), 8);
  EXPECT_EQ(std::count(order.begin(), order.end(), 'r'), 8) << "what was sent before close too";
}

TEST_F(broadcasts, reader_that_may_skip_is_told_how_many_it_lost) {
  auto hasty = news_.subscribe(lag_policy::skip);
  for (int i = 0; i != 10; ++i) EXPECT_TRUE(news_.try_send(std::to_string(i)));
  EXPECT_EQ(hasty.lag(), 10u);
  auto const got = hasty.try_receive();
  EXPECT_EQ(*got, "6");
  EXPECT_EQ(got.skipped, 6u);
  EXPECT_EQ(hasty.skipped(), 6u);
}

TEST_F(broadcasts, late_reader_may_begin_with_what_is_kept) {
  for (int i = 0; i != 6; ++i) EXPECT_TRUE(news_.try_send(std::to_string(i)));
  auto late = news_.subscribe(lag_policy::wait, join_at::oldest);
  auto later = news_.subscribe();
  EXPECT_EQ(*late.try_receive(), "2");
  EXPECT_FALSE(later.try_receive());
  EXPECT_EQ(news_.readers(), 2u);
}

TEST_F(broadcasts, cancelled_receive_takes_no_item_and_cancelled_send_sends_none) {
  auto reader = news_.subscribe();
  outcome<broadcast_item<std::string>> by_slot, by_reader, limited;
  asio::cancellation_signal signal;
  reader.async_receive(asio::bind_cancellation_slot(signal.slot(), keep(by_slot)));
  signal.emit(asio::cancellation_type::total);
  reader.async_receive(keep(by_reader));
  reader.cancel();
  reader.async_receive().within(1ms)(keep(limited));
  loop_.run_until([&] { return limited.done(); });
  EXPECT_EQ(by_slot.code(), tokengate::error::cancelled);
  EXPECT_EQ(by_reader.code(), tokengate::error::cancelled);
  EXPECT_EQ(limited.code(), tokengate::error::timed_out);
  for (int i = 0; i != 4; ++i) EXPECT_TRUE(news_.try_send(std::to_string(i)));
  auto const kept = std::make_shared<std::string const>("kept");
  outcome<void> sent;
  news_.async_send(kept, keep(sent));
  news_.cancel();
  loop_.run_out();
  EXPECT_EQ(sent.code(), tokengate::error::cancelled);
  EXPECT_EQ(kept.use_count(), 1) << "the sender has it back";
  for (int i = 0; i != 4; ++i) EXPECT_EQ(*reader.try_receive(), std::to_string(i));
  EXPECT_FALSE(reader.try_receive());
}

TEST_F(broadcasts, item_on_its_way_to_a_cancelled_receive_is_not_lost) {
  auto reader = news_.subscribe();
  asio::cancellation_signal signal;
  outcome<broadcast_item<std::string>> gone, next;
  reader.async_receive(asio::bind_cancellation_slot(signal.slot(), keep(gone)));
  asio::post(loop_.context, [&] {
    EXPECT_TRUE(news_.try_send("1"));
    signal.emit(asio::cancellation_type::total);  // decided, and not delivered
    EXPECT_TRUE(news_.try_send("2"));
  });
  loop_.run_until([&] { return gone.done(); });
  EXPECT_EQ(gone.code(), tokengate::error::cancelled);
  EXPECT_EQ(*reader.try_receive(), "1");
  reader.async_receive(keep(next));
  loop_.poll();
  EXPECT_EQ(**next.value, "2");

  // With another receive behind it, that one gets it.
  outcome<broadcast_item<std::string>> given_up, behind;
  reader.async_receive(asio::bind_cancellation_slot(signal.slot(), keep(given_up)));
  reader.async_receive(keep(behind));
  asio::post(loop_.context, [&] {
    EXPECT_TRUE(news_.try_send("3"));
    signal.emit(asio::cancellation_type::total);
  });
  loop_.run_until([&] { return given_up.done() && behind.done(); });
  EXPECT_EQ(given_up.code(), tokengate::error::cancelled);
  EXPECT_EQ(**behind.value, "3");
}

TEST_F(broadcasts, value_on_its_way_to_a_cancelled_wait_for_a_change_is_not_seen) {
  watch<int> price(loop_.context, 1);
  auto reader = price.subscribe();
  asio::cancellation_signal signal;
  outcome<std::shared_ptr<int const>> gone, next;
  reader.async_changed(asio::bind_cancellation_slot(signal.slot(), keep(gone)));
  asio::post(loop_.context, [&] {
    price.set(2);
    signal.emit(asio::cancellation_type::total);
  });
  loop_.run_until([&] { return gone.done(); });
  EXPECT_EQ(gone.code(), tokengate::error::cancelled);
  EXPECT_TRUE(reader.has_changed());
  reader.async_changed(keep(next));
  loop_.poll();
  EXPECT_EQ(**next.value, 2);
}

TEST_F(broadcasts, end_of_a_reader_ends_its_receives_and_frees_the_sender) {
  std::optional reader(news_.subscribe());
  outcome<broadcast_item<std::string>> waiting;
  reader->async_receive(keep(waiting));
  for (int i = 0; i != 5; ++i) EXPECT_TRUE(news_.try_send("x"));
  loop_.poll();
  EXPECT_TRUE(waiting.value);
  outcome<broadcast_item<std::string>> never;
  outcome<void> held_back;
  news_.async_send("y", keep(held_back));
  loop_.poll();
  EXPECT_FALSE(held_back.done());
  while (reader->try_receive()) {
  }
  reader->async_receive(keep(never));
  reader.reset();
  loop_.run_out();
  EXPECT_TRUE(held_back.done());
  EXPECT_EQ(never.code(), tokengate::error::closed);
  EXPECT_EQ(news_.readers(), 0u);
}

TEST_F(broadcasts, reader_outlives_the_broadcast_and_gets_the_rest) {
  auto short_lived = std::make_unique<broadcast<std::unique_ptr<int>>>(loop_.context, 2);
  auto reader = short_lived->subscribe();
  EXPECT_TRUE(short_lived->try_send(std::make_unique<int>(3)));
  short_lived.reset();
  outcome<broadcast_item<std::unique_ptr<int>>> got, none;
  reader.async_receive(keep(got));
  reader.async_receive(keep(none));
  loop_.run_out();
  EXPECT_EQ(***got.value, 3);
  EXPECT_EQ(none.code(), tokengate::error::closed);
}

TEST_F(broadcasts, plain_threads_have_blocking_ends) {
  auto reader = news_.subscribe();
  std::jthread sending([&] {
    for (int i = 0; i != 100; ++i) news_.send(std::to_string(i));
  });
  for (int i = 0; i != 100; ++i) EXPECT_EQ(*reader.receive(), std::to_string(i));
  EXPECT_THROW((void)reader.receive(1ns), boost::system::system_error);
}

// watch

TEST_F(broadcasts, watch_gives_the_latest_and_passes_over_the_rest) {
  watch<int> price(loop_.context, 1);
  auto reader = price.subscribe();
  EXPECT_FALSE(reader.has_changed());
  outcome<std::shared_ptr<int const>> got, next;
  reader.async_changed(keep(got));
  price.set(2);
  price.set(3);
  loop_.poll();
  EXPECT_EQ(**got.value, 3);
  EXPECT_FALSE(reader.has_changed());
  reader.async_changed(keep(next));
  loop_.poll();
  EXPECT_FALSE(next.done());
  price.set(4);
  loop_.poll();
  EXPECT_EQ(**next.value, 4);
  EXPECT_EQ(*price.get(), 4);
}

TEST_F(broadcasts, watch_reader_counts_what_it_was_too_late_for) {
  watch<int> price(loop_.context, 1);
  price.set(2);
  auto reader = price.subscribe();
  EXPECT_EQ(reader.skipped(), 0u) << "what came before it subscribed is nothing to it";
  price.set(3);
  EXPECT_EQ(*reader.get_and_mark_seen(), 3);
  EXPECT_EQ(*reader.get_and_mark_seen(), 3);
  EXPECT_EQ(reader.skipped(), 0u);
  for (int value : {4, 5, 6}) price.set(value);
  EXPECT_EQ(*reader.get(), 6);
  EXPECT_EQ(reader.skipped(), 0u) << "a look is not a reading";
  auto copy = reader;
  EXPECT_EQ(*reader.changed(), 6);
  EXPECT_EQ(reader.skipped(), 2u);
  outcome<std::shared_ptr<int const>> waiting, given_up;
  reader.async_changed().within(1ms)(keep(given_up));
  loop_.run_until([&] { return given_up.done(); });
  reader.async_changed(keep(waiting));
  for (int value : {7, 8}) price.set(value);
  EXPECT_EQ(reader.skipped(), 2u) << "it is on the way";
  loop_.poll();
  EXPECT_EQ(**waiting.value, 8);
  EXPECT_EQ(reader.skipped(), 3u);
  EXPECT_EQ(copy.skipped(), 0u);
  EXPECT_EQ(*copy.changed(), 8);
  EXPECT_EQ(copy.skipped(), 4u);
  EXPECT_EQ(watch<int>::reader(reader).skipped(), 3u) << "of the same past";
  price.close();
  EXPECT_EQ(reader.skipped(), 3u);
}

TEST_F(broadcasts, watch_wait_that_is_given_up_has_seen_nothing) {
  watch<int> price(loop_.context, 1);
  auto reader = price.subscribe();
  outcome<std::shared_ptr<int const>> limited;
  reader.async_changed().within(1ms)(keep(limited));
  loop_.run_until([&] { return limited.done(); });
  EXPECT_EQ(limited.code(), tokengate::error::timed_out);
  price.set(5);
  auto copy = reader;
  EXPECT_TRUE(reader.has_changed());
  EXPECT_EQ(*reader.get(), 5);
  EXPECT_EQ(*reader.get_and_mark_seen(), 5);
  EXPECT_FALSE(reader.has_changed());
  EXPECT_TRUE(copy.has_changed());
  EXPECT_EQ(*copy.changed(), 5);
}

TEST_F(broadcasts, closed_watch_gives_what_was_not_seen_and_then_ends) {
  auto price = std::make_unique<watch<int>>(loop_.context, 1);
  auto reader = price->subscribe();
  auto other = price->subscribe();
  outcome<std::shared_ptr<int const>> waiting, last, none;
  price->set(2);
  EXPECT_EQ(*other.get_and_mark_seen(), 2);
  other.async_changed(keep(waiting));
  price.reset();
  reader.async_changed(keep(last));
  loop_.poll();
  reader.async_changed(keep(none));
  loop_.run_out();
  EXPECT_EQ(waiting.code(), tokengate::error::closed);
  EXPECT_EQ(**last.value, 2);
  EXPECT_EQ(none.code(), tokengate::error::closed);
}

TEST_F(broadcasts, reader_that_polls_learns_of_the_end) {
  auto reader = news_.subscribe();
  EXPECT_FALSE(news_.closed() || reader.closed());
  EXPECT_TRUE(news_.try_send("last"));
  news_.close();
  EXPECT_TRUE(news_.closed());
  int got = 0;
  for (bool ended = false; !ended;) {
    bool const closed = reader.closed();
    auto const item = reader.try_receive();
    got += item ? 1 : 0;
    ended = closed && !item;
  }
  EXPECT_EQ(got, 1);
  watch<int> value(loop_.context, 1);
  auto watcher = value.subscribe();
  value.set(2);
  EXPECT_FALSE(value.closed() || watcher.closed());
  value.close();
  EXPECT_TRUE(value.closed() && watcher.closed());
  EXPECT_TRUE(watcher.has_changed()) << "what was not seen is still there";
}

TEST_F(broadcasts, first_of_two_readers_wins_and_the_other_loses_nothing) {
  broadcast<std::string> more(loop_.context, 4);
  auto one = news_.subscribe();
  auto two = more.subscribe();
  EXPECT_TRUE(more.try_send("b"));
  asio::co_spawn(
      loop_.context,
      [](auto* one, auto* two) -> asio::awaitable<void> {
        auto won = co_await (one->async_receive(asio::use_awaitable) ||
                             two->async_receive(asio::use_awaitable));
        EXPECT_EQ(won.index(), 1u);
      }(&one, &two),
      asio::detached);
  loop_.run_out();
  EXPECT_TRUE(news_.try_send("a"));
  EXPECT_EQ(*one.try_receive(), "a");
}

}  // namespace
}  // namespace tokengate
