// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <boost/asio/detached.hpp>

#include "support/gate_fixture.hpp"

// Ends in unusual places: inside a handler, inside a token, under load, before the first token.

namespace tokengate::test {
namespace {

/// An io_context, a pool and a gate that may go in any order.
class lifetime : public testing::Test {
 protected:
  void run() {
    loop_->restart();
    loop_->run_for(patience);
    EXPECT_TRUE(loop_->stopped()) << "run() has to return when nothing is out";
  }
  auto count() {
    return [this](std::exception_ptr) { ++handled_; };
  }

  std::optional<asio::io_context> loop_{std::in_place};
  std::optional<worker_pool> workers_{std::in_place, small_pool(2)};
  std::optional<gate> gate_{std::in_place, loop_->get_executor(), *workers_};
  std::atomic<int> handled_{0};
};

TEST_F(lifetime, gate_destroyed_inside_a_handler_ends_the_others) {
  gate_->async_run([] {},
                   [this](std::exception_ptr) {
                     for (int i = 0; i != 10; ++i)
                       gate_->async_run([] { (void)stay_until_stopped(); }, count());
                     gate_.reset();
                   });
  run();
  EXPECT_EQ(handled_, 10);
}

TEST_F(lifetime, pool_destroyed_inside_a_handler_ends_the_tokens) {
  gate_->async_run([] {},
                   [this](std::exception_ptr) {
                     for (int i = 0; i != 10; ++i)
                       gate_->async_run([] { (void)stay_until_stopped(); }, count());
                     workers_.reset();
                   });
  run();
  EXPECT_EQ(handled_, 10);
  expect_conserved(*gate_);
}

TEST_F(lifetime, gate_destroyed_inside_a_token_delivers_that_one_too) {
  gate_->async_run([this] { gate_.reset(); }, count());
  for (int i = 0; i != 3; ++i) gate_->async_run([] { (void)stay_until_stopped(); }, count());
  run();
  EXPECT_FALSE(gate_.has_value());
  EXPECT_EQ(handled_, 4);
}

TEST_F(lifetime, gate_destroyed_inside_a_brief_token_does_not_wait_for_its_own_results) {
  workers_.emplace(small_pool());
  gate_.emplace(loop_->get_executor(), *workers_);
  for (int i = 0; i != 4000; ++i) {  // until the function is known as brief
    gate_->async_run([] {}, count());
    if (i % 50 == 0) run();
  }
  run();
  handled_ = 0;
  blocker held;
  gate_->async_run(token_options{.operation = "held"}, held.function(), count());
  held.wait_entered();
  for (int i = 0; i != 20; ++i)
    gate_->async_run(
        [this, i] {
          if (i == 1) gate_.reset();
        },
        count());
  held.release();
  run();
  EXPECT_EQ(handled_, 21);
  EXPECT_FALSE(gate_.has_value());
}

TEST_F(lifetime, pool_destroyed_inside_a_token_ends_without_joining_itself) {
  gate_->async_run([this] { workers_.reset(); }, count());
  run();
  EXPECT_EQ(handled_, 1);
  gate_->async_run([] {}, count());
  run();
  EXPECT_EQ(handled_, 2);
  EXPECT_EQ(gate_->snapshot().rejected, 1u);
}

TEST_F(lifetime, io_context_destroyed_inside_a_token_destroys_its_handler) {
  auto alive = std::make_shared<int>();
  std::atomic<bool> issued{false};
  std::atomic<bool> gone{false};
  gate_->async_run(
      [&] {
        EXPECT_TRUE(poll_until([&] { return issued.load(); }));
        loop_.reset();
        EXPECT_EQ(alive.use_count(), 1);
        gone = true;
      },
      [alive](std::exception_ptr) { ADD_FAILURE() << "there is no loop to call it on"; });
  issued = true;
  EXPECT_TRUE(poll_until([&] { return gone.load(); }));
  EXPECT_TRUE(poll_until([&] { return gate_->snapshot().destroyed == 1; }));
  gate_.reset();
}

TEST_F(lifetime, stopped_loop_delivers_after_restart) {
  gate_->async_run([] {}, [this](std::exception_ptr) { loop_->stop(); });
  run();
  for (int i = 0; i != 100; ++i) gate_->async_run([] {}, count());
  EXPECT_TRUE(loop_->stopped());
  run();
  EXPECT_EQ(handled_, 100);
  expect_conserved(*gate_);
}

TEST_F(lifetime, gate_on_a_stopped_pool_refuses_its_tokens) {
  workers_->stop();
  EXPECT_TRUE(poll_until([&] {
    for (auto const& each : workers_->snapshot().workers)
      if (each.state != worker_state::stopped) return false;
    return true;
  }));
  gate_options options;
  options.hot = hot_drain::off;
  gate_.emplace(loop_->get_executor(), *workers_, options);
  outcome<void> ended;
  gate_->async_run([] {}, keep(ended));
  run();
  EXPECT_EQ(ended.code(), error::stopped);
}

TEST_F(lifetime, last_handler_throws_and_run_returns_the_next_time) {
  gate_->async_run([] {}, [](std::exception_ptr) { throw std::runtime_error("handler"); });
  EXPECT_THROW(loop_->run(), std::runtime_error);
  run();
  expect_conserved(*gate_);
}

TEST_F(lifetime, far_deadline_of_an_ended_token_does_not_keep_run_from_returning) {
  gate_->async_run([](std::stop_token) {}).within(std::chrono::hours(1))(count());
  run();
  EXPECT_EQ(handled_, 1);
}

TEST_F(lifetime, many_short_lives_of_gates_on_one_loop_leave_nothing_behind) {
  for (int i = 0; i != 200; ++i) {
    gate passing(loop_->get_executor(), *workers_);
    for (int j = 0; j != 5; ++j) passing.async_run([] {}, count());
  }
  run();
  EXPECT_EQ(handled_, 1000);
}

TEST_F(lifetime, io_context_may_go_while_workers_let_go_of_its_gate) {
  for (int i = 0; i != 300; ++i) {
    asio::io_context passing;
    gate through(asio::make_strand(passing), *workers_);
    through.async_run([] {}, asio::detached);
  }
}

TEST_F(lifetime, one_of_two_loops_on_a_pool_may_go_under_load) {
  std::atomic<bool> quit{false};
  std::atomic<int> rest{0};
  std::jthread other([&] {
    while (!quit) {
      asio::io_context loop;
      gate through(loop.get_executor(), *workers_);
      for (int i = 0; i != 200; ++i) through.async_run([] {}, [](std::exception_ptr) {});
      loop.poll();  // and the rest goes with the loop
      ++rest;
    }
  });
  while (rest < 50) {
    for (int i = 0; i != 100; ++i) gate_->async_run([] {}, count());
    run();
  }
  quit = true;
  other.join();
  EXPECT_EQ(handled_ % 100, 0);
  expect_conserved(*gate_);
}

}  // namespace
}  // namespace tokengate::test
