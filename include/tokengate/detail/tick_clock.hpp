// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <chrono>
#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace tokengate::detail {

/// The clock of time stamps: the CPU's own counter where it runs at one rate on all cores, else
/// `steady_clock` in nanoseconds. For durations in statistics and for deadline checks.
///
/// Reading does not order memory or wait for earlier instructions, so stamps of two cores may be a
/// few ticks out of order: subtract with `elapsed`.
struct tick_clock {
  static std::uint64_t now() noexcept {
#if defined(__x86_64__)
    if (use_counter_) [[likely]]
      return __rdtsc();
    return steady_ns();
#elif defined(__aarch64__)
    std::uint64_t ticks;
    asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return steady_ns();
#endif
  }

  /// Ticks between two stamps; 0 when they are out of order.
  static constexpr std::uint64_t elapsed(std::uint64_t from, std::uint64_t to) noexcept {
    return to > from ? to - from : 0;
  }

  /// The length of a tick. Measured against `steady_clock` from the moment the program was loaded,
  /// again whenever that span has doubled. The first call spins if the program is younger than a
  /// millisecond, until it is that old; call it once before work begins.
  static double ns_per_tick() noexcept;

  /// A span of ticks in nanoseconds and back, saturating.
  static std::uint64_t to_ns(std::uint64_t ticks) noexcept;
  static std::uint64_t to_ticks(std::chrono::nanoseconds span) noexcept;

  /// Whether `now` reads the CPU's counter.
  static bool uses_counter() noexcept;

 private:
  friend struct tick_clock_setup;

  static std::uint64_t steady_ns() noexcept {
    using namespace std::chrono;
    return static_cast<std::uint64_t>(
        duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count());
  }

  // Written once, while the program is loaded and before other static objects are built.
  static bool use_counter_;
};

}  // namespace tokengate::detail
