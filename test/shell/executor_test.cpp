// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio.hpp>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "support/gate_fixture.hpp"
#include "support/tracking_allocator.hpp"
#include "support/tracking_executor.hpp"

// Where a handler runs, when, and with whose memory.

namespace tokengate {
namespace {

using test::outcome;

class executor : public test::gate_fixture {};

TEST_F(executor, handler_without_one_runs_on_the_loop_of_the_gate) {
  bool inside = false;
  gate_->async_run([] {})(
      [&](std::exception_ptr) { inside = loop_.executor().running_in_this_thread(); });
  loop_.run_out();
  EXPECT_TRUE(inside);
}

TEST_F(executor, handler_runs_on_its_own) {
  test::tracking_executor own(loop_.executor());
  bool inside = false;
  gate_->async_run([] {})(
      asio::bind_executor(own, [&](std::exception_ptr) { inside = own.inside(); }));
  EXPECT_EQ(own.executed(), 0);
  loop_.run_out();
  EXPECT_TRUE(inside);
  EXPECT_EQ(own.executed(), 1);
}

TEST_F(executor, handler_is_not_called_inside_the_initiating_function) {
  // Issued from the loop itself, where an executor may run things inline.
  bool initiating = false;
  bool inside = false;
  auto const issue = [&](auto&& of, auto&& handler) {
    initiating = true;
    std::move(of)(std::forward<decltype(handler)>(handler));
    initiating = false;
  };
  int calls = 0;
  auto const check = [&](std::exception_ptr, auto&&...) {
    inside = inside || initiating;
    ++calls;
  };
  asio::post(loop_.context, [&] {
    issue(gate_->async_run([] {}), check);
    issue(gate_->async_run([] {}), asio::bind_executor(loop_.executor(), check));
    issue(gate_->async_run([] {}).within(std::chrono::nanoseconds(0)), check);
    std::stop_source stopped;
    stopped.request_stop();
    issue(gate_->async_run([] {}).stop_on(stopped.get_token()), check);
    gate_->close();
    issue(gate_->async_run([] {}), check);
    issue(gate_->async_run([] {}), asio::bind_executor(loop_.executor(), check));
  });
  loop_.run_until([&] { return calls == 6; });
  EXPECT_FALSE(inside);
}

TEST_F(executor, refused_token_ends_with_its_error_on_its_own_executor) {
  gate_->close();
  test::loop other;
  outcome<void> got;
  gate_->async_run([] {})(asio::bind_executor(other.executor(), [&](std::exception_ptr error) {
    EXPECT_TRUE(other.executor().running_in_this_thread());
    test::keep{got}(error);
  }));
  loop_.run_out();
  other.run_out();
  EXPECT_EQ(got.code(), error::closed);
}

TEST_F(executor, memory_is_freed_before_the_handler_and_on_its_thread) {
  test::allocation_book book;
  std::ptrdiff_t live = -1;
  auto const check = [&](std::exception_ptr, auto&&...) { live = book.live_bytes(); };
  auto const with = [&](auto handler) {
    return asio::bind_allocator(test::tracking_allocator<void>(book), std::move(handler));
  };
  gate_->async_run([] { return 1; })(with(check));
  EXPECT_GT(book.live_bytes(), 0);
  loop_.run_out();
  EXPECT_EQ(live, 0);

  live = -1;
  auto strand = asio::make_strand(loop_.context);
  gate_->async_run([] {}).keyed(1)(with(asio::bind_executor(strand, check)));
  loop_.run_out();
  EXPECT_EQ(live, 0);

  live = -1;
  gate_->close();
  gate_->async_run([] {})(with(check));
  loop_.run_out();
  EXPECT_EQ(live, 0);
  EXPECT_EQ(book.allocations(), 3 + 1);  // a token each, and the hop to the strand
  EXPECT_TRUE(book.only_on(std::this_thread::get_id()));
}

TEST_F(executor, allocation_failure_leaves_nothing_behind) {
  test::allocation_book book;
  auto counted = std::make_shared<int>(0);
  book.fail_after(0);
  auto const issue = [&] {
    gate_->async_run([counted] {})(asio::bind_allocator(test::tracking_allocator<void>(book),
                                                        [counted](std::exception_ptr) {}));
  };
  EXPECT_THROW(issue(), std::bad_alloc);
  EXPECT_EQ(counted.use_count(), 1);
  EXPECT_EQ(book.live_bytes(), 0);
  EXPECT_EQ(gate_->snapshot().issued, 0u);
  issue();
  loop_.run_out();
  EXPECT_EQ(gate_->snapshot().finished, 1u);
}

TEST_F(executor, run_returns_after_the_last_handler) {
  // run_out() fails when work stays behind; too early would leave a handler out.
  int calls = 0;
  for (int i = 0; i != 100; ++i) gate_->async_run([] {})([&](std::exception_ptr) { ++calls; });
  loop_.run_out();
  EXPECT_EQ(calls, 100);
  EXPECT_EQ(loop_.context.run(), 0u);
}

TEST_F(executor, idle_gate_does_not_keep_the_loop) {
  EXPECT_EQ(loop_.run_out(), 0u);
  (void)gate_->define({.operation = "unused"});
  EXPECT_EQ(loop_.run_out(), 0u);
}

TEST_F(executor, far_deadline_of_an_ended_token_does_not_keep_the_loop) {
  block();
  outcome<void> got;
  gate_->async_run([] {}).within(std::chrono::hours(1))(test::keep(got));
  busy_.release();
  run_until_done(got);
  EXPECT_FALSE(got.error);
}  // TearDown: the loop runs out of work

TEST_F(executor, handler_may_issue_the_next_token) {
  int left = 200;
  std::function<void(std::exception_ptr)> next = [&](std::exception_ptr) {
    if (--left != 0) gate_->async_run([] {})(next);
  };
  gate_->async_run([] {})(next);
  loop_.run_out();
  EXPECT_EQ(left, 0);
}

TEST_F(executor, plain_threads_issue_to_the_loop) {
  std::set<std::thread::id> where;
  std::atomic<int> calls{0};
  {
    std::vector<std::jthread> issuers;
    for (int t = 0; t != 4; ++t)
      issuers.emplace_back([&] {
        for (int i = 0; i != 50; ++i)
          gate_->async_run([] {})([&](std::exception_ptr) {
            where.insert(std::this_thread::get_id());
            ++calls;
          });
      });
  }
  loop_.run_until([&] { return calls == 200; });
  EXPECT_EQ(where, std::set{std::this_thread::get_id()});
}

/// Issues a few hundred tokens through a gate on any executor, from inside its handlers too.
template <class Executor, class Run>
void expect_served(Executor const& on, Run run) {
  worker_pool workers(test::small_pool());
  std::atomic<int> calls{0};
  {
    gate through(on, workers);
    for (int i = 0; i != 100; ++i)
      through.async_run([i] { return i; })([&](std::exception_ptr, int value) {
        through.async_run([value] { return value; })([&](std::exception_ptr, int) { ++calls; });
      });
    run();
    EXPECT_TRUE(test::poll_until([&] { return calls == 100; }));
    EXPECT_TRUE(test::poll_until([&] { return through.snapshot().out == 0; }));
    test::expect_conserved(through);
  }
}

TEST(executor_of_a_gate, io_context_run_by_three_threads) {
  asio::io_context context;
  expect_served(context.get_executor(), [&] {
    std::vector<std::jthread> runners;
    for (int i = 0; i != 3; ++i) runners.emplace_back([&] { context.run(); });
  });
}

TEST(executor_of_a_gate, strand_runs_one_handler_at_a_time) {
  asio::io_context context;
  auto strand = asio::make_strand(context);
  std::atomic<int> inside{0};
  std::atomic<bool> overlap{false};
  worker_pool workers(test::small_pool());
  gate through(strand, workers);
  for (int i = 0; i != 300; ++i)
    through.async_run([] {})([&](std::exception_ptr) {
      if (++inside != 1 || !strand.running_in_this_thread()) overlap = true;
      --inside;
    });
  {
    std::vector<std::jthread> runners;
    for (int i = 0; i != 3; ++i) runners.emplace_back([&] { context.run(); });
  }
  EXPECT_FALSE(overlap);
  test::expect_conserved(through);
}

TEST(executor_of_a_gate, type_erased_strand) {
  test::loop loop;
  expect_served(asio::any_io_executor(asio::make_strand(loop.context)), [&] { loop.run_out(); });
}

TEST(executor_of_a_gate, type_erased_executor_of_the_user) {
  test::loop loop;
  expect_served(asio::any_io_executor(asio::make_strand(asio::any_io_executor(loop.executor()))),
                [&] { loop.run_out(); });
}

TEST(executor_of_a_gate, thread_pool) {
  asio::thread_pool pool(2);
  expect_served(pool.get_executor(), [] {});
  pool.join();
}

TEST(executor_of_a_gate, two_gates_share_a_pool) {
  test::loop first;
  test::loop second;
  worker_pool workers(test::small_pool());
  gate one(first.executor(), workers);
  gate two(second.executor(), workers);
  outcome<int> from_one;
  outcome<int> from_two;
  one.async_run([] { return 1; })(test::keep(from_one));
  two.async_run([] { return 2; })(test::keep(from_two));
  first.run_out();
  EXPECT_FALSE(from_two.done());
  second.run_out();
  EXPECT_EQ(from_one.value, 1);
  EXPECT_EQ(from_two.value, 2);
  test::expect_conserved(one);
  test::expect_conserved(two);
}

}  // namespace
}  // namespace tokengate
