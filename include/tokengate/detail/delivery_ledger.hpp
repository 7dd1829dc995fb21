// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <utility>
#include <vector>

#include "tokengate/detail/short_mutex.hpp"
#include "tokengate/detail/waiter.hpp"

namespace tokengate::detail {

/// How a delivery, one event on its way to one subscriber, came to its end.
enum class delivery_end : std::uint8_t { handled, failed, dropped, undelivered };

/// What became of one event.
struct delivery_counts {
  std::size_t accepted = 0;     ///< subscribers that took it into their queues
  std::size_t handled = 0;      ///< their handlers returned, or their readers took it
  std::size_t failed = 0;       ///< their handlers threw
  std::size_t dropped = 0;      ///< by full_policy, before it was handled
  std::size_t undelivered = 0;  ///< their subscriptions ended first
};

/// The books of one event: what its publisher waits for, and what there is to tell.
///
/// Invariants: everything is under mutex_, which is the innermost lock of the bus: nothing is
/// called and no other lock is taken under it. A waiter is either in waiter_, and then nothing is
/// decided, or its outcome is `done` and the caller of the function that returned it resumes it.
class delivery_ledger {
 public:
  enum class until : std::uint8_t { accepted, handled, replied };

  /// Before the event is offered to anyone: one publisher waits. False: it has given up already.
  [[nodiscard]] bool watch(waiter& by, until what) noexcept {
    std::lock_guard hold(mutex_);
    if (abandoned_) return false;
    waiter_ = &by;
    until_ = what;
    tracks_ends_ = what != until::accepted;
    return true;
  }
  /// Whether it is told the end of each delivery. Constant once the event is offered.
  [[nodiscard]] bool tracks_ends() const noexcept { return tracks_ends_; }

  enum class verdict : std::uint8_t {
    waits,
    decided,   ///< nothing is left to wait for: the waiter is the caller's
    abandoned  ///< the publisher gave up meanwhile: the waiter is the caller's
  };
  /// All subscribers were offered the event, and so many took it at once.
  [[nodiscard]] verdict offered(std::size_t accepted) noexcept {
    std::lock_guard hold(mutex_);
    offering_ = false;
    counts_.accepted += accepted;
    if (abandoned_) {
      waiter_ = nullptr;
      return verdict::abandoned;
    }
    return decide() != nullptr ? verdict::decided : verdict::waits;
  }

  /// One more subscriber is about to be offered the event; with tracks_ends().
  void expect() noexcept {
    std::lock_guard hold(mutex_);
    ++outstanding_;
  }
  /// That subscriber takes no events any more.
  void expect_not() noexcept {
    std::lock_guard hold(mutex_);
    --outstanding_;
  }
  /// A subscriber holds the publisher back.
  void held(void*& owner, void* subscriber) noexcept {
    std::lock_guard hold(mutex_);
    owner = subscriber;
    ++holding_;
  }
  /// A subscriber that held it back has a place now.
  [[nodiscard]] waiter* admitted(void*& owner) noexcept {
    std::lock_guard hold(mutex_);
    owner = nullptr;
    --holding_;
    ++counts_.accepted;
    return decide();
  }
  /// A subscriber that held it back does not want it any more, or the publisher gave it up.
  [[nodiscard]] waiter* let_go(void*& owner) noexcept {
    std::lock_guard hold(mutex_);
    owner = nullptr;
    --holding_;
    if (tracks_ends_) --outstanding_;
    ++counts_.undelivered;
    return decide();
  }
  /// A delivery came to its end. Keeps the error; drops it where memory is short.
  [[nodiscard]] waiter* ended(delivery_end how, std::exception_ptr error) noexcept {
    std::lock_guard hold(mutex_);
    --outstanding_;
    switch (how) {
      case delivery_end::handled:
        ++counts_.handled;
        break;
      case delivery_end::failed:
        ++counts_.failed;
        break;
      case delivery_end::dropped:
        ++counts_.dropped;
        break;
      case delivery_end::undelivered:
        ++counts_.undelivered;
        break;
    }
    if (error) try {
        errors_.push_back(std::move(error));
      } catch (...) {
      }
    return decide();
  }
  /// Somebody answered.
  [[nodiscard]] waiter* replied() noexcept {
    std::lock_guard hold(mutex_);
    replied_ = true;
    return decide();
  }

  /// The publisher gives the wait up. False when its outcome is decided, or will be by offered(): a
  /// deadline may pass, on another thread, while the event is being offered.
  [[nodiscard]] bool give_up(waiter const& by) noexcept {
    std::lock_guard hold(mutex_);
    if (offering_) abandoned_ = true;
    if (offering_ || waiter_ != &by) return false;
    waiter_ = nullptr;
    return true;
  }

  [[nodiscard]] bool has_reply() const noexcept {
    std::lock_guard hold(mutex_);
    return replied_;
  }
  /// Whether a publisher still waits for what comes of it.
  [[nodiscard]] bool wanted() const noexcept {
    std::lock_guard hold(mutex_);
    return waiter_ != nullptr;
  }

  [[nodiscard]] delivery_counts counts() const noexcept {
    std::lock_guard hold(mutex_);
    return counts_;
  }
  [[nodiscard]] std::vector<std::exception_ptr> errors() const {
    std::lock_guard hold(mutex_);
    return errors_;
  }

  /// Calls `with` under the lock, for what else hangs on it.
  template <class Function>
  void locked(Function with) noexcept {
    std::lock_guard hold(mutex_);
    with();
  }

 private:
  [[nodiscard]] waiter* decide() noexcept {
    if (waiter_ == nullptr || offering_) return nullptr;
    bool const over = until_ == until::accepted ? holding_ == 0 : outstanding_ == 0;
    if (!over && !(until_ == until::replied && replied_)) return nullptr;
    waiter_->outcome = wait_outcome::done;
    return std::exchange(waiter_, nullptr);
  }

  mutable short_mutex mutex_;
  until until_ = until::accepted;
  bool offering_ = true;  ///< until offered()
  bool abandoned_ = false;
  bool replied_ = false;
  bool tracks_ends_ = false;
  waiter* waiter_ = nullptr;
  std::size_t holding_ = 0;      ///< subscribers that have no place for it yet
  std::size_t outstanding_ = 0;  ///< deliveries that have not ended; with tracks_ends_ only
  delivery_counts counts_{};
  std::vector<std::exception_ptr> errors_{};
};

}  // namespace tokengate::detail
