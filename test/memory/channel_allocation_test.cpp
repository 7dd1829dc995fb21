// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <thread>

#include "memory/warm_allocations.hpp"
#include "support/loop.hpp"
#include "tokengate/channel.hpp"

// What waits cost in calls of operator new, on all threads together, once the pools are warm.

namespace tokengate::test {
namespace {

constexpr int warm_up = 3000;
constexpr int rounds = 2000;

class channel_allocation : public warm_allocations<testing::TestWithParam<channel_flavour>> {
 public:
  loop loop_;
  channel<int> channel_{loop_.executor(), {.capacity = 16, .flavour = GetParam()}};
};

INSTANTIATE_TEST_SUITE_P(each, channel_allocation,
                         testing::Values(channel_flavour::any_to_any, channel_flavour::one_to_one),
                         [](auto const& each) {
                           return each.param == channel_flavour::any_to_any ? "any" : "ring";
                         });

asio::awaitable<void> send(channel<int>* to) {
  for (int i = 0; i != warm_up + rounds; ++i) co_await to->async_send(i);
}
asio::awaitable<void> receive(channel<int>* from, std::uint64_t* used, bool limited) {
  std::uint64_t before = 0;
  for (int i = 0; i != warm_up + rounds; ++i) {
    if (i == warm_up) before = allocations();
    if (limited)
      co_await from->async_receive().within(std::chrono::hours(1));
    else
      co_await from->async_receive();
  }
  *used = allocations() - before;
}

TEST_P(channel_allocation, coroutines_on_one_loop_take_none) {
  std::uint64_t used = ~0ull;
  asio::co_spawn(loop_.context, send(&channel_), asio::detached);
  asio::co_spawn(loop_.context, receive(&channel_, &used, false), asio::detached);
  loop_.run_out();
  EXPECT_LE(used, 2 * few);
}

TEST_P(channel_allocation, waits_with_a_limit_take_none) {
  std::uint64_t used = ~0ull;
  asio::co_spawn(loop_.context, send(&channel_), asio::detached);
  asio::co_spawn(loop_.context, receive(&channel_, &used, true), asio::detached);
  loop_.run_out();
  EXPECT_LE(used, 2 * few);
}

TEST_P(channel_allocation, thread_that_feeds_a_loop_takes_none) {
  std::uint64_t used = ~0ull;
  asio::co_spawn(loop_.context, receive(&channel_, &used, false), asio::detached);
  std::jthread feeder([this] {
    for (int i = 0; i != warm_up + rounds; ++i) channel_.send(i);
  });
  loop_.run_out();
  EXPECT_LE(used, 2 * few);
}

}  // namespace
}  // namespace tokengate::test
