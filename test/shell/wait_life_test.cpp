// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/strand.hpp>
#include <memory>
#include <thread>

#include "tokengate/async_event.hpp"
#include "tokengate/async_mutex.hpp"
#include "tokengate/broadcast.hpp"
#include "tokengate/channel.hpp"
#include "tokengate/event_bus.hpp"
#include "tokengate/promise.hpp"

// Waits whose time is over before they have begun, and objects whose executor goes before them.

namespace tokengate::test {
namespace {

TEST(wait_life, limit_that_passes_while_the_wait_begins_ends_it) {
  constexpr int many = 20'000;
  asio::io_context loop;
  auto work = asio::make_work_guard(loop);
  channel<int> items(loop.get_executor(), 1);
  std::atomic<int> timed_out{0};
  std::atomic<int> others{0};
  std::thread runner([&] { loop.run(); });
  for (int i = 0; i != many; ++i)
    items.async_receive().within(std::chrono::nanoseconds(1))(
        [&](std::exception_ptr const& failed, int) {
          ++(failed == make_exception(error::timed_out) ? timed_out : others);
        });
  work.reset();
  runner.join();  // a wait that forgot its limit would keep run() from returning
  EXPECT_EQ(timed_out, many);
  EXPECT_EQ(others, 0);
}

/// Made with a strand of a context that then goes first. Sanitizers see what is touched.
template <class Object, class... Args>
void outlive_its_strand(Args&&... args) {
  auto context = std::make_unique<asio::io_context>();
  Object object(asio::any_io_executor(asio::make_strand(*context)), std::forward<Args>(args)...);
  context.reset();
}

TEST(wait_life, objects_may_outlive_the_context_of_their_strand) {
  outlive_its_strand<channel<int>>(1u);
  outlive_its_strand<async_mutex>();
  outlive_its_strand<async_event>();
  outlive_its_strand<broadcast<int>>(4u);
  outlive_its_strand<promise<int>>();
  outlive_its_strand<event_bus>();
}

TEST(wait_life, waits_on_a_strand_go_with_its_context) {
  auto context = std::make_unique<asio::io_context>();
  channel<int> items(asio::any_io_executor(asio::make_strand(*context)), 1);
  auto alive = std::make_shared<int>(0);
  items.async_receive()([alive](std::exception_ptr const&, int) {});
  EXPECT_EQ(alive.use_count(), 2);
  context.reset();
  EXPECT_EQ(alive.use_count(), 1);
  EXPECT_TRUE(items.try_send(1));
}

}  // namespace
}  // namespace tokengate::test
