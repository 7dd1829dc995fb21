// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Giving tokens up: before they start they are withdrawn, once they run they are asked to stop.
#include <atomic>
#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <iostream>
#include <semaphore>
#include <stop_token>
#include <thread>
#include <tokengate/tokengate.hpp>
#include <utility>

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
using namespace std::chrono_literals;

namespace {

// A function that may be long takes a std::stop_token first and looks at it now and then.
long work_until_stopped(std::stop_token stop) {
  long rounds = 0;
  for (; !stop.stop_requested(); ++rounds) std::this_thread::yield();
  return rounds;
}

// The code with which an operation ended, or none.
template <class Operation>
asio::awaitable<boost::system::error_code> code_of(Operation operation) {
  try {
    co_await std::move(operation);
  } catch (boost::system::system_error const& e) {
    co_return e.code();
  }
  co_return boost::system::error_code();
}

// Running: a timer wins the race, which emits the cancellation slot of the other side. That sets
// the stop token, and the race is over when the function has returned.
asio::awaitable<void> race(tokengate::gate& gate, int& held) {
  auto endless = tokengate::guard(gate, {.operation = "endless"}, work_until_stopped);
  asio::steady_timer timer{gate.get_executor(), 10ms};

  auto work = endless()(asio::use_awaitable);
  auto time = timer.async_wait(asio::use_awaitable);
  auto const winner = co_await (std::move(work) || std::move(time));
  std::cout << "the timer won: " << (winner.index() == 1 ? "yes" : "no") << '\n';
  if (winner.index() == 1) ++held;

  // The same through the deadline of the call; the value is what the function returned.
  long const rounds = co_await endless().within(10ms);
  std::cout << "stopped by its deadline, with a value: " << (rounds >= 0 ? "yes" : "no") << '\n';
  ++held;
}

// Not started: the one worker of the lane is busy until `go`, so these never run.
asio::awaitable<void> queued(tokengate::gate& gate, int& held) {
  std::binary_semaphore go{0};
  auto blocker = gate.spawn([&go] { go.acquire(); });

  std::atomic<int> ran{0};
  auto count = tokengate::guard(gate, {.operation = "count"}, [&ran] { ++ran; });

  auto const late = co_await code_of(count().within(5ms));
  std::cout << "behind the blocker, 5 ms: " << late.message() << '\n';
  if (late == tokengate::error::deadline_passed) ++held;

  std::stop_source user;
  std::jthread presses_cancel([user]() mutable { user.request_stop(); });
  auto const given_up = co_await code_of(count().stop_on(user.get_token()));
  std::cout << "stopped from another thread: " << given_up.message() << '\n';
  if (given_up == tokengate::error::cancelled) ++held;

  go.release();
  co_await std::move(blocker);
  if (ran == 0) ++held;
}

asio::awaitable<void> session(tokengate::gate& gate, int& held) {
  co_await race(gate, held);
  co_await queued(gate, held);
}

}  // namespace

int main() {
  asio::io_context loop{1};
  tokengate::worker_pool_options options;
  options.max_cores = 1;  // one worker per lane
  tokengate::worker_pool workers{options};
  tokengate::gate gate{loop.get_executor(), workers};

  int held = 0;
  asio::co_spawn(loop, session(gate, held), asio::detached);
  loop.run();
  return held == 5 ? 0 : 1;
}
