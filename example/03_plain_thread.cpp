// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// A thread that runs no loop issues tokens into flow variables and blocks for their results.
#include <boost/asio.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <semaphore>
#include <thread>
#include <tokengate/tokengate.hpp>
#include <vector>

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

std::uint64_t sum_of_squares(std::uint64_t from, std::uint64_t to) {
  std::uint64_t sum = 0;
  for (; from != to; ++from) sum += from * from;
  return sum;
}

}  // namespace

int main() {
  asio::io_context loop{1};
  tokengate::worker_pool workers;
  tokengate::gate gate{loop.get_executor(), workers};

  // Results travel through the gate's loop, so somebody has to run it: here, another thread.
  auto keep = asio::make_work_guard(loop);
  std::jthread running([&loop] { loop.run(); });
  int held = 0;

  auto squares = tokengate::guard(gate, {.operation = "squares"}, sum_of_squares);
  std::vector<tokengate::flow_var<std::uint64_t>> parts;
  for (std::uint64_t from = 0; from != 4000; from += 1000)
    parts.push_back(squares.spawn(from, from + 1000));
  std::uint64_t sum = 0;
  for (auto& part : parts) sum += part.get();
  std::cout << "sum of squares " << sum << '\n';
  if (sum == sum_of_squares(0, 4000)) ++held;

  // get() with a limit: the variable stays valid and may be asked again.
  std::binary_semaphore go{0};
  auto late = gate.spawn([&go] {
    go.acquire();
    return 7;
  });
  try {
    late.get(5ms);
  } catch (boost::system::system_error const& e) {
    std::cout << "after 5 ms: " << e.code().message() << '\n';
    if (e.code() == tokengate::error::timed_out) ++held;
  }

  // On the loop's own thread, blocking would wait for ever. It is refused instead.
  std::binary_semaphore asked{0};
  asio::post(loop, [&] {
    try {
      late.get();
    } catch (boost::system::system_error const& e) {
      std::cout << "on the loop: " << e.code().message() << '\n';
      if (e.code() == tokengate::error::would_deadlock) ++held;
    }
    asked.release();
  });
  asked.acquire();

  go.release();
  if (late.get() == 7) ++held;

  keep.reset();
  return held == 4 ? 0 : 1;
}
