// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/hot_waits.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "cgroup.hpp"
#include "core_load.hpp"
#include "support/blocker.hpp"
#include "support/gate_fixture.hpp"
#include "support/loop.hpp"
#include "tokengate/channel.hpp"
#include "topology.hpp"

// Turns that stay armed for what other threads complete. `always` does not depend on the machine.

namespace tokengate::test {
namespace {

using namespace std::chrono_literals;

int hot_queues() {
  return detail::core_load::get().hot_queues.load();
}

class hot_waits_test : public ::testing::Test {
 protected:
  void receive() {
    items.async_receive()([this](std::exception_ptr const& failed, int) {
      if (!failed) ++arrived;
    });
  }
  void send_from_elsewhere() {
    std::thread([this] { ASSERT_TRUE(items.try_send(1)); }).join();
  }
  /// Two wait, and another thread completes one of them.
  void become_hot() {
    receive();
    receive();
    send_from_elsewhere();
    ASSERT_EQ(here.context.poll_one(), 1u);
    ASSERT_EQ(arrived, 1);
  }
  std::size_t handlers(int tries) {
    std::size_t ran = 0;
    for (int i = 0; i != tries; ++i) ran += here.context.poll_one();
    return ran;
  }

  loop here;
  channel<int> items{here.executor(), 8};
  int arrived = 0;
};

TEST_F(hot_waits_test, a_turn_stays_armed_after_a_completion_from_another_thread) {
  hot_waits(here.context, hot_drain::always, 1h);
  become_hot();
  EXPECT_EQ(handlers(100), 100u);
  EXPECT_EQ(hot_queues(), 1);
}

TEST_F(hot_waits_test, off_runs_the_handlers_and_nothing_else) {
  hot_waits(here.context, hot_drain::off);
  become_hot();
  EXPECT_EQ(handlers(100), 0u);
}

TEST_F(hot_waits_test, completion_on_the_loop_itself_makes_nothing_hot) {
  hot_waits(here.context, hot_drain::always, 1h);
  receive();
  receive();
  asio::post(here.context, [this] { EXPECT_TRUE(items.try_send(1)); });
  EXPECT_EQ(handlers(100), 2u);
  EXPECT_EQ(arrived, 1);
}

TEST_F(hot_waits_test, what_comes_while_it_is_hot_is_delivered) {
  hot_waits(here.context, hot_drain::always, 1h);
  become_hot();
  send_from_elsewhere();
  here.run_until([&] { return arrived == 2; });
}

TEST_F(hot_waits_test, run_returns_when_nothing_waits_any_more) {
  hot_waits(here.context, hot_drain::always, 1h);
  become_hot();
  send_from_elsewhere();
  here.run_out();
  EXPECT_EQ(arrived, 2);
  EXPECT_EQ(hot_queues(), 0);
}

TEST_F(hot_waits_test, spell_ends_at_its_limit) {
  hot_waits(here.context, hot_drain::always, 1ms);
  become_hot();
  here.context.poll();  // would never return if it did not
  EXPECT_EQ(handlers(10), 0u);
  EXPECT_EQ(hot_queues(), 0);
  send_from_elsewhere();
  here.run_out();
  EXPECT_EQ(arrived, 2);
}

TEST_F(hot_waits_test, limit_may_be_as_long_as_can_be) {
  hot_waits(here.context, hot_drain::always, std::chrono::nanoseconds::max());
  become_hot();
  EXPECT_EQ(handlers(100), 100u);
}

TEST_F(hot_waits_test, poll_returns_though_completions_keep_coming) {
  std::atomic<bool> quit{false};
  std::function<void()> next = [&] {
    items.async_receive()([&](std::exception_ptr const& failed, int) {
      if (!failed) next();
    });
  };
  next();
  std::thread sender([&] {
    while (!quit) static_cast<void>(items.try_send(1));
  });
  for (int i = 0; i != 3; ++i) here.context.poll();
  quit = true;
  sender.join();
  items.close();
  here.run_out();
}

TEST_F(hot_waits_test, other_handlers_get_their_turn) {
  hot_waits(here.context, hot_drain::always, 1h);
  become_hot();
  for (int i = 0; i != 10; ++i) {
    bool ran = false;
    asio::post(here.context, [&] { ran = true; });
    handlers(2);
    EXPECT_TRUE(ran);
  }
}

TEST_F(hot_waits_test, exception_of_a_handler_leaves_the_rest) {
  hot_waits(here.context, hot_drain::always, 1h);
  constexpr int many = 8;
  int thrown = 0;
  for (int i = 0; i != many; ++i)
    items.async_receive()(
        [](std::exception_ptr const&, int) { throw std::runtime_error("from a handler"); });
  receive();
  std::thread([this] {
    for (int i = 0; i != many; ++i) items.send(i);
  }).join();
  while (thrown != many) {
    try {
      here.context.run_one();
    } catch (std::runtime_error const&) {
      ++thrown;
    }
  }
  EXPECT_EQ(arrived, 0);
  send_from_elsewhere();
  here.run_out();
  EXPECT_EQ(arrived, 1);
}

TEST_F(hot_waits_test, a_context_that_goes_is_not_hot) {
  auto context = std::make_unique<asio::io_context>();
  hot_waits(*context, hot_drain::always, 1h);
  channel<int> line(context->get_executor(), 1);
  for (int i = 0; i != 2; ++i) line.async_receive()([](std::exception_ptr const&, int) {});
  std::thread([&] { EXPECT_TRUE(line.try_send(1)); }).join();
  context->poll_one();
  EXPECT_EQ(hot_queues(), 1);
  context.reset();
  EXPECT_EQ(hot_queues(), 0);
}

TEST_F(hot_waits_test, switching_off_ends_the_spell) {
  hot_waits(here.context, hot_drain::always, 1h);
  become_hot();
  hot_waits(here.context, hot_drain::off);
  EXPECT_EQ(hot_queues(), 0);
  EXPECT_LE(handlers(10), 1u);  // the turn that was posted
}

TEST_F(hot_waits_test, spells_that_find_nothing_are_followed_by_longer_pauses) {
  auto const quota = detail::cgroup_cpu_quota();
  if (detail::affinity_mask().size() < 2 || (quota && *quota < 2))
    GTEST_SKIP() << "automatic polls on one core never";
  hot_waits(here.context, hot_drain::automatic, 20ms);
  receive();  // one is always left
  std::vector<bool> hot;
  for (int i = 0; i != 15; ++i) {
    receive();
    send_from_elsewhere();
    hot.push_back(here.context.poll() > 2);
  }
  std::vector<bool> expected;
  for (int pause : {1, 3, 7, 15}) {
    expected.push_back(true);
    expected.insert(expected.end(), static_cast<std::size_t>(pause), false);
  }
  expected.resize(hot.size());
  EXPECT_EQ(hot, expected);
}

TEST_F(hot_waits_test, automatic_leaves_the_cores_to_workers_that_are_awake) {
  hot_waits(here.context, hot_drain::automatic, 20ms);
  auto const cores = detail::affinity_mask().size();
  worker_pool workers(small_pool(cores));
  gate through(here.executor(), workers);
  blocker busy;
  std::size_t ended = 0;
  for (std::size_t i = 0; i != cores; ++i)
    through.async_run(busy.function(), [&](std::exception_ptr) { ++ended; });
  busy.wait_entered(static_cast<int>(cores));
  receive();
  receive();
  send_from_elsewhere();
  here.run_until([&] { return arrived == 1; });
  EXPECT_EQ(hot_queues(), 0);
  busy.release();
  send_from_elsewhere();
  here.run_until([&] { return ended == cores && arrived == 2; });
}

TEST(hot_waits_threads, nothing_is_lost_on_a_loop_of_several_threads) {
  constexpr int senders = 2;
  constexpr int each = 20'000;
  asio::io_context context;
  hot_waits(context, hot_drain::always);
  channel<int> line(context.get_executor(), 4);
  std::atomic<int> left{senders * each};
  struct receiver {
    channel<int>& from;
    std::atomic<int>& left;
    void operator()(std::exception_ptr const& failed, int) const {
      if (failed) return;
      if (--left == 0) from.close();
      from.async_receive()(receiver{from, left});
    }
  };
  for (int i = 0; i != 3; ++i) line.async_receive()(receiver{line, left});
  std::vector<std::thread> threads;
  for (int i = 0; i != 2; ++i) threads.emplace_back([&] { context.run(); });
  for (int i = 0; i != senders; ++i)
    threads.emplace_back([&] {
      for (int at = 0; at != each; ++at) line.send(at);
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(left, 0);
  EXPECT_EQ(hot_queues(), 0);
}

}  // namespace
}  // namespace tokengate::test
