// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

/// @file
/// The seam between the protocols of this library and the machine. Everything that two threads
/// share in parking, combiner and mailbox goes through a `Sync` policy, so that the same code runs
/// on std::atomic in a program and under a deterministic scheduler in the model checker.

namespace tokengate::detail {

/// Size by which data of different writers is kept apart. A constant and not
/// std::hardware_destructive_interference_size, which may differ between translation units.
inline constexpr std::size_t cache_line = 64;

inline constexpr std::chrono::nanoseconds wait_forever = std::chrono::nanoseconds::max();

/// Asks for the cache line of a place that is about to be written. A hint: any address will do.
inline void prefetch_to_write(void const* place) noexcept {
#if defined(__x86_64__)
  // The builtin gives a prefetch for reading unless the compiler is told of a newer machine.
  asm volatile("prefetchw %0" : : "m"(*static_cast<char const*>(place)));
#else
  __builtin_prefetch(place, 1);
#endif
}

/// The real machine.
struct std_sync {
  template <class T>
  using atomic = std::atomic<T>;

  /// A value that is not atomic but handed over between threads; the checker detects races on it.
  template <class T>
  using var = T;

  /// Sleeps while `word == expected`. May return early. False when the timeout passed.
  static bool futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected,
                         std::chrono::nanoseconds timeout) noexcept;

  /// Wakes one sleeper of `word`. The word may already be gone: only its address is used.
  static void futex_wake(std::atomic<std::uint32_t>& word) noexcept;

  static void spin_hint() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("isb" ::: "memory");
#endif
  }
};

}  // namespace tokengate::detail
