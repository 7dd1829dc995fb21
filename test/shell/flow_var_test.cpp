// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/flow_var.hpp"

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <future>
#include <memory>
#include <thread>

#include "support/gate_fixture.hpp"
#include "support/outcome.hpp"
#include "support/quiet_log.hpp"

namespace tokengate {
namespace {

using test::outcome;
using test::thrown_by;
using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;

class flow_variable : public test::gate_fixture {};

/// For tests that block in the main thread: the loop has one of its own.
class flow_variable_on_a_plain_thread : public test::gate_fixture {
 protected:
  flow_variable_on_a_plain_thread() : runner_([this] { loop_.context.run(); }) {}
  void TearDown() override {
    busy_.release();
    work_.reset();
    runner_.join();
    loop_.context.restart();
    gate_fixture::TearDown();
  }
  asio::executor_work_guard<asio::io_context::executor_type> work_{loop_.executor()};
  std::jthread runner_;
};

TEST_F(flow_variable_on_a_plain_thread, get_gives_the_value) {
  EXPECT_EQ(gate_->spawn([] { return 5; }).get(), 5);
  EXPECT_EQ(*gate_->spawn([] { return std::make_unique<int>(6); }).get(), 6);
  gate_->spawn([] {}).get();
  int number = 0;
  EXPECT_EQ(&gate_->spawn([&]() -> int& { return number; }).get(), &number);
}

TEST_F(flow_variable_on_a_plain_thread, get_throws_what_the_function_threw) {
  auto failed = gate_->spawn([]() -> int { throw std::runtime_error("no"); });
  EXPECT_THROW(failed.get(), std::runtime_error);
  EXPECT_FALSE(failed.valid());
}

TEST_F(flow_variable_on_a_plain_thread, get_blocks_until_the_function_ends) {
  test::blocker inside;
  auto waiting = gate_->spawn([&] {
    inside.stay();
    return 7;
  });
  inside.wait_entered();
  EXPECT_FALSE(waiting.ready());
  std::jthread release([&] { inside.release(); });
  EXPECT_EQ(waiting.get(), 7);
}

TEST_F(flow_variable_on_a_plain_thread, get_that_timed_out_leaves_it_valid) {
  test::blocker inside;
  auto waiting = gate_->spawn([&] {
    inside.stay();
    return 8;
  });
  for (auto span : {0ms, 1ms, -1ms})
    EXPECT_EQ(thrown_by([&] { waiting.get(span); }), error::timed_out);
  EXPECT_TRUE(waiting.valid());
  inside.release();
  EXPECT_EQ(waiting.get(1h), 8);
}

TEST_F(flow_variable_on_a_plain_thread, many_threads_get_their_own) {
  std::atomic<int> sum{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t != 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i != 50; ++i) sum += gate_->spawn([i] { return i; }).get();
      });
  }
  EXPECT_EQ(sum, 4 * 50 * 49 / 2);
}

TEST_F(flow_variable_on_a_plain_thread, get_on_a_worker_would_deadlock) {
  block(weight::heavy);  // or the inner one could be ready before anybody asks
  auto outer = gate_->spawn([&] {
    auto inner = gate_->spawn({.weight = weight::heavy}, [] { return 1; });
    auto const code = thrown_by([&] { inner.get(); });
    return std::pair(code, inner.valid());
  });
  auto const [code, valid] = outer.get();
  EXPECT_EQ(code, error::would_deadlock);
  EXPECT_TRUE(valid);
}

TEST_F(flow_variable_on_a_plain_thread, get_on_the_loop_would_deadlock) {
  block();
  std::promise<boost::system::error_code> code;
  asio::post(loop_.context, [&] {
    auto waiting = gate_->spawn([] { return 1; });
    code.set_value(thrown_by([&] { waiting.get(1h); }));
  });
  EXPECT_EQ(code.get_future().get(), error::would_deadlock);
}

TEST_F(flow_variable_on_a_plain_thread, get_on_the_loop_of_another_gate_would_deadlock) {
  test::loop other_loop;
  gate other(other_loop.executor(), workers_);
  block();
  boost::system::error_code code;
  asio::post(other_loop.context, [&] {
    auto waiting = gate_->spawn([] { return 1; });
    code = thrown_by([&] { waiting.get(1h); });
  });
  other_loop.run_out();
  EXPECT_EQ(code, error::would_deadlock);
}

TEST_F(flow_variable, ready_one_may_be_taken_on_the_loop) {
  auto spawned = gate_->spawn([] { return 3; });
  loop_.run_until([&] { return spawned.ready(); });
  int got = 0;
  asio::post(loop_.context, [&] { got = spawned.get(); });
  loop_.run_out();
  EXPECT_EQ(got, 3);
}

TEST_F(flow_variable, is_issued_at_once) {
  test::blocker inside;
  auto spawned = gate_->spawn(inside.function());
  inside.wait_entered();  // the loop does not run
  inside.release();
  loop_.run_until([&] { return spawned.ready(); });
  spawned.get();
}

TEST_F(flow_variable, can_be_awaited_before_and_after_it_is_ready) {
  run_coroutine([](gate* through, test::loop* loop) -> asio::awaitable<void> {
    auto early = through->spawn([] { return 1; });
    int const first = co_await std::move(early);
    EXPECT_EQ(first, 1);
    auto late = through->spawn([] { return 2; });
    while (!late.ready()) {
      auto turn = asio::post(loop->context, asio::deferred);
      co_await std::move(turn);
    }
    int const second = co_await std::move(late);
    EXPECT_EQ(second, 2);
  }(&*gate_, &loop_));
}

