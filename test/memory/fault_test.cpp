// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Allocations that fail: see memory/faults.hpp.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <string>

#include "memory/faults.hpp"

namespace tokengate::test {
namespace {

TEST_F(faults, callback) {
  check([&] { gate_->async_run([] {}, count()); });
}

TEST_F(faults, large_function) {
  std::array<char, 3000> cargo{};
  check([&] { gate_->async_run([cargo] { return cargo[0]; }, count()); });
}

TEST_F(faults, key_and_deadline) {
  check([&] { gate_->async_run([] {}).keyed(3).within(std::chrono::hours(1))(count()); });
}

TEST_F(faults, function_with_stop_token) {
  check([&] { gate_->async_run([](std::stop_token) {}).within(std::chrono::hours(1))(count()); });
}

TEST_F(faults, stop_token_of_the_caller) {
  check([&] {
    std::stop_source const none;
    gate_->async_run([] {}).stop_on(none.get_token())(count());
  });
}

TEST_F(faults, cancellation_slot) {
  asio::cancellation_signal signal;
  check([&] { gate_->async_run([] {}, asio::bind_cancellation_slot(signal.slot(), count())); });
}

TEST_F(faults, limited_operation) {
  check([&] {
    gate_->async_run(
        token_options{.operation = "limited", .max_concurrency = 1}, [] {}, count());
  });
}

TEST_F(faults, handler_on_another_executor) {
  auto const strand = asio::make_strand(loop_.context);
  check([&] { gate_->async_run([] {}, asio::bind_executor(strand, count())); });
}

TEST_F(faults, spawn) {
  check([&] {
    auto variable = gate_->spawn([] { return 1; });
    variable(count());
  });
}

TEST_F(faults, awaited) {
  auto const await_one = [](faults* self) -> asio::awaitable<void> {
    co_await self->gate_->async_run([] {});
    self->count()();
  };
  for_each_allocation([&](int n, bool from_then_on) {
    handled_ = 0;
    threw_ = false;
    asio::co_spawn(loop_.context, await_one(this), asio::detached);
    bool const hit = attempt(n, from_then_on, [&] { loop_.context.run_one(); });
    loop_.run_out();
    EXPECT_LE(handled_, 1);
    if (!threw_) {
      EXPECT_EQ(handled_, 1);
    }
    still_works(*gate_);
    return hit;
  });
}

TEST_F(faults, async_drain) {
  check([&] { gate_->async_drain(std::chrono::hours(1))(count()); });
}

TEST_F(faults, define) {
  int named = 0;
  for_each_allocation([&](int n, bool from_then_on) {
    auto const name = "an operation with a name of its own " + std::to_string(++named);
    bool const hit = attempt(n, from_then_on, [&] {
      auto const made = gate_->define({.operation = name, .weight = weight::heavy});
      EXPECT_EQ(made.name(), name);
    });
    still_works(*gate_);
    return hit;
  });
}

TEST_F(faults, snapshot_and_tokens) {
  for_each_allocation([&](int n, bool from_then_on) {
    bool const hit = attempt(n, from_then_on, [&] {
      (void)gate_->snapshot();
      (void)gate_->tokens();
      (void)workers_.snapshot();
    });
    still_works(*gate_);
    return hit;
  });
}

TEST_F(faults, gate_construction) {
  for_each_allocation([&](int n, bool from_then_on) {
    std::optional<gate> made;
    bool const hit = attempt(n, from_then_on, [&] { made.emplace(loop_.executor(), workers_); });
    if (made) still_works(*made);
    made.reset();
    loop_.run_out();
    still_works(*gate_);
    return hit;
  });
}

TEST_F(faults, pool_construction) {
  for_each_allocation([&](int n, bool from_then_on) {
    std::optional<worker_pool> made;
    bool const hit = attempt(n, from_then_on, [&] { made.emplace(small_pool()); });
    if (made) {
      gate through(loop_.executor(), *made);
      still_works(through);
    }
    loop_.run_out();
    return hit;
  });
}

}  // namespace
}  // namespace tokengate::test
