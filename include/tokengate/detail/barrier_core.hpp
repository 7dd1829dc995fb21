// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tokengate/detail/waiter.hpp"

namespace tokengate::detail {

class barrier_core;

/// One that has arrived.
class barrier_waiter : public waiter {
 public:
  /// The phase that it ended, counted from 0. Valid when done.
  [[nodiscard]] std::uint64_t phase() const noexcept { return phase_; }

 protected:
  using waiter::waiter;
  ~barrier_waiter() = default;

 private:
  friend class barrier_core;
  std::uint64_t phase_ = 0;
};

/// Everybody waits until all have arrived; then the next phase begins. Invariant: fewer wait than
/// are expected. Whoever gives up has not arrived.
class barrier_core {
 public:
  explicit barrier_core(std::size_t parties) noexcept : parties_(parties) {}

  /// True: it was the last one, or the barrier is closed; `woken` are those that waited for it.
  [[nodiscard]] bool arrive(barrier_waiter& one, woken_list& woken) noexcept {
    if (closed_) {
      one.outcome = wait_outcome::closed;
      return true;
    }
    if (arrived_.size() + 1 >= parties_) {
      one.phase_ = phase_;
      one.outcome = wait_outcome::done;
      end_phase(woken);
      return true;
    }
    arrived_.push_back(one);
    return false;
  }

  /// True: decided, as by arrive(). False: it would have to wait, and has not arrived.
  [[nodiscard]] bool try_arrive(barrier_waiter& one, woken_list& woken) noexcept {
    bool const waits = !closed_ && arrived_.size() + 1 < parties_;
    return !waits && arrive(one, woken);
  }

  /// One party fewer from this phase on.
  void drop(woken_list& woken) noexcept {
    if (parties_ == 0) return;
    --parties_;
    if (!arrived_.empty() && arrived_.size() >= parties_) end_phase(woken);
  }

  [[nodiscard]] bool cancel(barrier_waiter& one) noexcept {
    if (!one.linked()) return false;
    arrived_.remove(one);
    return true;
  }

  void cancel_all(woken_list& woken) noexcept { end_all(wait_outcome::cancelled, woken); }
  void close(woken_list& woken) noexcept {
    closed_ = true;
    end_all(wait_outcome::closed, woken);
  }

  [[nodiscard]] std::size_t parties() const noexcept { return parties_; }
  [[nodiscard]] std::size_t waiting() const noexcept { return arrived_.size(); }
  [[nodiscard]] std::uint64_t phase() const noexcept { return phase_; }

 private:
  void end_phase(woken_list& woken) noexcept {
    end_all(wait_outcome::done, woken);
    ++phase_;
  }
  void end_all(wait_outcome how, woken_list& woken) noexcept {
    while (waiter* first = arrived_.pop_front()) {
      static_cast<barrier_waiter*>(first)->phase_ = phase_;
      first->outcome = how;
      woken.push_back(*first);
    }
  }

  std::size_t parties_;
  std::uint64_t phase_ = 0;
  wait_list arrived_{};
  bool closed_ = false;
};

}  // namespace tokengate::detail
