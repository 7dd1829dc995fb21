// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cassert>
#include <cstdint>

#include "tokengate/detail/intrusive_list.hpp"

/// @file
/// What a core knows of those who wait in it: a link in its list, an outcome, and a way to tell
/// them afterwards. The core decides under its lock; it is told to the waiter after the lock was
/// let go.

namespace tokengate::detail {

enum class wait_outcome : std::uint8_t { done, cancelled, closed, timed_out, refused };

/// One suspended party of a core: an asynchronous operation, or a thread that blocks.
///
/// Invariants
///  - It is linked in a list of the core exactly as long as it waits, and touched there only under
///    the core's lock. Who unlinks it under the lock decides its outcome.
///  - resume() is called once, by whoever unlinked it, after the lock was let go. Nothing of the
///    waiter may be touched after that.
class waiter : public list_hook<> {
 public:
  /// Tells it that its outcome is decided. It may be gone when this returns.
  void resume() noexcept { resume_(*this); }

  wait_outcome outcome = wait_outcome::done;

 protected:
  using resume_function = void (*)(waiter&) noexcept;
  explicit waiter(resume_function resume) noexcept : resume_(resume) {}
  ~waiter() = default;

 private:
  friend class woken_list;

  resume_function resume_;
  waiter* next_woken_ = nullptr;
};

/// Those who wait, the oldest first.
using wait_list = intrusive_list<waiter>;

/// Those whose outcome a core has decided and who are to be told, the oldest first. With a link of
/// its own: who is in here is linked in no wait_list any more, and a cancellation that comes
/// between decision and resume() sees that.
class woken_list {
 public:
  woken_list() = default;
  woken_list(woken_list const&) = delete;
  woken_list& operator=(woken_list const&) = delete;
  ~woken_list() { assert(empty()); }

  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
  void push_back(waiter& woken) noexcept {
    woken.next_woken_ = nullptr;
    (first_ == nullptr ? first_ : last_->next_woken_) = &woken;
    last_ = &woken;
  }
  waiter* pop_front() noexcept {
    waiter* const first = first_;
    if (first != nullptr) first_ = first->next_woken_;
    return first;
  }
  /// Takes one out that is to be told in another way; one that is not in the list is left alone.
  void remove(waiter& told) noexcept {
    waiter* before = nullptr;
    for (waiter* at = first_; at != nullptr; before = at, at = at->next_woken_) {
      if (at != &told) continue;
      (before == nullptr ? first_ : before->next_woken_) = told.next_woken_;
      if (last_ == &told) last_ = before;
      return;
    }
  }

 private:
  waiter* first_ = nullptr;
  waiter* last_ = nullptr;
};

/// Resumes all of a list, the oldest first. Not under a lock of a core.
inline void resume_all(woken_list& woken) noexcept {
  while (waiter* next = woken.pop_front()) next->resume();
}

}  // namespace tokengate::detail
