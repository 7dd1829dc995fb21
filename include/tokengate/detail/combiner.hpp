// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstdint>

#include "tokengate/detail/sync.hpp"

/// @file
/// Flat combining: who enters the combiner owns the producer side of a gate; who finds it taken
/// leaves a note that the holder works off before it lets go. Nobody ever waits.
/// Source of the idea: Hendler, Incze, Shavit, Tzafrir, "Flat combining and the
/// synchronization-parallelism tradeoff", SPAA 2010.
///
/// Invariants
///  - One word: null when free, else a stack of notes that ends in the sentinel of the holder.
///  - Notes are pushed only while the combiner is held, and only the holder takes them, all at
///  once.
///    So no note is ever left behind a free combiner, and there is no ABA: no pop of a single one.
///  - The protected state is touched between try_enter()/enter_or_leave() == true and
///    try_leave() == true, and at no other time.

namespace tokengate::detail {

/// Something for the holder to do. Lives in its owner until it has been worked off.
template <class Sync = std_sync>
struct basic_note {
  enum class kind : std::uintptr_t { issue, stop, refill };

  typename Sync::template var<basic_note*> next = nullptr;

  /// What it is about rides in the low bits of a pointer to whom: a note is part of every token.
  void set(kind what, void* subject) noexcept {
    tagged = reinterpret_cast<std::uintptr_t>(subject) | static_cast<std::uintptr_t>(what);
  }
  [[nodiscard]] kind what() const noexcept { return static_cast<kind>(tagged & 3); }
  [[nodiscard]] void* subject() const noexcept {
    return reinterpret_cast<void*>(tagged & ~std::uintptr_t{3});
  }
  std::uintptr_t tagged = 0;
};
using note = basic_note<>;

template <class Sync = std_sync>
class combiner {
 public:
  using note = basic_note<Sync>;

  combiner() noexcept : head_(nullptr) {}
  combiner(const combiner&) = delete;
  combiner& operator=(const combiner&) = delete;

  /// True when entered. acquire: sees all that the last holder did before try_leave().
  [[nodiscard]] bool try_enter() noexcept {
    note* free = nullptr;
    return head_.compare_exchange_strong(free, &held_, std::memory_order_acquire,
                                         std::memory_order_relaxed);
  }

  /// True when entered; the note is then the caller's own to work off. False when the note was left
  /// with the holder: nothing of it may be touched any more.
  [[nodiscard]] bool enter_or_leave(note& mine) noexcept {
    note* head = head_.load(std::memory_order_relaxed);
    for (;;) {
      if (head == nullptr) {
        if (head_.compare_exchange_weak(head, &held_, std::memory_order_acquire,
                                        std::memory_order_relaxed))
          return true;
      } else {
        mine.next = head;
        // release: the note and what hangs on it become the holder's.
        if (head_.compare_exchange_weak(head, &mine, std::memory_order_release,
                                        std::memory_order_relaxed))
          return false;
      }
    }
  }

  /// Holder: the notes left so far, oldest first, chained by `next`; null when there are none.
  [[nodiscard]] note* take() noexcept {
    // A note that is seen must be seen whole, hence acquire. The exchange needs no release: what
    // the holder did is published by try_leave().
    note* left = head_.load(std::memory_order_relaxed) == &held_
                     ? &held_
                     : head_.exchange(&held_, std::memory_order_acquire);
    note* oldest = nullptr;
    while (left != &held_) {
      note* next = left->next;
      left->next = oldest;
      oldest = left;
      left = next;
    }
    return oldest;
  }

  /// Holder: whether somebody left a note. A hint, for those who are in for longer.
  [[nodiscard]] bool awaited() const noexcept {
    return head_.load(std::memory_order_relaxed) != &held_;
  }

  /// Holder: true when left. False when notes came in: take() them, then try again.
  /// release: the protected state is handed to the next holder.
  [[nodiscard]] bool try_leave() noexcept {
    note* nothing = &held_;
    return head_.compare_exchange_strong(nothing, nullptr, std::memory_order_release,
                                         std::memory_order_relaxed);
  }

 private:
  typename Sync::template atomic<note*> head_;
  note held_;
};

}  // namespace tokengate::detail
