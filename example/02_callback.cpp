// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Without coroutines: a completion handler, a failure, and a token whose result nobody waits for.
#include <boost/asio.hpp>
#include <exception>
#include <iostream>
#include <numeric>
#include <stdexcept>
#include <string>
#include <tokengate/tokengate.hpp>
#include <vector>

namespace asio = boost::asio;

namespace {

std::string what(std::exception_ptr const& error) {
  try {
    std::rethrow_exception(error);
  } catch (std::exception const& e) {
    return e.what();
  }
}

}  // namespace

int main() {
  asio::io_context loop{1};
  tokengate::worker_pool workers;
  tokengate::gate gate{loop.get_executor(), workers};
  int held = 0;

  // The result comes as Asio gives it: an exception_ptr that is null, and the value.
  bool initiating = true;
  std::vector<int> numbers(1000, 3);
  gate.async_run(
      {.operation = "sum", .weight = tokengate::weight::light},
      [numbers = std::move(numbers)] { return std::accumulate(numbers.begin(), numbers.end(), 0); },
      [&](std::exception_ptr error, int sum) {
        std::cout << "sum " << sum << ", delivered by the loop: " << (initiating ? "no" : "yes")
                  << '\n';
        if (!error && sum == 3000 && !initiating) ++held;
      });
  initiating = false;

  // What the function throws comes in the same place; the value is then a default one.
  gate.async_run([]() -> int { throw std::runtime_error("no such file"); },
                 [&](std::exception_ptr error, int) {
                   std::cout << "failed: " << what(error) << '\n';
                   if (what(error) == "no such file") ++held;
                 });

  // A detached token has no handler, but its errors have a place to go.
  gate.detach([] { throw std::runtime_error("disk full"); },
              [&](std::exception_ptr error) {
                std::cout << "detached token failed: " << what(error) << '\n';
                if (what(error) == "disk full") ++held;
              });

  loop.run();  // returns when nothing is out any more

  auto const books = gate.snapshot();
  std::cout << books.issued << " issued, " << books.finished << " delivered\n";
  if (books.issued == 3 && books.finished == 3) ++held;
  return held == 4 ? 0 : 1;
}
