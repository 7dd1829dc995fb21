// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// What was on its way to a receive that is cancelled: it is received by somebody else, before all
// that came after it. The rules by value: unit/channel_random_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "support/channel_flavours.hpp"
#include "support/loop.hpp"
#include "support/outcome.hpp"
#include "tokengate/tokengate.hpp"

namespace tokengate::test {
namespace {

using namespace asio::experimental::awaitable_operators;
using thing = std::unique_ptr<int>;
using numbers = std::vector<int>;

thing make(int value) {
  return std::make_unique<int>(value);
}

/// A receive that can be cancelled.
struct receive {
  explicit receive(channel<thing>& from) {
    from.async_receive(asio::bind_cancellation_slot(signal.slot(), keep(got)));
  }
  void cancel() {
    cancelled = true;
    signal.emit(asio::cancellation_type::total);
  }
  bool cancelled = false;
  asio::cancellation_signal signal;
  outcome<thing> got;
};

/// Waits for an item until `timer` has ended.
asio::awaitable<void> receive_or(channel<thing>* from, asio::steady_timer* timer, numbers* got) {
  auto race = from->async_receive(asio::use_awaitable) ||
              timer->async_wait(asio::as_tuple(asio::use_awaitable));
  auto first = co_await std::move(race);
  if (first.index() == 0) got->push_back(*std::get<0>(first));
}

class give_back : public testing::TestWithParam<channel_kind> {
 public:
  void TearDown() override { loop_.run_out(); }
  bool offer(int value) { return it_.try_send(make(value)); }
  numbers rest() {
    numbers all;
    while (auto item = it_.try_receive()) all.push_back(**item);
    return all;
  }
  /// What `step` decides is not delivered before it has returned.
  template <class F>
  void inside_the_loop(F step) {
    asio::post(loop_.context, std::move(step));
    loop_.poll();
  }
  [[nodiscard]] std::size_t capacity() const { return GetParam().capacity; }

