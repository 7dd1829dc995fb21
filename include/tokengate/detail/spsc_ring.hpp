// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "tokengate/detail/sync.hpp"

/// @file
/// A bounded ring between one producer and one consumer that can wait for each other, and can be
/// closed by anybody. What a sleeping side needs rides in the very words that carry the indices, so
/// that publishing an item, seeing that the channel was closed and seeing that the consumer waits
/// are one compare-and-swap: there is no moment between them in which a wake-up, or an item, is
/// lost.
///
/// Invariants
///  - tail_ is (items pushed, consumer waits, closed). Its index is changed by the producer only.
///  The
///    consumer sets `waits` while the index says empty; the push that follows takes it back, and
///    with it the duty to wake. `closed` is set for good, and freezes the index.
///  - head_ is (items popped, producer waits). Its index is changed by the consumer only. The
///    producer sets `waits` while the index says full, and takes it back itself.
///  - A slot belongs to the producer from its pop to its push, to the consumer from its push to its
///    pop. The fields without atomics belong to the side under whose name they stand.
///  - A side may be acted for by somebody else while its owner waits, under the lock of the
///  channel.
///
/// Model: doc/model/channel.pml and test/model/spsc_channel_test.cpp.

namespace tokengate::detail {

template <class Slots, class Sync = std_sync>
class spsc_ring {
 public:
  enum class push_result : std::uint8_t { accepted, accepted_wake, full, closed };
  struct pop_result {
    std::size_t taken = 0;
    bool closed = false;  ///< nothing is left, and nothing will come
    bool wake = false;    ///< the producer waits, and there is room now
  };

  explicit spsc_ring(std::size_t capacity)
      : tail_(0), head_(0), capacity_(capacity), slots_(capacity) {}
  spsc_ring(spsc_ring const&) = delete;
  spsc_ring& operator=(spsc_ring const&) = delete;

  /// Producer. The item is moved from if it was accepted, and not otherwise.
  template <class T>
  push_result push(T& item) noexcept {
    if (pushed_ - popped_seen_ == capacity_) {
      // acquire: pairs with the release of pop(), the slot is no longer read.
      popped_seen_ = head_.load(std::memory_order_acquire) / step;
    }
    std::uint64_t seen = tail_.load(std::memory_order_relaxed);
    if ((seen & closed_bit) != 0) return push_result::closed;
    if (pushed_ - popped_seen_ == capacity_) return push_result::full;
    slots_.put(pushed_, std::move(item));
    // release: publishes the slot. One step, or `closed` or `waits` could come in between.
    while (!tail_.compare_exchange_weak(seen, (pushed_ + 1) * step, std::memory_order_release,
                                        std::memory_order_relaxed)) {
      if ((seen & closed_bit) == 0) continue;
      slots_.take_back(pushed_, item);
      return push_result::closed;
    }
    pushed_ = pushed_ + 1;
    return (seen & waits_bit) != 0 ? push_result::accepted_wake : push_result::accepted;
  }

  /// Consumer: gives up to `max` items to `sink`, and frees their slots in one step.
  template <class Sink>
  pop_result pop(std::size_t max, Sink sink) noexcept {
    if (popped_ == pushed_seen_) {
      // acquire: pairs with the release of push(), the slots up to the index are written.
      auto const seen = tail_.load(std::memory_order_acquire);
      pushed_seen_ = seen / step;
      if (popped_ == pushed_seen_) return {0, (seen & closed_bit) != 0, false};
    }
    std::size_t const there = pushed_seen_ - popped_;
    std::size_t const count = there < max ? there : max;
    for (std::size_t i = 0; i != count; ++i) {
      sink(slots_.at(popped_));
      slots_.drop(popped_);
      popped_ = popped_ + 1;
    }
    // release: the slots are free. One step, or the producer could begin to wait in between.
    auto const before = head_.fetch_add(count * step, std::memory_order_release);
    return {count, false, (before & waits_bit) != 0};
  }

  /// Consumer: announces that it waits. False: it need not, something came or the ring was closed.
  [[nodiscard]] bool announce_consumer() noexcept {
    auto seen = tail_.load(std::memory_order_relaxed);
    while (seen == popped_ * step)
      // relaxed: nothing is published by it. The duty to wake it leads through the channel's lock.
      if (tail_.compare_exchange_weak(seen, seen | waits_bit, std::memory_order_relaxed,
                                      std::memory_order_relaxed))
        return true;
    return seen == (popped_ * step | waits_bit);
  }

  /// Producer: the same for a full ring.
  [[nodiscard]] bool announce_producer() noexcept {
    auto const full = (pushed_ - capacity_) * step;
    auto seen = head_.load(std::memory_order_relaxed);
    while (seen == full)
      if (head_.compare_exchange_weak(seen, seen | waits_bit, std::memory_order_relaxed,
                                      std::memory_order_relaxed))
        return true;
    return seen == (full | waits_bit);
  }
  void withdraw_producer() noexcept { head_.fetch_and(~waits_bit, std::memory_order_relaxed); }

  /// Anybody, any number of times. release: as push(), it continues what the index publishes.
  void close() noexcept { tail_.fetch_or(closed_bit, std::memory_order_release); }
  [[nodiscard]] bool closed() const noexcept {
    return (tail_.load(std::memory_order_relaxed) & closed_bit) != 0;
  }

  /// A number that was right a moment ago.
  [[nodiscard]] std::size_t size() const noexcept {
    auto const popped = head_.load(std::memory_order_relaxed) / step;
    auto const pushed = tail_.load(std::memory_order_relaxed) / step;
    auto const there = static_cast<std::size_t>(pushed - popped);
    return there < capacity_ ? there : capacity_;
  }

 private:
  static constexpr std::uint64_t closed_bit = 1;
  static constexpr std::uint64_t waits_bit = 2;
  static constexpr std::uint64_t step = 4;

  using word = typename Sync::template atomic<std::uint64_t>;
  alignas(cache_line) word tail_;
  alignas(cache_line) word head_;
  using index = typename Sync::template var<std::uint64_t>;
  alignas(cache_line) index pushed_{0};  ///< producer
  index popped_seen_{0};
  alignas(cache_line) index popped_{0};  ///< consumer
  index pushed_seen_{0};
  alignas(cache_line) std::size_t capacity_;
  Slots slots_;
};

}  // namespace tokengate::detail
