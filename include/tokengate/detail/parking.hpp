// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <chrono>
#include <cstdint>

#include "tokengate/detail/sync.hpp"

/// @file
/// The one parking protocol of the library, used in both directions: a worker that sleeps on its
/// mailboxes, and a gate whose drain is not scheduled.
///
/// Invariants
///  - The owner (worker, drain) is the only one that writes `running` and `parked`; producers write
///    `notified` only.
///  - A producer publishes first (release store into a ring), then calls notify(). It never skips
///  the
///    exchange because of an earlier plain load: that load may pass the publishing store.
///  - The owner parks only by compare-and-swap from `running`; a `notified` that arrived since the
///    last scan makes that fail, and the owner scans again. No re-check after `parked` is needed:
///    the word carries the whole handshake, so no stand-alone fence is either.
///
/// Model: doc/model/park.pml and test/model. Mutants of the orders below must be found there.

namespace tokengate::detail {

template <class Sync = std_sync>
class parking_word {
 public:
  enum state : std::uint32_t { running = 0, parked = 1, notified = 2 };

  explicit parking_word(state initial = running) noexcept : word_(initial) {}

  /// Producer, after publishing: true when the owner was parked and the caller must wake it.
  /// acq_rel: release hands the published entries to the owner that reads `notified`; acquire
  /// orders the wake-up after the owner's announcement. Relaxed loses a wake-up (mutant 1).
  [[nodiscard]] bool notify() noexcept {
    return word_.exchange(notified, std::memory_order_acq_rel) == parked;
  }

  /// Owner, after a scan that found nothing: true when `parked` is announced. False means that
  /// somebody published since: scan again.
  [[nodiscard]] bool try_park() noexcept {
    std::uint32_t seen = notified;
    // acquire: pairs with notify(), what was published before it is visible to the next scan.
    if (word_.compare_exchange_strong(seen, running, std::memory_order_acq_rel,
                                      std::memory_order_acquire))
      return false;
    seen = running;
    // seq_cst: before the drain looks for what a worker holds back, see is_parked().
    return word_.compare_exchange_strong(seen, parked, std::memory_order_seq_cst,
                                         std::memory_order_acquire);
  }

  /// Owner: sleeps until notified. False when `timeout` passed first. To be followed by unpark().
  bool sleep(std::chrono::nanoseconds timeout = wait_forever) noexcept {
    while (word_.load(std::memory_order_acquire) == parked)
      if (!Sync::futex_wait(word_, parked, timeout)) return false;
    return true;
  }

  /// Owner: awake again, before the next scan. acquire as in try_park(); the exchange (not a store)
  /// keeps a `notified` that arrives now in order with the scan that follows.
  void unpark() noexcept { word_.exchange(running, std::memory_order_acq_rel); }

  /// Owner-side claim by somebody who wants the owner to run and will start it himself: true when
  /// the owner was parked and is now considered running.
  [[nodiscard]] bool claim() noexcept {
    std::uint32_t seen = parked;
    return word_.compare_exchange_strong(seen, running, std::memory_order_acq_rel,
                                         std::memory_order_relaxed);
  }

  /// Producer, after notify() returned true and when the owner sleeps in sleep().
  void wake() noexcept { Sync::futex_wake(word_); }

  /// Producer that holds back something which the owner would find by looking: after it has made
  /// that visible by a seq_cst operation. Either this is true, or the owner looks after parking.
  [[nodiscard]] bool is_parked() const noexcept {
    return word_.load(std::memory_order_seq_cst) == parked;
  }

  /// A hint for routing only: nothing may be decided on it that must be right.
  [[nodiscard]] bool looks_parked() const noexcept {
    return word_.load(std::memory_order_relaxed) == parked;
  }

 private:
  typename Sync::template atomic<std::uint32_t> word_;
};

}  // namespace tokengate::detail
