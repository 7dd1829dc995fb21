// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/tick_clock.hpp"

#include <atomic>
#include <cmath>
#include <limits>
#include <mutex>

#if defined(__x86_64__)
#include <cpuid.h>

#include <array>
#include <cstdio>
#include <string_view>
#endif

namespace tokengate::detail {

constinit bool tick_clock::use_counter_ = false;

namespace {

using namespace std::chrono;

// Both clocks read at one moment.
struct stamp {
  std::uint64_t ticks;
  steady_clock::time_point time;
};

// scale is the only field that is read without the mutex; it stands alone, so relaxed suffices.
struct calibration {
  std::atomic<double> scale{0};  // ns per tick, 0 until measured
  std::atomic<std::uint64_t> refine_at{0};
  std::mutex mutex;
  stamp base{};
};

constinit calibration state;

constexpr auto shortest_span = milliseconds{1};
// A larger change than this is no better measurement: one of the clocks stood still meanwhile, as
// steady_clock does while the machine is suspended.
constexpr double largest_correction = 0.01;

#if defined(__x86_64__)
// The kernel watches the counter; where it turned to a slow clock, it found the counter unreliable.
bool kernel_distrusts_counter() {
  std::FILE* file =
      std::fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
  if (file == nullptr) return false;
  std::array<char, 32> line{};
  auto const length = std::fread(line.data(), 1, line.size(), file);
  std::fclose(file);
  std::string_view const name{line.data(), length};
  for (std::string_view slow : {"hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit"}) {
    if (name.starts_with(slow)) return true;
  }
  return false;
}

bool counter_usable() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  bool const known = __get_cpuid(0x80000007, &a, &b, &c, &d) != 0;
  bool const invariant = known && (d & (1U << 8)) != 0;
  return invariant && !kernel_distrusts_counter();
}
#endif

// The tightest of a few readings: an interrupt between the two clocks spoils one, hardly all.
stamp take_stamp() noexcept {
  stamp best{};
  auto best_gap = std::numeric_limits<std::uint64_t>::max();
  for (int i = 0; i != 4; ++i) {
    auto const before = tick_clock::now();
    auto const time = steady_clock::now();
    auto const gap = tick_clock::elapsed(before, tick_clock::now());
    if (gap >= best_gap) continue;
    best_gap = gap;
    best = {before + gap / 2, time};
  }
  return best;
}

// Measures from the base stamp to now. Called with the mutex held.
double measure() noexcept {
  auto now = take_stamp();
  while (now.time - state.base.time < shortest_span || now.ticks <= state.base.ticks)
    now = take_stamp();
  auto const span = now.ticks - state.base.ticks;
  double const fresh =
      static_cast<double>(duration_cast<nanoseconds>(now.time - state.base.time).count()) /
      static_cast<double>(span);
  double const old = state.scale.load(std::memory_order_relaxed);
  bool const clocks_parted = old != 0 && std::abs(fresh / old - 1) > largest_correction;
  if (clocks_parted) state.base = now;
  double const scale = clocks_parted ? old : fresh;
  state.scale.store(scale, std::memory_order_relaxed);
  state.refine_at.store(now.ticks + span, std::memory_order_relaxed);
  return scale;
}

double first_measure() noexcept {
  std::scoped_lock lock{state.mutex};
  double const known = state.scale.load(std::memory_order_relaxed);
  return known != 0 ? known : measure();
}

double current_scale() noexcept {
  double const known = state.scale.load(std::memory_order_relaxed);
  return known != 0 ? known : first_measure();
}

}  // namespace

struct tick_clock_setup {
  tick_clock_setup() noexcept {
#if defined(__x86_64__)
    tick_clock::use_counter_ = counter_usable();
#endif
    state.base = take_stamp();
  }
};

namespace {
// First of all static objects, so that none of them takes stamps of two kinds.
[[gnu::init_priority(101)]] tick_clock_setup setup;
}  // namespace

double tick_clock::ns_per_tick() noexcept {
  double const known = current_scale();
  if (now() < state.refine_at.load(std::memory_order_relaxed)) return known;
  std::unique_lock lock{state.mutex, std::try_to_lock};
  return lock ? measure() : known;
}

std::uint64_t tick_clock::to_ns(std::uint64_t ticks) noexcept {
  double const ns = static_cast<double>(ticks) * current_scale();
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();
  return ns < static_cast<double>(most) ? static_cast<std::uint64_t>(ns) : most;
}

std::uint64_t tick_clock::to_ticks(nanoseconds span) noexcept {
  if (span <= nanoseconds::zero()) return 0;
  double const ticks = static_cast<double>(span.count()) / current_scale();
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();
  return ticks < static_cast<double>(most) ? static_cast<std::uint64_t>(ticks) : most;
}

bool tick_clock::uses_counter() noexcept {
#if defined(__aarch64__)
  return true;
#else
  return use_counter_;
#endif
}

}  // namespace tokengate::detail
