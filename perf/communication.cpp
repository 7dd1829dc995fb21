// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "communication.hpp"

#include <algorithm>
#include <exception>
#include <optional>
#include <stdexcept>
#include <thread>

#include "allocations.hpp"
#include "load.hpp"
#include "machine.hpp"

namespace perf {
namespace {

scoped_pin pin_to(unsigned core) {
  return scoped_pin{usable_cores().size() > 1 ? std::optional{core} : std::nullopt};
}

/// As long as a process has had one thread only, the C library leaves atomic operations out: of
/// reference counts, mutexes, the heap. A program with workers does not profit from that, and a
/// figure must not depend on what was measured before it.
void have_had_a_second_thread() {
  static bool const had = (std::thread{[] {}}.join(), true);
  (void)had;
}

}  // namespace

variant passing_variant(std::string name, bool stock, std::size_t items, passing pass) {
  auto measure = [items, pass = std::move(pass)](effort const& much) -> sample {
    have_had_a_second_thread();
    auto const some = std::max<std::size_t>(much.at_most(items), 1000);
    pass(std::max<std::size_t>(some / 10, 1000));
    auto const blocks = allocations();
    auto const seconds = pass(some);
    auto const number = static_cast<double>(some);
    return {seconds * 1e9 / number, static_cast<double>(allocations() - blocks) / number};
  };
  return {std::move(name), stock, std::move(measure)};
}

std::vector<metric> passing_metrics() {
  return {{"ns_per_item", "ns"}, {"allocations_per_item", "count", better::neither}};
}

double seconds_to_run(asio::io_context& loop) {
  auto const pin = pin_to(loop_core());
  loop.restart();
  auto const begin = clock::now();
  loop.run();
  return std::chrono::duration<double>(clock::now() - begin).count();
}

double seconds_to_run(asio::io_context& loop, std::function<void()> const& call) {
  std::exception_ptr failed;
  loop.restart();
  auto const begin = clock::now();
  std::thread second{[&] {
    try {
      auto const pin = pin_to(worker_core());
      call();
    } catch (...) {
      failed = std::current_exception();
      loop.stop();
    }
  }};
  {
    auto const pin = pin_to(loop_core());
    loop.run();
  }
  second.join();
  if (failed) std::rethrow_exception(failed);
  return std::chrono::duration<double>(clock::now() - begin).count();
}

double seconds_to_run(asio::io_context& loop, asio::io_context& other) {
  other.restart();
  return seconds_to_run(loop, [&other] { other.run(); });
}

void expect_count(std::size_t count, std::size_t expected) {
  if (count != expected)
    throw std::runtime_error(std::to_string(count) + " arrived of " + std::to_string(expected));
}

}  // namespace perf
