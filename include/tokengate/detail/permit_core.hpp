// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cassert>
#include <cstddef>

#include "tokengate/detail/waiter.hpp"

/// @file
/// Permits that are granted first come, first served: the core of async_semaphore, async_mutex (one
/// permit), async_shared_mutex (a writer wants all of them) and monitor (one permit, and waits with
/// a condition).
///
/// Invariants, between any two calls:
/// - `free_` + what is granted and not put back = what there is;
/// - the oldest waiter without a condition wants more than `free_`, so nobody waits in vain;
/// - where a permit is free, no condition of a waiter before that one holds;
/// - nobody takes permits while somebody without a condition waits, however few he wants: a wait
///   for many is not starved by many small ones.

namespace tokengate::detail {

class permit_core;

/// Whether a waiter with a condition may go on.
enum class readiness : unsigned char { no, yes, failed };

class permit_waiter : public waiter {
 public:
  /// Asked while the permits are free, so while nobody changes what the condition looks at.
  using condition = readiness (*)(permit_waiter&) noexcept;

  [[nodiscard]] std::size_t wanted() const noexcept { return wanted_; }
  /// Permits that were granted: what was wanted, or none.
  [[nodiscard]] std::size_t granted() const noexcept { return granted_; }
  /// Asks for what is wanted, without waiting.
  template <class TryTake>
  [[nodiscard]] bool take_at_once(TryTake try_take) noexcept {
    if (!try_take(wanted_)) return false;
    granted_ = wanted_;
    outcome = wait_outcome::done;
    return true;
  }
  /// The permits are somebody else's matter from now on.
  std::size_t take_granted() noexcept {
    auto const taken = granted_;
    granted_ = 0;
    return taken;
  }

 protected:
  permit_waiter(resume_function resume, std::size_t wanted, condition when = nullptr) noexcept
      : waiter(resume), wanted_(wanted), when_(when) {}
  ~permit_waiter() = default;

 private:
  friend class permit_core;
  std::size_t const wanted_;
  condition const when_;
  std::size_t granted_ = 0;
};

/// Whoever is decided by somebody else's call goes to `woken.push_back(permit_waiter&)`, the oldest
/// first: a woken_list, or something that looks at them on the way.
class permit_core {
 public:
  explicit permit_core(std::size_t permits) noexcept : free_(permits) {}

  /// Takes permits if they are free and nobody waits for them.
  [[nodiscard]] bool try_take(std::size_t wanted) noexcept {
    if (closed_ || plain_ != 0 || free_ < wanted) return false;
    free_ -= wanted;
    return true;
  }

  /// True: decided at once, see the outcome. False: it would have to wait.
  [[nodiscard]] bool try_take(permit_waiter& one) noexcept {
    if (closed_) {
      one.outcome = wait_outcome::closed;
      return true;
    }
    return plain_ == 0 && free_ >= one.wanted_ && grant(one);
  }

  /// True: decided at once, see the outcome. False: it waits.
  [[nodiscard]] bool take(permit_waiter& one) noexcept {
    if (try_take(one)) return true;
    if (one.when_ == nullptr) ++plain_;
    queue_.push_back(one);
    return false;
  }

  /// Gives permits back, or adds some.
  template <class Woken>
  void put(std::size_t permits, Woken& woken) noexcept {
    free_ += permits;
    serve(woken);
  }

  /// True: it waited and does no longer; those behind it may be served.
  template <class Woken>
  [[nodiscard]] bool cancel(permit_waiter& one, Woken& woken) noexcept {
    if (!one.linked()) return false;
    unlink(one);
    serve(woken);
    return true;
  }

  /// Gives up all waits.
  template <class Woken>
  void cancel_all(Woken& woken) noexcept {
    end_all(wait_outcome::cancelled, woken);
  }

  /// No more is granted. What was granted can still be put back.
  template <class Woken>
  void close(Woken& woken) noexcept {
    closed_ = true;
    end_all(wait_outcome::closed, woken);
  }

  [[nodiscard]] bool closed() const noexcept { return closed_; }
  [[nodiscard]] std::size_t free() const noexcept { return free_; }
  [[nodiscard]] wait_list const& waiting() const noexcept { return queue_; }

 private:
  /// False: its condition does not hold.
  bool grant(permit_waiter& one) noexcept {
    auto const ready = one.when_ == nullptr ? readiness::yes : one.when_(one);
    if (ready == readiness::no) return false;
    one.outcome = wait_outcome::done;
    if (ready == readiness::yes) {
      one.granted_ = one.wanted_;
      free_ -= one.wanted_;
    }
    return true;
  }

  void unlink(permit_waiter& one) noexcept {
    queue_.remove(one);
    if (one.when_ == nullptr) --plain_;
  }

  template <class Woken>
  void serve(Woken& woken) noexcept {
    while (plain_ == queue_.size()) {  // the usual case, without a look at those who stay
      auto* first = static_cast<permit_waiter*>(queue_.front());
      if (first == nullptr || free_ < first->wanted_) return;
      grant(*first);
      unlink(*first);
      woken.push_back(*first);
    }
    bool enough = true;
    queue_.for_each([&](waiter& each) {
      auto& one = static_cast<permit_waiter&>(each);
      enough = enough && free_ >= one.wanted_;
      if (!enough || !grant(one)) return;
      unlink(one);
      woken.push_back(one);
    });
  }

  template <class Woken>
  void end_all(wait_outcome how, Woken& woken) noexcept {
    while (auto* first = queue_.front()) {
      auto& one = static_cast<permit_waiter&>(*first);
      unlink(one);
      one.outcome = how;
      woken.push_back(one);
    }
  }

  std::size_t free_;
  std::size_t plain_ = 0;  ///< waiters without a condition
  wait_list queue_{};
  bool closed_ = false;
};

}  // namespace tokengate::detail
