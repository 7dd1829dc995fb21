// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "tokengate/detail/waiter.hpp"

namespace tokengate::detail {

/// One that waits for something to happen to all.
class event_waiter : public waiter {
 protected:
  using waiter::waiter;
  ~event_waiter() = default;
};

/// A door: while it is open everybody passes, while it is shut they wait. Also that of a latch,
/// which opens once.
class event_core {
 public:
  explicit event_core(bool set) noexcept : set_(set) {}

  [[nodiscard]] bool set() const noexcept { return set_; }
  [[nodiscard]] bool closed() const noexcept { return closed_; }
  [[nodiscard]] std::size_t waiting() const noexcept { return queue_.size(); }

  /// True: decided at once.
  [[nodiscard]] bool wait(event_waiter& one) noexcept {
    if (set_ || closed_) {
      one.outcome = set_ ? wait_outcome::done : wait_outcome::closed;
      return true;
    }
    queue_.push_back(one);
    return false;
  }

  void open(woken_list& woken) noexcept {
    if (closed_) return;
    set_ = true;
    end_all(wait_outcome::done, woken);
  }
  void shut() noexcept { set_ = false; }

  [[nodiscard]] bool cancel(event_waiter& one) noexcept {
    if (!one.linked()) return false;
    queue_.remove(one);
    return true;
  }

  /// Gives up all waits, those to come too in the case of close.
  void cancel_all(woken_list& woken) noexcept { end_all(wait_outcome::cancelled, woken); }
  void close(woken_list& woken) noexcept {
    closed_ = true;
    end_all(wait_outcome::closed, woken);
  }

 private:
  void end_all(wait_outcome how, woken_list& woken) noexcept {
    while (waiter* first = queue_.pop_front()) {
      first->outcome = how;
      woken.push_back(*first);
    }
  }

  wait_list queue_{};
  bool set_;
  bool closed_ = false;
};

}  // namespace tokengate::detail
