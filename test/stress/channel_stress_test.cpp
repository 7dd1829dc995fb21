// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Channels between real threads: order of each sender, and nothing lost among many items with
// random cancellations, closes and exceptions. Histories: channel_history_test.cpp.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <cstdint>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "stress/scaled.hpp"
#include "support/outcome.hpp"
#include "support/patience.hpp"
#include "tokengate/channel.hpp"

namespace tokengate::test {
namespace {

using namespace std::chrono_literals;

/// Of the number of items.
auto const scale = scaled(20U, 20U);

// --- nothing is lost ---

struct parcel {
  std::uint32_t from = 0;
  std::uint32_t number = 0;
};

/// What all parties have counted.
struct ledger {
  std::atomic<std::uint64_t> sent{0};
  std::atomic<std::uint64_t> received{0};
  std::atomic<std::uint64_t> checksum{0};  ///< of what was sent, less what was received
  std::atomic<std::uint64_t> given_up{0};
};

struct chaos {
  channel_flavour flavour;
  int senders;
  int receivers;
  std::uint32_t each;
  std::size_t capacity;
};

/// Sends its share, sometimes without patience, and again what came back.
asio::awaitable<void> send_share(channel<parcel>* to, ledger* books, std::uint32_t from,
                                 std::uint32_t count) {
  std::minstd_rand random(from + 1);
  for (std::uint32_t i = 0; i != count; ++i) {
    parcel next{from, i};
    for (;;) {
      std::exception_ptr failed;
      if (random() % 64 == 0) {
        auto impatient = to->async_send_from(next).within(1us);
        auto [ended] = co_await std::move(impatient)(asio::as_tuple(asio::use_awaitable));
        failed = ended;
      } else {
        auto [ended] = co_await to->async_send_from(next, asio::as_tuple(asio::use_awaitable));
        failed = ended;
      }
      if (!failed) break;
      ++books->given_up;
      if (code_of(failed) == error::closed) co_return;
    }
    ++books->sent;
    books->checksum += from * 1'000'003ULL + i;
  }
}

asio::awaitable<void> receive_share(channel<parcel>* from, ledger* books, std::uint32_t seed,
                                    bool in_order) {
  std::minstd_rand random(seed);
  std::vector<std::uint32_t> next(8, 0);
  std::vector<parcel> batch;
  for (;;) {
    batch.clear();
    std::exception_ptr failed;
    if (random() % 4 == 0) {
      auto [ended, item] = co_await from->async_receive(asio::as_tuple(asio::use_awaitable));
      if (!ended) batch.push_back(item);
      failed = ended;
    } else if (random() % 64 == 0) {
      auto impatient = from->async_receive().within(1us);
      auto [ended, item] = co_await std::move(impatient)(asio::as_tuple(asio::use_awaitable));
      if (!ended) batch.push_back(item);
      failed = ended;
    } else {
      auto some = from->async_receive_some(batch, 16);
      auto [ended, count] = co_await std::move(some)(asio::as_tuple(asio::use_awaitable));
      failed = ended;
    }
    for (parcel const& each : batch) {
      ++books->received;
      books->checksum -= each.from * 1'000'003ULL + each.number;
      if (in_order) {
        EXPECT_EQ(each.number, next[each.from]++) << "overtaken";
      }
    }
    if (failed && code_of(failed) == error::closed) co_return;
  }
}

void lose_nothing(chaos const& order) {
  ledger books;
  channel<parcel> between({.capacity = order.capacity, .flavour = order.flavour});
  std::vector<std::unique_ptr<asio::io_context>> loops;
  std::atomic<int> sending{order.senders};
  for (int i = 0; i != order.senders + order.receivers; ++i) {
    auto& loop = *loops.emplace_back(std::make_unique<asio::io_context>(1));
    if (i < order.senders)
      asio::co_spawn(loop, send_share(&between, &books, static_cast<std::uint32_t>(i), order.each),
                     [&](std::exception_ptr) {
                       if (--sending == 0) between.close();
                       throw 1;  // a handler that throws: the loop goes on
                     });
    else
      asio::co_spawn(
          loop,
          receive_share(&between, &books, static_cast<std::uint32_t>(i), order.receivers == 1),
          asio::detached);
  }
  {
    std::vector<std::jthread> threads;
    for (auto& each : loops)
      threads.emplace_back([&loop = *each] {
        while (!loop.stopped()) {
          try {
            loop.run();
          } catch (int) {
          }
        }
      });
  }
  EXPECT_EQ(books.sent, static_cast<std::uint64_t>(order.senders) * order.each);
  EXPECT_EQ(books.received, books.sent);
  EXPECT_EQ(books.checksum, 0u);
}

TEST(channel_between_loops, two_senders_and_two_receivers_lose_nothing) {
  lose_nothing({channel_flavour::any_to_any, 2, 2, 50'000U * scale, 64});
}
TEST(channel_between_loops, three_senders_and_one_receiver_keep_each_senders_order) {
  lose_nothing({channel_flavour::any_to_any, 3, 1, 30'000U * scale, 8});
}
TEST(channel_between_loops, one_sender_and_one_receiver_lose_nothing) {
  lose_nothing({channel_flavour::one_to_one, 1, 1, 150'000U * scale, 128});
}
TEST(channel_between_loops, rendezvous_loses_nothing) {
  lose_nothing({channel_flavour::any_to_any, 2, 2, 2'000U * scale, 0});
}

TEST(channel_between_threads, blocking_ends_lose_nothing) {
  std::uint32_t const each = 20'000U * scale;
  for (auto flavour : {channel_flavour::any_to_any, channel_flavour::one_to_one}) {
    channel<std::uint32_t> between({.capacity = 32, .flavour = flavour});
    std::jthread sender([&] {
      for (std::uint32_t i = 0; i != each; ++i) between.send(i);
      between.close();
    });
    std::vector<std::uint32_t> got;
    std::uint32_t next = 0;
    for (;;) {
      got.clear();
      try {
        between.receive_some(got);
      } catch (boost::system::system_error const&) {
        break;
      }
      for (auto item : got) ASSERT_EQ(item, next++);
    }
    EXPECT_EQ(next, each);
  }
}

TEST(channel_closed_at_random, accepted_items_are_all_received) {
  for (std::uint32_t round = 0; round != 100 * scale; ++round) {
    auto const flavour = round % 2 == 0 ? channel_flavour::any_to_any : channel_flavour::one_to_one;
    channel<int> between({.capacity = 4, .flavour = flavour});
    int accepted = 0, received = 0;
    {
      std::jthread closer([&] {
        for (auto i = round % 200; i != 0; --i) detail::std_sync::spin_hint();
        between.close();
      });
      std::jthread sender([&] {
        try {
          for (;; ++accepted) between.send(accepted);
        } catch (not_sent<int> const& back) {
          EXPECT_EQ(back.item(), accepted);
        }
      });
      try {
        for (;; ++received) EXPECT_EQ(between.receive(), received);
      } catch (boost::system::system_error const& end) {
        EXPECT_EQ(end.code(), error::closed);
      }
    }
    ASSERT_EQ(accepted, received);
  }
}

}  // namespace
}  // namespace tokengate::test