TEST_F(flow_variable, await_throws_what_the_function_threw) {
  run_coroutine([](gate* through) -> asio::awaitable<void> {
    auto failing = through->spawn([]() -> int { throw std::runtime_error("no"); });
    std::string text;
    try {
      co_await std::move(failing);
    } catch (std::runtime_error const& caught) {
      text = caught.what();
    }
    EXPECT_EQ(text, "no");
  }(&*gate_));
  EXPECT_EQ(gate_->snapshot().lost_errors, 0u);
}

TEST_F(flow_variable, handler_is_never_called_inside_the_wait) {
  auto spawned = gate_->spawn([] { return 4; });
  loop_.run_until([&] { return spawned.ready(); });
  outcome<int> got;
  asio::post(loop_.context, [&] {
    spawned(test::keep(got));
    EXPECT_FALSE(got.done());
  });
  run_until_done(got);
  EXPECT_EQ(got.value, 4);
}

TEST_F(flow_variable, handler_runs_on_its_executor_and_keeps_its_context_at_work) {
  test::loop other;
  auto spawned = gate_->spawn([] { return 4; });
  bool inside = false;
  spawned(asio::bind_executor(other.executor(), [&](std::exception_ptr, int) {
    inside = other.executor().running_in_this_thread();
  }));
  loop_.run_out();
  EXPECT_FALSE(inside);
  other.run_out();
  EXPECT_TRUE(inside);
}

TEST_F(flow_variable, cancelled_wait_keeps_the_result_for_the_next_one) {
  block();
  auto spawned = gate_->spawn([] { return 5; });
  asio::cancellation_signal signal;
  outcome<int> first;
  spawned(asio::bind_cancellation_slot(signal.slot(), test::keep(first)));
  signal.emit(asio::cancellation_type::terminal);
  run_until_done(first);
  EXPECT_EQ(first.code(), error::cancelled);
  EXPECT_FALSE(spawned.ready());
  outcome<int> second;
  spawned(test::keep(second));
  busy_.release();
  run_until_done(second);
  EXPECT_EQ(second.value, 5);
  signal.emit(asio::cancellation_type::terminal);  // has nothing to do with it any more
}

TEST_F(flow_variable, wait_is_not_ended_inside_the_emission) {
  block();
  auto spawned = gate_->spawn([] {});
  asio::cancellation_signal signal;
  outcome<void> got;
  spawned(asio::bind_cancellation_slot(signal.slot(), test::keep(got)));
  asio::post(loop_.context, [&] {
    signal.emit(asio::cancellation_type::terminal);
    EXPECT_FALSE(got.done()) << "as with Asio's own operations, the handler is posted";
  });
  run_until_done(got);
}

TEST_F(flow_variable, lost_race_against_a_timer_keeps_the_result) {
  block();
  auto spawned = gate_->spawn([] { return 6; });
  run_coroutine([](flow_var<int>* var, test::loop* loop) -> asio::awaitable<void> {
    asio::steady_timer timer(loop->context, 1ms);
    auto either = (*var)(asio::use_awaitable) || timer.async_wait(asio::use_awaitable);
    auto const first = co_await std::move(either);
    EXPECT_EQ(first.index(), 1u);
  }(&spawned, &loop_));
  busy_.release();
  loop_.run_until([&] { return spawned.ready(); });
  EXPECT_EQ(spawned.get(), 6);
}

TEST_F(flow_variable, dropped_one_lets_its_token_run) {
  bool ran = false;
  {
    auto dropped = gate_->spawn([&] { ran = true; });
  }
  loop_.run_out();
  EXPECT_TRUE(ran);
}

TEST_F(flow_variable, default_one_is_not_valid) {
  flow_var<int> empty;
  EXPECT_FALSE(empty.valid());
  empty = gate_->spawn([] { return 1; });
  EXPECT_TRUE(empty.valid());
  loop_.run_until([&] { return empty.ready(); });
  flow_var<int> moved = std::move(empty);
  EXPECT_FALSE(empty.valid());
  EXPECT_EQ(moved.get(), 1);
}

TEST_F(flow_variable, guarded_function_spawns) {
  auto add = guard(*gate_, [](int a, int b) { return a + b; });
  auto sum = add.spawn(1, 2);
  loop_.run_until([&] { return sum.ready(); });
  EXPECT_EQ(sum.get(), 3);
}

TEST(flow_variable_of_a_dead_loop, breaks_its_promise) {
  test::quiet_log quiet;
  worker_pool workers(test::small_pool());
  auto context = std::make_unique<asio::io_context>();
  auto through = std::make_unique<gate>(context->get_executor(), workers);
  auto ended = through->spawn([] { return 1; });
  auto awaited = through->spawn([] { return 2; });
  test::loop other;
  outcome<int> got;
  awaited(asio::bind_executor(other.executor(), test::keep(got)));
  context.reset();
  EXPECT_TRUE(ended.ready());
  EXPECT_EQ(thrown_by([&] { ended.get(); }), error::broken_promise);
  other.run_out();
  EXPECT_EQ(got.code(), error::broken_promise);
  through.reset();
}

TEST(flow_variable_of_a_dead_loop, wakes_a_thread_that_blocks) {
  worker_pool workers(test::small_pool());
  auto context = std::make_unique<asio::io_context>();
  gate through(context->get_executor(), workers);
  auto spawned = through.spawn([] { return 1; });
  std::promise<void> about_to_block;
  auto code = std::async(std::launch::async, [&] {
    about_to_block.set_value();
    return thrown_by([&] { spawned.get(); });
  });
  about_to_block.get_future().wait();
  context.reset();
  EXPECT_EQ(code.get(), error::broken_promise);
}

}  // namespace
}  // namespace tokengate
