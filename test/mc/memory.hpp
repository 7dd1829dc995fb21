// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

/// @file
/// The memory of the model checker: C++20 atomics by views.
///
///  - Each atomic keeps all its stores in modification order, which is the order of execution.
///  - Each thread has a view: per atomic the oldest store that it may still read, per thread the
///    latest step of that thread which happened before. A load may return any store that is not
///    older than the view allows; a read-modify-write takes the newest.
///  - A release store carries the view of its thread; an acquire load of it joins that view. A
///    read-modify-write hands on what the store it read carried (release sequence).
///  - A seq_cst load reads nothing older than the last seq_cst store of the same atomic.
///
/// What it cannot show: a load that returns a store executed later (load buffering), and
/// modification orders other than the order of execution. No stand-alone fences: the library has
/// none.

namespace tokengate::mc {

inline constexpr unsigned max_threads = 6;  // number 0 sets up and checks the end
inline constexpr unsigned max_atomics = 16;

struct view {
  std::array<std::uint16_t, max_atomics> oldest{};
  std::array<std::uint16_t, max_threads> clock{};

  void join(const view& other) noexcept {
    for (unsigned i = 0; i < max_atomics; ++i) oldest[i] = std::max(oldest[i], other.oldest[i]);
    for (unsigned i = 0; i < max_threads; ++i) clock[i] = std::max(clock[i], other.clock[i]);
  }
};

[[nodiscard]] inline bool acquires(std::memory_order order) noexcept {
  return order == std::memory_order_acquire || order == std::memory_order_consume ||
         order == std::memory_order_acq_rel || order == std::memory_order_seq_cst;
}

[[nodiscard]] inline bool releases(std::memory_order order) noexcept {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

/// Who used a plain variable, and when. Kept in the variable.
struct access_log {
  std::uint16_t writer = 0;
  std::uint16_t written = 0;
  std::array<std::uint16_t, max_threads> read{};
};

class memory {
 public:
  void reset() noexcept {
    used_ = 0;
    views_.fill({});
    for (unsigned t = 0; t < max_threads; ++t) views_[t].clock[t] = 1;
  }

  /// A new atomic; its initial value counts as a store that everybody sees.
  [[nodiscard]] unsigned add(const void* address, std::uint64_t value) {
    location& fresh = locations_.at(used_);
    fresh.stores.clear();
    fresh.stores.push_back({value, {}});
    fresh.seq_cst_floor = 0;
    fresh.futex_floor = 0;
    fresh.address = address;
    return used_++;
  }

  [[nodiscard]] unsigned newest(unsigned at) const noexcept {
    return static_cast<unsigned>(locations_[at].stores.size() - 1);
  }

  [[nodiscard]] unsigned oldest(unsigned thread, unsigned at,
                                std::memory_order order) const noexcept {
    const unsigned seen = views_[thread].oldest[at];
    return order == std::memory_order_seq_cst ? std::max(seen, locations_[at].seq_cst_floor) : seen;
  }

  [[nodiscard]] std::uint64_t value(unsigned at, unsigned index) const noexcept {
    return locations_[at].stores[index].value;
  }

  void read(unsigned thread, unsigned at, unsigned index, std::memory_order order) noexcept {
    view& mine = views_[thread];
    mine.oldest[at] = static_cast<std::uint16_t>(index);
    if (acquires(order)) mine.join(locations_[at].stores[index].carried);
    ++mine.clock[thread];
  }

  /// `after_read`: second half of a read-modify-write, which continues a release sequence.
  void write(unsigned thread, unsigned at, std::uint64_t value, std::memory_order order,
             bool after_read) {
    location& here = locations_[at];
    view& mine = views_[thread];
    view carried = after_read ? here.stores.back().carried : view{};
    mine.oldest[at] = static_cast<std::uint16_t>(here.stores.size());
    if (releases(order)) carried.join(mine);
    here.stores.push_back({value, carried});
    if (order == std::memory_order_seq_cst) here.seq_cst_floor = newest(at);
    ++mine.clock[thread];
  }

  /// Stores become visible in the end: called for what a thread polls.
  void refresh(unsigned thread, unsigned at) noexcept {
    views_[thread].oldest[at] = static_cast<std::uint16_t>(newest(at));
  }

  /// A futex call orders the word itself, by the lock in the kernel; no other data.
  void futex_wake(const void* address) noexcept {
    for (unsigned at = 0; at < used_; ++at)
      if (locations_[at].address == address) locations_[at].futex_floor = newest(at);
  }
  void futex_acquire(unsigned thread, unsigned at) noexcept {
    auto& seen = views_[thread].oldest[at];
    seen = static_cast<std::uint16_t>(std::max<unsigned>(seen, locations_[at].futex_floor));
  }

  /// False on a data race.
  [[nodiscard]] bool read_plain(unsigned thread, access_log& log) noexcept {
    const view& mine = views_[thread];
    log.read[thread] = mine.clock[thread];
    return mine.clock[log.writer] >= log.written;
  }
  [[nodiscard]] bool write_plain(unsigned thread, access_log& log) noexcept {
    const view& mine = views_[thread];
    bool ordered = mine.clock[log.writer] >= log.written;
    for (unsigned t = 0; t < max_threads; ++t) ordered = ordered && mine.clock[t] >= log.read[t];
    log.writer = static_cast<std::uint16_t>(thread);
    log.written = mine.clock[thread];
    return ordered;
  }

  /// `thread` starts with all that `from` knows; also used to join at the end.
  void inherit(unsigned thread, unsigned from) noexcept {
    views_[thread].join(views_[from]);
    ++views_[from].clock[from];  // what `from` does from now on is not known to `thread`
  }

 private:
  struct store {
    std::uint64_t value;
    view carried;
  };
  struct location {
    std::vector<store> stores;
    unsigned seq_cst_floor = 0;
    unsigned futex_floor = 0;
    const void* address = nullptr;
  };

  std::array<location, max_atomics> locations_;
  unsigned used_ = 0;
  std::array<view, max_threads> views_;
};

}  // namespace tokengate::mc
