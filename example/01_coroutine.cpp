// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// A coroutine hands a function to a worker and awaits its result. The loop is free meanwhile.
#include <boost/asio.hpp>
#include <cstdint>
#include <iostream>
#include <stdexcept>
#include <thread>
#include <tokengate/tokengate.hpp>

namespace asio = boost::asio;

namespace {

struct answer {
  std::uint64_t primes = 0;
  std::thread::id counted_on;
};

// A plain synchronous function. It knows nothing of Asio or of the library.
answer count_primes(std::uint64_t below) {
  if (below < 2) throw std::invalid_argument("there is no prime below 2");
  answer found{0, std::this_thread::get_id()};
  for (std::uint64_t n = 2; n < below; ++n) {
    bool prime = true;
    for (std::uint64_t d = 2; d * d <= n && prime; ++d) prime = n % d != 0;
    if (prime) ++found.primes;
  }
  return found;
}

asio::awaitable<void> session(tokengate::gate& gate, int& held) {
  auto const loop_thread = std::this_thread::get_id();

  // The decorator: made once, then called like the function itself.
  auto primes = tokengate::guard(gate, {.operation = "primes", .weight = tokengate::weight::heavy},
                                 count_primes);

  answer const found = co_await primes(200'000);
  std::cout << found.primes << " primes below 200000, counted on another thread: "
            << (found.counted_on != loop_thread ? "yes" : "no") << '\n';
  if (found.primes == 17'984 && found.counted_on != loop_thread) ++held;
  if (std::this_thread::get_id() == loop_thread) ++held;  // and back on the loop

  // An exception of the function reaches the one who awaits it.
  try {
    co_await primes(1);
  } catch (std::invalid_argument const& e) {
    std::cout << "refused: " << e.what() << '\n';
    ++held;
  }
}

}  // namespace

int main() {
  asio::io_context loop{1};
  tokengate::worker_pool workers;
  tokengate::gate gate{loop.get_executor(), workers};

  int held = 0;
  asio::co_spawn(loop, session(gate, held), asio::detached);
  loop.run();
  return held == 3 ? 0 : 1;
}
