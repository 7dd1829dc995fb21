// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "tokengate/detail/histogram.hpp"
#include "tokengate/detail/intrusive_list.hpp"
#include "tokengate/detail/token_base.hpp"
#include "tokengate/token_options.hpp"

namespace tokengate::detail {

/// A counter with one writer at a time (the holder of a combiner, a worker) and any reader. For
/// snapshots alone: nothing is decided by it.
class counter {
 public:
  void add(std::uint64_t n = 1) noexcept {
    if constexpr (!keeps_statistics) return;
    // Plain read and write: a lost update is impossible with one writer; relaxed, nothing hangs on
    // it.
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t get() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// How long a function runs, as the dispatcher expects it. Ticks.
class run_estimate {
 public:
  void add(std::uint64_t ticks) noexcept {
    auto const difference = static_cast<std::int64_t>(ticks) - mean_;
    mean_ += mean_ == 0 ? difference : difference >> 3;
    peak_ = ticks > peak_ ? ticks : peak_ - (peak_ >> 8);
  }
  [[nodiscard]] std::uint64_t mean() const noexcept { return static_cast<std::uint64_t>(mean_); }
  [[nodiscard]] std::uint64_t recent_peak() const noexcept { return peak_; }
  [[nodiscard]] bool known() const noexcept { return peak_ != 0; }

 private:
  std::int64_t mean_ = 0;
  std::uint64_t peak_ = 0;
};

/// What a lane takes from one result to the next while work waits for it. Beside the run times that
/// has in it whatever else there is: hand-over, preemption, other gates. Ticks.
class service_pace {
 public:
  void finished() noexcept { ++count_; }
  void look(std::uint64_t now, bool work_waits) noexcept {
    if (!work_waits) {
      since_ = 0;
      mean_ = 0;
    } else if (since_ == 0) {
      since_ = now;
      count_ = 0;
    } else if (count_ >= enough) {
      auto const fresh = static_cast<std::int64_t>((now - since_) / count_);
      mean_ += mean_ == 0 ? fresh : (fresh - mean_) / 4;
      since_ = now;
      count_ = 0;
    }
  }
  /// 0 while it is not known.
  [[nodiscard]] std::uint64_t mean() const noexcept { return static_cast<std::uint64_t>(mean_); }

 private:
  static constexpr std::uint64_t enough = 16;

  std::uint64_t since_ = 0;
  std::uint64_t count_ = 0;
  std::int64_t mean_ = 0;
};

/// One operation of one gate. Its address is stable for the life of the gate's core. The counters
/// may be read by any thread, everything else belongs to the holder of the combiner.
struct operation_record {
  operation_record(std::string name, token_options const& from)
      : name(std::move(name)), options(from) {
    options.operation = this->name;
  }

  const std::string name;
  token_options options;

  std::uint32_t out = 0;  ///< places under max_concurrency that are taken
  intrusive_list<token_base> limited;
  run_estimate estimate;

  counter issued;
  std::array<counter, 10> outcomes;  ///< by token_state
  histogram run;
};

/// What an operation is found by. Views the name.
struct operation_key {
  explicit operation_key(token_options const& options) noexcept
      : name(options.operation), lane(options.weight), limit(options.max_concurrency) {}
  bool operator==(operation_key const&) const = default;

  std::string_view name;
  weight lane;
  std::uint32_t limit;
};

struct operation_key_hash {
  [[nodiscard]] std::size_t operator()(operation_key const& of) const noexcept {
    std::size_t const rest = (std::size_t{of.limit} << 2) + static_cast<std::size_t>(of.lane);
    return std::hash<std::string_view>{}(of.name) ^ (rest * 0x9e3779b97f4a7c15u);
  }
};

}  // namespace tokengate::detail