  loop loop_;
  channel<thing> it_{loop_.executor(), GetParam().options<thing>()};
};

INSTANTIATE_TEST_SUITE_P(each, give_back, every_channel_kind(), name_of_kind);

TEST_P(give_back, items_of_several_receives_are_received_in_their_order_whoever_gave_up_first) {
  std::array order{0, 1, 2};
  do {
    std::array<std::optional<receive>, 3> all;
    for (auto& each : all) each.emplace(it_);
    inside_the_loop([&] {
      for (int i = 0; i != 3; ++i) EXPECT_TRUE(offer(i));
      for (int const i : order) all.at(static_cast<std::size_t>(i))->cancel();
      EXPECT_EQ(it_.size(), 3u);
      EXPECT_FALSE(it_.empty());
    });
    for (auto& each : all) EXPECT_EQ(each->got.code(), error::cancelled);
    EXPECT_EQ(rest(), (numbers{0, 1, 2}));
    EXPECT_TRUE(it_.empty());
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_P(give_back, item_is_received_although_others_have_got_later_ones) {
  receive gone(it_);
  inside_the_loop([&] {
    EXPECT_TRUE(offer(0));
    it_.async_send(make(1), asio::detached);
    EXPECT_EQ(**it_.try_receive(), 1);
    gone.cancel();
  });
  EXPECT_EQ(gone.got.code(), error::cancelled);
  EXPECT_EQ(rest(), numbers{0});
}

TEST_P(give_back, item_goes_to_who_waits) {
  receive gone(it_), next(it_);
  inside_the_loop([&] {
    EXPECT_TRUE(offer(0));
    gone.cancel();
  });
  EXPECT_EQ(gone.got.code(), error::cancelled);
  EXPECT_EQ(**next.got.value, 0);
}

TEST_P(give_back, senders_wait_while_there_is_more_than_the_capacity) {
  receive gone(it_);
  outcome<void> sent;
  int const full = static_cast<int>(capacity());
  inside_the_loop([&] {
    for (int i = 0; i != full + 1; ++i) EXPECT_TRUE(offer(i));
    it_.async_send(make(full + 1), keep(sent));
    gone.cancel();
    EXPECT_EQ(it_.size(), capacity() + 1);
    EXPECT_FALSE(offer(-1));
    EXPECT_EQ(**it_.try_receive(), 0);
  });
  EXPECT_FALSE(sent.done());
  for (int i = 1; i != full + 2; ++i) EXPECT_EQ(**it_.try_receive(), i);
  loop_.run_out();
  EXPECT_TRUE(sent.done() && !sent.error);
}

TEST_P(give_back, closed_channel_still_has_it) {
  receive first(it_), second(it_);
  inside_the_loop([&] {
    EXPECT_TRUE(offer(0));
    EXPECT_TRUE(offer(1));
    it_.close();
    second.cancel();
    first.cancel();
    EXPECT_FALSE(it_.closed() && it_.empty());
  });
  for (int i = 0; i != 2; ++i) {
    receive next(it_);
    loop_.run_out();
    EXPECT_EQ(**next.got.value, i);
  }
  receive end(it_);
  loop_.run_out();
  EXPECT_EQ(end.got.code(), error::closed);
}

/// Both items are decided when the timer of the first race, which ends before they are delivered,
/// cancels its receive.
TEST_P(give_back, race_that_the_timer_wins_loses_no_item) {
  asio::steady_timer first(loop_.context, asio::steady_timer::time_point::max());
  asio::steady_timer second(loop_.context, asio::steady_timer::time_point::max());
  numbers got, other;
  asio::co_spawn(loop_.context, receive_or(&it_, &first, &got), asio::detached);
  asio::co_spawn(loop_.context, receive_or(&it_, &second, &other), asio::detached);
  loop_.poll();
  inside_the_loop([&] {
    first.cancel();
    EXPECT_TRUE(offer(0));
    EXPECT_TRUE(offer(1));
  });
  EXPECT_EQ(got, numbers{});
  EXPECT_EQ(other, numbers{1});
  EXPECT_EQ(rest(), numbers{0});
}

TEST_P(give_back, cancelled_scope_of_consumers_loses_no_item) {
  constexpr int count = 5;
  numbers got;
  outcome<void> joined;
  task_scope<> consumers(loop_.context);
  auto const consume = [](channel<thing>* from, numbers* got) -> asio::awaitable<void> {
    for (;;) {
      auto const item = co_await from->async_receive();
      got->push_back(*item);
    }
  };
  for (int i = 0; i != count; ++i) EXPECT_TRUE(consumers.spawn(consume(&it_, &got)));
  consumers.async_join(keep(joined));
  loop_.poll();
  inside_the_loop([&] {
    for (int i = 0; i != count; ++i) EXPECT_TRUE(offer(i));
    consumers.request_cancel();
  });
  EXPECT_TRUE(joined.done());
  for (int const each : rest()) got.push_back(each);
  std::ranges::sort(got);
  EXPECT_EQ(got, (numbers{0, 1, 2, 3, 4}));
}

TEST_P(give_back, batch_that_lost_its_race_has_its_items) {
  asio::steady_timer timer(loop_.context, asio::steady_timer::time_point::max());
  std::vector<thing> batch;
  auto const race = [](channel<thing>* from, asio::steady_timer* timer,
                       std::vector<thing>* into) -> asio::awaitable<void> {
    auto both = from->async_receive_some(*into, 4, asio::use_awaitable) ||
                timer->async_wait(asio::as_tuple(asio::use_awaitable));
    static_cast<void>(co_await std::move(both));
  };
  asio::co_spawn(loop_.context, race(&it_, &timer, &batch), asio::detached);
  loop_.poll();
  inside_the_loop([&] {
    timer.cancel();
    EXPECT_TRUE(offer(0));
  });
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ(*batch[0], 0);
}

TEST_P(give_back, many_receives_that_come_and_go_lose_nothing_and_get_nothing_twice) {
  std::mt19937 random{7};
  std::array<std::unique_ptr<receive>, 4> places;
  int next = 0, given_up = 0;
  numbers got;
  auto const settle = [&](std::unique_ptr<receive>& place) {
    EXPECT_EQ(place->got.value.has_value(), !place->cancelled);
    if (place->got.value) got.push_back(**place->got.value);
    given_up += place->got.error ? 1 : 0;
    place.reset();
  };
  for (int i = 0; i != 20'000; ++i) {
    auto& place = places.at(random() % places.size());
    if (!place)
      place = std::make_unique<receive>(it_);
    else if (place->got.done())
      settle(place);
    else if (random() % 2 == 0)
      place->cancel();
    if (random() % 3 == 0 && offer(next)) ++next;
    if (random() % 3 == 0) loop_.poll_one();
    if (random() % 16 == 0)
      if (auto item = it_.try_receive()) got.push_back(**item);
  }
  for (auto& place : places) {
    if (!place) continue;
    if (!place->got.done()) place->cancel();
    loop_.run_until([&] { return place->got.done(); });
    settle(place);
  }
  for (int const each : rest()) got.push_back(each);
  std::ranges::sort(got);
  ASSERT_EQ(got.size(), static_cast<std::size_t>(next));
  for (int i = 0; i != next; ++i) ASSERT_EQ(got[static_cast<std::size_t>(i)], i);
  EXPECT_GT(given_up, 100);
}

}  // namespace
}  // namespace tokengate::test
