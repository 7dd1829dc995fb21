// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Two event loops on two threads, a gate each, one pool of workers for both. Every result comes
// back to the loop that asked.
#include <boost/asio.hpp>
#include <iostream>
#include <string>
#include <thread>
#include <tokengate/tokengate.hpp>

namespace asio = boost::asio;

namespace {

std::string repeat(char letter, int times) {
  return std::string(static_cast<std::size_t>(times), letter);
}

asio::awaitable<void> session(tokengate::gate& gate, char letter, int& held) {
  auto text = tokengate::guard(gate, {.operation = "repeat"}, repeat);
  auto const home = std::this_thread::get_id();
  for (int i = 1; i <= 500; ++i) {
    std::string const got = co_await text(letter, i);
    if (got == repeat(letter, i) && std::this_thread::get_id() == home) ++held;
  }
}

// What one of the two threads does: a loop, a gate, 500 tokens.
void serve(tokengate::worker_pool& workers, char letter, int& held) {
  asio::io_context loop{1};
  tokengate::gate gate{loop.get_executor(), workers};
  asio::co_spawn(loop, session(gate, letter, held), asio::detached);
  loop.run();
}

}  // namespace

int main() {
  tokengate::worker_pool workers;
  int left = 0;
  int right = 0;
  {
    std::jthread first([&] { serve(workers, 'a', left); });
    std::jthread second([&] { serve(workers, 'b', right); });
  }
  std::uint64_t executed = 0;
  for (auto const& worker : workers.snapshot().workers) executed += worker.executed;
  std::cout << left << " and " << right << " answers at home, " << executed << " functions run by "
            << workers.size() << " workers on " << workers.cores() << " cores\n";
  return left == 500 && right == 500 && executed == 1000 ? 0 : 1;
}
