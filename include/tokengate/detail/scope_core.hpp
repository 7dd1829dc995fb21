// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>

#include "tokengate/detail/intrusive_list.hpp"

/// @file
/// Which children of a task scope run, wait, or may not start, and when the scope is idle.
///
/// Invariants: a child is in at most one of the three lists. waiting_ is empty unless `limit_`
/// children run. Once cancelled, nothing waits and nothing is admitted. live() counts what was
/// admitted and has not ended; the scope may end only when it is 0.

namespace tokengate::detail {

/// A child's place in the books.
class scope_child : public list_hook<> {
 public:
  enum class phase : std::uint8_t { fresh, waiting, running, signalled, ended };
  [[nodiscard]] phase at() const noexcept { return phase_; }

 protected:
  scope_child() = default;
  ~scope_child() = default;

 private:
  friend class scope_core;
  phase phase_ = phase::fresh;
};

using child_list = intrusive_list<scope_child>;

/// The state machine of a task scope. Not locked.
class scope_core {
 public:
  using phase = scope_child::phase;

  /// `limit`: the most children that run at once; 0 for no limit. `cancel_rest`: the first failure
  /// cancels the scope.
  scope_core(std::size_t limit, bool cancel_rest) noexcept
      : limit_(limit), cancel_rest_(cancel_rest) {}

  enum class verdict : std::uint8_t { start, wait, refuse };

  /// A new child: to be started now, later when another one ends, or never.
  verdict add(scope_child& child) noexcept {
    if (cancelled_) {
      ++refused_;
      return verdict::refuse;
    }
    ++spawned_;
    ++live_;
    if (limit_ != 0 && running() == limit_) {
      child.phase_ = phase::waiting;
      waiting_.push_back(child);
      return verdict::wait;
    }
    run(child);
    return verdict::start;
  }

  /// What the end of a child leads to.
  struct step {
    scope_child* start = nullptr;  ///< this one may run now; it counts as running
    bool first = false;            ///< the first failure of a scope that these cancel
    bool cancel = false;           ///< the others have to be cancelled
    bool idle = false;             ///< no child is out any more
  };

  step ended(scope_child& child, bool failed) noexcept {
    if (failed) ++failed_;
    step next;
    next.start = end(child);
    next.first = failed && cancel_rest_ && !cancelled_;
    next.cancel = next.first && live_ != 0;
    next.idle = live_ == 0;
    return next;
  }

  /// Nothing starts any more. True the first time; then `withdrawn` has the children that waited,
  /// oldest first. They still count as live: report each one with ended().
  bool cancel(child_list& withdrawn) noexcept {
    if (cancelled_) return false;
    cancelled_ = true;
    withdrawn.splice_back(waiting_);
    return true;
  }

  /// The next running child that has not been asked to stop; null when all have been.
  scope_child* next_to_signal() noexcept {
    scope_child* const child = running_.pop_front();
    if (child != nullptr) {
      child->phase_ = phase::signalled;
      signalled_.push_back(*child);
    }
    return child;
  }

  [[nodiscard]] bool cancelled() const noexcept { return cancelled_; }
  [[nodiscard]] std::size_t live() const noexcept { return live_; }
  [[nodiscard]] std::size_t running() const noexcept { return running_.size() + signalled_.size(); }
  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }
  [[nodiscard]] std::uint64_t spawned() const noexcept { return spawned_; }
  [[nodiscard]] std::uint64_t failed() const noexcept { return failed_; }
  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }

 private:
  void run(scope_child& child) noexcept {
    child.phase_ = phase::running;
    running_.push_back(child);
  }

  scope_child* end(scope_child& child) noexcept {
    assert(child.phase_ != phase::fresh && child.phase_ != phase::ended && live_ != 0);
    // A withdrawn child is in the caller's list, or in none.
    if (child.phase_ == phase::running) running_.remove(child);
    if (child.phase_ == phase::signalled) signalled_.remove(child);
    child.phase_ = phase::ended;
    --live_;
    if (cancelled_ || (limit_ != 0 && running() >= limit_)) return nullptr;
    scope_child* const next = waiting_.pop_front();
    if (next != nullptr) run(*next);
    return next;
  }

  std::size_t const limit_;
  bool const cancel_rest_;
  bool cancelled_ = false;
  std::size_t live_ = 0;
  std::uint64_t spawned_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t refused_ = 0;
  child_list waiting_;
  child_list running_;
  child_list signalled_;  ///< running, and asked to stop
};

}  // namespace tokengate::detail
