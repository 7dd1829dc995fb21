// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <cstdint>

namespace perf {

/// How many functions of tokens one thread has run. Each counts on its own, so that a count moves
/// no cache line between cores.
class thread_runs {
 public:
  thread_runs();
  ~thread_runs();
  thread_runs(thread_runs const&) = delete;
  thread_runs& operator=(thread_runs const&) = delete;

  // relaxed: one writer, and who reads has the token back that was counted.
  void add() noexcept { count_.store(get() + 1, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t get() const noexcept {
    return count_.load(std::memory_order_relaxed);
  }

 private:
  friend std::uint64_t functions_run();

  std::atomic<std::uint64_t> count_{0};
  thread_runs* next_;
  thread_runs* previous_ = nullptr;
};

inline void count_run() {
  static thread_local thread_runs here;
  here.add();
}

/// On all threads, those that have ended included.
[[nodiscard]] std::uint64_t functions_run();

}  // namespace perf
