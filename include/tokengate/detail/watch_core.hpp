// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstdint>
#include <utility>

#include "tokengate/detail/waiter.hpp"

/// @file
/// The latest of something, and waiting for a later one.
///
/// Invariant: who waits has seen the current version. Versions count from 1; the value belongs to
/// the current one.

namespace tokengate::detail {

template <class Item>
class watch_core {
 public:
  class change_waiter : public waiter {
    friend class watch_core;
    bool given_up_ = false;

   protected:
    explicit change_waiter(resume_function resume) noexcept : waiter(resume) {}
    ~change_waiter() = default;
  };

  explicit watch_core(Item first) noexcept : item_(std::move(first)) {}

  /// The old value is in `item` then: it is destroyed by the caller, not under the lock. False:
  /// closed, and nothing has changed.
  bool set(Item& item, woken_list& woken) noexcept {
    if (closed_) return false;
    std::swap(item_, item);
    ++version_;
    end_all(wait_outcome::done, woken);
    return true;
  }

  /// True: there is a later one than `seen`, or never will be.
  [[nodiscard]] bool wait(change_waiter& one, std::uint64_t seen) noexcept {
    one.outcome = version_ != seen ? wait_outcome::done : wait_outcome::closed;
    if (version_ != seen || closed_) return true;
    queue_.push_back(one);
    return false;
  }
  [[nodiscard]] bool cancel(change_waiter& one) noexcept {
    if (!one.linked()) return false;
    queue_.remove(one);
    one.given_up_ = true;
    return true;
  }
  /// Whether it was to get a value. It was not told of one, so that there is nothing to take back.
  [[nodiscard]] bool retract(change_waiter& one) const noexcept {
    // Whoever gave it up is about to write its outcome.
    return !one.given_up_ && one.outcome == wait_outcome::done;
  }
  void cancel_all(woken_list& woken) noexcept { end_all(wait_outcome::cancelled, woken); }
  void close(woken_list& woken) noexcept {
    closed_ = true;
    end_all(wait_outcome::closed, woken);
  }

  [[nodiscard]] Item const& item() const noexcept { return item_; }
  [[nodiscard]] std::uint64_t version() const noexcept { return version_; }
  [[nodiscard]] bool closed() const noexcept { return closed_; }
  [[nodiscard]] std::size_t waiting() const noexcept { return queue_.size(); }

 private:
  void end_all(wait_outcome how, woken_list& woken) noexcept {
    while (waiter* first = queue_.pop_front()) {
      first->outcome = how;
      woken.push_back(*first);
    }
  }

  Item item_;
  std::uint64_t version_ = 1;
  wait_list queue_{};
  bool closed_ = false;
};

}  // namespace tokengate::detail
