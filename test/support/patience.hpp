// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <chrono>
#include <thread>

namespace tokengate::test {

/// How long a test waits for an event before it fails. Never a measure of speed: a loaded machine
/// under a sanitizer takes its time.
inline constexpr std::chrono::seconds patience{60};

/// Waits for something that another thread does, without a wake-up from it. False: it never came.
template <class Predicate>
[[nodiscard]] bool poll_until(Predicate done) {
  auto const until = std::chrono::steady_clock::now() + patience;
  while (!done()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

}  // namespace tokengate::test
