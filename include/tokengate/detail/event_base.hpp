// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <cassert>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "tokengate/detail/block_pool.hpp"
#include "tokengate/detail/delivery_ledger.hpp"
#include "tokengate/detail/intrusive_list.hpp"
#include "tokengate/detail/ref_counted.hpp"

/// @file
/// An event as the bus sees it: counted, immutable, shared by all who get it.
///
/// Invariants
///  - Each place that keeps an event (a queue, a publisher that is held back, a topic that is
///    sticky, a user's event<T>) owns one reference. The last one to give it up destroys it.
///  - Whoever brings the count to zero owns `next_dead`: so events can be put aside under a lock
///  and
///    be destroyed after it, which is when the user's destructor runs.
///  - `subject` and `published_at` are written before the event is offered to anyone.

namespace tokengate::detail {

class event_base;

/// A publisher that one subscriber holds back. Made when it has to be, freed with its event.
struct held_delivery : list_hook<> {
  explicit held_delivery(event_base& of) noexcept : event(&of) {}
  event_base* event;
  held_delivery* next = nullptr;  ///< of the same event
  void* owner = nullptr;          ///< the subscriber, while it is held; under the ledger's mutex
};

/// What a topic is called; its events refer to it.
struct subject_text : ref_counted {
  explicit subject_text(std::string_view given) : text(given) {}
  std::string const text;
};

class event_base {
 public:
  using destroy_function = void (*)(event_base*) noexcept;

  explicit event_base(destroy_function destroy) noexcept : destroy_(destroy) {}
  event_base(event_base const&) = delete;
  event_base& operator=(event_base const&) = delete;

  void add_refs(std::uint32_t count = 1) noexcept {
    refs_.fetch_add(count, std::memory_order_relaxed);  // whoever adds holds one already
  }
  /// True when it was the last one.
  [[nodiscard]] bool drop_refs(std::uint32_t count = 1) noexcept {
    // acq_rel: what the others did with the event happens before its destruction.
    return refs_.fetch_sub(count, std::memory_order_acq_rel) == count;
  }
  void destroy() noexcept { destroy_(this); }

  /// A publisher is held back. May throw bad_alloc.
  held_delivery& make_held() {
    auto* made = ::new (block_allocator<held_delivery>{}.allocate(1)) held_delivery(*this);
    made->next = held_;
    return *(held_ = made);
  }
  [[nodiscard]] held_delivery* held() const noexcept { return held_; }

  delivery_ledger ledger{};
  std::uint64_t published_at = 0;  ///< ticks
  ref<subject_text> subject;       ///< empty before it was offered
  event_base* next_dead = nullptr;

 protected:
  ~event_base() {
    while (held_ != nullptr) {
      held_delivery* const gone = std::exchange(held_, held_->next);
      gone->~held_delivery();
      block_allocator<held_delivery>{}.deallocate(gone, 1);
    }
  }

 private:
  destroy_function destroy_;
  std::atomic<std::uint32_t> refs_{1};
  held_delivery* held_ = nullptr;
};

/// One reference to an event.
class event_ref {
 public:
  event_ref() = default;
  /// Takes a reference over.
  explicit event_ref(event_base* to) noexcept : to_(to) {}
  event_ref(event_ref const& other) noexcept : to_(other.to_) {
    if (to_ != nullptr) to_->add_refs();
  }
  event_ref(event_ref&& other) noexcept : to_(std::exchange(other.to_, nullptr)) {}
  event_ref& operator=(event_ref other) noexcept {
    std::swap(to_, other.to_);
    return *this;
  }
  ~event_ref() {
    if (to_ != nullptr && to_->drop_refs()) to_->destroy();
  }

  [[nodiscard]] event_base* get() const noexcept { return to_; }
  [[nodiscard]] event_base* release() noexcept { return std::exchange(to_, nullptr); }
  event_base& operator*() const noexcept { return *to_; }
  event_base* operator->() const noexcept { return to_; }
  explicit operator bool() const noexcept { return to_ != nullptr; }

 private:
  event_base* to_ = nullptr;
};

/// What is left to do once the locks are let go of: parties to wake, events to destroy.
class aftermath {
 public:
  aftermath() = default;
  aftermath(aftermath const&) = delete;
  aftermath& operator=(aftermath const&) = delete;
  ~aftermath() { run(); }

  /// Gives references to an event up.
  void release(event_base& event, std::uint32_t count = 1) noexcept {
    if (!event.drop_refs(count)) return;
    event.next_dead = dead_;
    dead_ = &event;
  }
  /// A delivery ends, and with it its reference.
  void settle(event_base& event, delivery_end how, std::exception_ptr error = nullptr) noexcept {
    if (event.ledger.tracks_ends()) wake(event.ledger.ended(how, std::move(error)));
    release(event);
  }
  void wake(waiter* one) noexcept {
    if (one != nullptr) woken.push_back(*one);
  }
  void run() noexcept {
    resume_all(woken);
    while (dead_ != nullptr) std::exchange(dead_, dead_->next_dead)->destroy();
  }

  woken_list woken;

 private:
  event_base* dead_ = nullptr;
};

}  // namespace tokengate::detail
