// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace tokengate {

struct histogram_snapshot;

namespace detail {

/// Off only to measure what keeping statistics costs: snapshots count nothing then. What decides
/// anything is not among them.
#if defined(TOKENGATE_DISABLE_STATISTICS)
inline constexpr bool keeps_statistics = false;
#else
inline constexpr bool keeps_statistics = true;
#endif

/// The buckets of every histogram: exact below 32, from there 16 equal parts of each power of two.
/// The middle of a bucket is at most 1/32 (3.2 %) away from any value in it.
struct histogram_layout {
  static constexpr unsigned sub_bits = 4;
  static constexpr std::size_t sub_count = std::size_t{1} << sub_bits;
  static constexpr unsigned value_bits = 42;
  static constexpr std::uint64_t largest = (std::uint64_t{1} << value_bits) - 1;
  static constexpr std::size_t bucket_count = (value_bits - sub_bits + 1) * sub_count;

  /// The bucket of a value; those above `largest` share the last one.
  static constexpr std::size_t index(std::uint64_t value) noexcept {
    if (value > largest) value = largest;
    // With the extra bit set, small values fall out of the same formula without a branch.
    auto const width = static_cast<unsigned>(std::bit_width(value | sub_count));
    unsigned const shift = width - (sub_bits + 1);
    return shift * sub_count + static_cast<std::size_t>(value >> shift);
  }

  /// The smallest value of a bucket, and how many integers it holds.
  static constexpr std::uint64_t lowest(std::size_t index) noexcept {
    return static_cast<std::uint64_t>(index - shift_of(index) * sub_count) << shift_of(index);
  }
  static constexpr std::uint64_t width(std::size_t index) noexcept {
    return std::uint64_t{1} << shift_of(index);
  }

  static constexpr double middle(std::size_t index) noexcept {
    return static_cast<double>(lowest(index)) + static_cast<double>(width(index) - 1) / 2;
  }

 private:
  static constexpr unsigned shift_of(std::size_t index) noexcept {
    return index < 2 * sub_count ? 0 : static_cast<unsigned>(index / sub_count - 1);
  }
};

/// Counts durations, in ticks or nanoseconds, at a cost that allows it to be always on: one bucket,
/// the sum and a comparison, about three nanoseconds.
///
/// Invariant: one thread records at a time, and hand-over between writers is synchronised by the
/// caller; so plain loads and stores replace read-modify-write. Any thread reads at any time. All
/// accesses are relaxed: nothing is published through these counters, a reader may see a value in
/// its bucket and not yet in the sum.
class histogram {
 public:
  /// `times`: the value stands for so many.
  void record(std::uint64_t value, std::uint64_t times = 1) noexcept {
    if constexpr (!keeps_statistics) return;
    add(buckets_[histogram_layout::index(value)], times);
    add(sum_, value * times);
    if (value > max_.load(std::memory_order_relaxed)) max_.store(value, std::memory_order_relaxed);
  }

  /// Adds what was recorded so far to a snapshot; `ns_per_unit` tells the length of the unit that
  /// was recorded. Several histograms may be read into one snapshot. May allocate.
  void read_into(histogram_snapshot& target, double ns_per_unit) const;

 private:
  using counter = std::atomic<std::uint64_t>;

  static void add(counter& target, std::uint64_t value) noexcept {
    target.store(target.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
  }

  std::array<counter, histogram_layout::bucket_count> buckets_{};
  counter sum_{0};
  counter max_{0};
};

}  // namespace detail
}  // namespace tokengate
