// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Receives that are cancelled at random, each from its own thread, while items come from another
// one and a third asks how many there are: every item is received, once.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <cstdint>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "stress/scaled.hpp"
#include "support/outcome.hpp"
#include "tokengate/channel.hpp"
#include "tokengate/event_bus.hpp"

namespace tokengate::test {
namespace {

std::uint32_t count_of_items() {
  return scaled(200'000U, 10U);
}

std::uint32_t number_of(std::uint32_t item) {
  return item;
}
std::uint32_t number_of(event<std::uint32_t> const& item) {
  return *item;
}

/// One receive after the other on a loop of its own, each cancelled or not by a dice.
template <class Item>
class hesitant {
 public:
  /// The completion handler of a receive.
  struct told {
    hesitant* self;
    void operator()(std::exception_ptr failed, Item const& item) const {
      self->waits_ = false;
      if (!failed) self->got.push_back(number_of(item));
      auto const why = code_of(failed);
      self->given_up += why == error::cancelled ? 1 : 0;
      if (why != error::closed) self->next();
    }
  };
  using handler =
      asio::executor_binder<asio::cancellation_slot_binder<told, asio::cancellation_slot>,
                            asio::io_context::executor_type>;

  hesitant(std::function<void(handler)> begin, std::uint32_t seed)
      : begin_(std::move(begin)), random_(seed) {
    next();
  }
  void run() { loop_.run(); }

  std::vector<std::uint32_t> got;
  std::uint64_t given_up = 0;

 private:
  void next() {
    waits_ = true;
    begin_(asio::bind_executor(loop_.get_executor(),
                               asio::bind_cancellation_slot(signal_.slot(), told{this})));
    if (random_() % 2 == 0)
      asio::post(loop_, [this] {
        if (waits_) signal_.emit(asio::cancellation_type::total);
      });
  }

  std::function<void(handler)> begin_;
  asio::io_context loop_{1};
  asio::cancellation_signal signal_;
  std::minstd_rand random_;
  bool waits_ = false;
};
template <class Item>
using all_hesitant = std::vector<std::unique_ptr<hesitant<Item>>>;

/// Runs all of them while `send` is called; `rest` gives what is left in the end, one by one.
template <class Item, class Send, class Size, class Rest>
void lose_nothing(all_hesitant<Item>& all, std::uint32_t count, Send send, Size size, Rest rest) {
  std::atomic<bool> over{false};
  {
    std::jthread asker([&] {
      while (!over) size();
    });
    {
      std::vector<std::jthread> threads;
      for (auto& each : all) threads.emplace_back([&each] { each->run(); });
      send();
    }
    over = true;
  }
  std::vector<int> times(count);
  std::uint64_t given_up = 0;
  for (auto const& each : all) {
    for (auto const item : each->got) ++times[item];
    given_up += each->given_up;
  }
  // One may have seen the end while another one had an item that it then gave back.
  while (auto const item = rest()) ++times[number_of(*item)];
  for (std::uint32_t i = 0; i != count; ++i) ASSERT_EQ(times[i], 1) << "item " << i;
  EXPECT_GT(given_up, 0u);
}

void receive_hesitantly(channel_options<std::uint32_t> const& options, std::uint32_t receivers) {
  std::uint32_t const count = count_of_items() / (options.capacity == 0 ? 4 : 1);
  channel<std::uint32_t> between(options);
  all_hesitant<std::uint32_t> all;
  for (std::uint32_t i = 0; i != receivers; ++i)
    all.push_back(std::make_unique<hesitant<std::uint32_t>>(
        [&](auto handler) { between.async_receive(std::move(handler)); }, i + 1));
  lose_nothing(
      all, count,
      [&] {
        for (std::uint32_t i = 0; i != count; ++i) between.send(i);
        between.close();
      },
      [&] { EXPECT_LE(between.size(), options.capacity + receivers); },
      [&] { return between.try_receive(); });
}

TEST(give_back_between_threads, any_to_any_loses_nothing) {
  receive_hesitantly({.capacity = 4}, 3);
}
TEST(give_back_between_threads, one_to_one_loses_nothing) {
  receive_hesitantly({.capacity = 4, .flavour = channel_flavour::one_to_one}, 1);
}
TEST(give_back_between_threads, rendezvous_loses_nothing) {
  receive_hesitantly({.capacity = 0}, 3);
}

/// Some are published by one who waits until they are handled.
asio::awaitable<void> publish(topic<std::uint32_t>* to, std::uint32_t count) {
  for (std::uint32_t i = 0; i != count; ++i) {
    if (i % 4 != 0) {
      std::size_t const accepted = co_await to->async_publish(i);
      EXPECT_EQ(accepted, 1u);
      continue;
    }
    publish_report const report = co_await to->async_publish_and_wait(i);
    EXPECT_EQ(report.handled, 1u);
  }
}

TEST(give_back_between_threads, event_stream_loses_nothing) {
  std::uint32_t const count = count_of_items() / 4;
  asio::io_context publishing(1);
  event_bus bus(publishing);
  auto const events = bus.stream<std::uint32_t>(publishing.get_executor(), {.capacity = 4});
  auto to = bus.topic<std::uint32_t>();
  using item = event<std::uint32_t>;
  all_hesitant<item> all;
  for (std::uint32_t i = 0; i != 3; ++i)
    all.push_back(std::make_unique<hesitant<item>>(
        [&](auto handler) { events.async_next(std::move(handler)); }, i + 1));
  lose_nothing(
      all, count,
      [&] {
        asio::co_spawn(publishing, publish(&to, count), asio::detached);
        publishing.run();
        bus.close();
      },
      [&] { EXPECT_LE(events.snapshot().queued, 4u + 3u); },
      [&] {
        auto next = events.try_next();
        return next ? std::optional<item>(std::move(next)) : std::nullopt;
      });
  auto const books = events.snapshot();
  EXPECT_EQ(books.offered, count);
  EXPECT_EQ(books.handled, count);
}

}  // namespace
}  // namespace tokengate::test
