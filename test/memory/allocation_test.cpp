// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <thread>

#include "memory/warm_allocations.hpp"
#include "support/gate_fixture.hpp"

// What a token costs in calls of operator new, on all threads together, once the pools are warm.

namespace tokengate::test {
namespace {

class allocation : public warm_allocations<gate_fixture> {
 protected:
  void run_until_handled() {
    while (!handled_) {
      loop_.context.run_one();
      if (loop_.context.stopped()) loop_.context.restart();
    }
    handled_ = false;
  }
  auto mark() {
    return [this](auto&&...) { handled_ = true; };
  }
  /// The same from inside the loop, where servers issue.
  template <class Issue>
  auto from_loop(Issue issue) {
    return [this, issue] {
      asio::post(loop_.context, issue);
      run_until_handled();
    };
  }

  asio::awaitable<void> await_many(std::uint64_t& used) {
    std::uint64_t before = 0;
    for (int i = 0; i != 3000; ++i) {
      if (i == 2000) before = allocations();
      co_await gate_->async_run([] { return 1; });
    }
    used = allocations() - before;
  }

  bool handled_ = false;
};

TEST_F(allocation, callback_takes_none) {
  EXPECT_LE(per_thousand(from_loop([this] { gate_->async_run([] { return 1; }, mark()); })), few);
}

TEST_F(allocation, callback_issued_outside_the_loop_takes_none) {
  EXPECT_LE(per_thousand([this] {
              gate_->async_run([] { return 1; }, mark());
              run_until_handled();
            }),
            few);
}

TEST_F(allocation, awaited_token_takes_none) {
  std::uint64_t used = ~0ull;
  run_coroutine(await_many(used));
  EXPECT_LE(used, few);
}

TEST_F(allocation, keyed_token_takes_none) {
  EXPECT_LE(per_thousand(from_loop([this] { gate_->async_run([] {}).keyed(5)(mark()); })), few);
}

TEST_F(allocation, token_with_a_deadline_takes_none) {
  EXPECT_LE(per_thousand(from_loop(
                [this] { gate_->async_run([] {}).within(std::chrono::hours(1))(mark()); })),
            few);
}

TEST_F(allocation, token_with_a_cancellation_slot_takes_none) {
  asio::cancellation_signal signal;
  EXPECT_LE(per_thousand(from_loop([&] {
              gate_->async_run([] {}, asio::bind_cancellation_slot(signal.slot(), mark()));
            })),
            few);
}

TEST_F(allocation, token_with_the_callers_stop_token_takes_none) {
  std::stop_source source;
  EXPECT_LE(
      per_thousand(from_loop([&] { gate_->async_run([] {}).stop_on(source.get_token())(mark()); })),
      few);
}

TEST_F(allocation, function_with_a_stop_token_takes_its_stop_state) {
  EXPECT_LE(per_thousand(from_loop([this] { gate_->async_run([](std::stop_token) {}, mark()); })),
            1000 + few);
}

TEST_F(allocation, spawned_token_takes_its_stop_state_and_its_wait) {
  EXPECT_LE(per_thousand(from_loop([this] {
              auto variable = gate_->spawn([] { return 1; });
              variable(mark());
            })),
            4000u);
}

TEST_F(allocation, blocks_come_back_to_a_thread_that_only_issues) {
  std::atomic<int> ended{0};
  std::uint64_t used = ~0ull;
  std::atomic<bool> quit{false};
  auto work = asio::make_work_guard(loop_.context);
  std::thread issuer([&] {
    auto const burst = [&](int rounds) {
      for (int i = 0; i != rounds; ++i) {
        int const before = ended;
        for (int j = 0; j != 50; ++j) gate_->async_run([] {}, [&](std::exception_ptr) { ++ended; });
        while (ended != before + 50) std::this_thread::yield();
      }
    };
    burst(200);
    auto const before = allocations();
    burst(200);
    used = allocations() - before;
    quit = true;
  });
  loop_.run_until([&] { return quit.load(); });
  issuer.join();
  work.reset();
  std::printf("[          ] %llu calls of operator new per 10000 tokens\n",
              static_cast<unsigned long long>(used));
  EXPECT_LE(used, 100u) << "of 10000 tokens: the pool's chains move between the threads";
}

}  // namespace
}  // namespace tokengate::test
