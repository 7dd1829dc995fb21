// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstdint>

#include "tokengate/detail/sync.hpp"

namespace tokengate::detail {

/// A mutex for sections of a few instructions: one compare-and-swap when it is free, a short spin
/// when it is not, then sleep. Usable with std::lock_guard and std::unique_lock. Not fair.
///
/// Invariants: `held` no one sleeps; `awaited` somebody may sleep, and whoever unlocks wakes one.
/// Nothing of the mutex is touched after the exchange of unlock() but its address, so that who
/// locks next may destroy it.
///
/// Source: Drepper, "Futexes Are Tricky", 2011, the second mutex.
template <class Sync = std_sync, int Spins = 60>
class basic_short_mutex {
 public:
  basic_short_mutex() noexcept : word_(free) {}
  basic_short_mutex(basic_short_mutex const&) = delete;
  basic_short_mutex& operator=(basic_short_mutex const&) = delete;

  /// acquire: sees what the last holder did before its unlock().
  void lock() noexcept {
    if (!try_lock()) lock_slowly();
  }
  [[nodiscard]] bool try_lock() noexcept {
    std::uint32_t expected = free;
    return word_.compare_exchange_strong(expected, held, std::memory_order_acquire,
                                         std::memory_order_relaxed);
  }
  /// release: publishes the section. An exchange and not a store, or a sleeper could be missed.
  void unlock() noexcept {
    if (word_.exchange(free, std::memory_order_release) == awaited) Sync::futex_wake(word_);
  }

 private:
  enum : std::uint32_t { free, held, awaited };

  void lock_slowly() noexcept {
    for (int i = 0; i != Spins; ++i) {
      Sync::spin_hint();
      if (word_.load(std::memory_order_relaxed) == free && try_lock()) return;
    }
    // acquire as in try_lock(). Who slept does not know whether others do: it says so to be safe.
    while (word_.exchange(awaited, std::memory_order_acquire) != free)
      Sync::futex_wait(word_, awaited, wait_forever);
  }

  typename Sync::template atomic<std::uint32_t> word_;
};

using short_mutex = basic_short_mutex<>;

}  // namespace tokengate::detail
