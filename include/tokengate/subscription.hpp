// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "tokengate/event_bus_snapshot.hpp"
#include "tokengate/impl/bus_state.hpp"
#include "tokengate/impl/lazy_wait.hpp"

namespace tokengate {

namespace detail {

/// Waits until the last call of a handler is over.
struct unsubscribe_waiter : waiter {
  explicit unsubscribe_waiter(resume_function resume) noexcept : waiter(resume) {}
  template <class Finish>
  void complete(Finish&& finish) {
    std::exception_ptr error;
    if (outcome == wait_outcome::cancelled) error = make_exception(tokengate::error::cancelled);
    if (outcome == wait_outcome::timed_out) error = make_exception(tokengate::error::timed_out);
    std::move(finish)(std::move(error));
  }
  bool started = false;    ///< under the subscription's mutex
  bool abandoned = false;  ///< its deadline passed, on another thread, before it was started
};

/// A subscription behind its handle.
class subscription_state {
 public:
  subscription_state(ref<subscriber> who, std::shared_ptr<bus_state> bus) noexcept
      : who_(std::move(who)), bus_(std::move(bus)) {}

  [[nodiscard]] subscriber& who() const noexcept { return *who_; }
  [[nodiscard]] asio::any_io_executor const& executor() const noexcept { return bus_->executor(); }
  void end() noexcept { bus_core::end(*who_->space, *who_); }

  [[nodiscard]] bool start(unsubscribe_waiter& by) noexcept {
    end();
    std::lock_guard hold(who_->mutex);
    by.started = true;
    if (by.abandoned) {
      by.outcome = wait_outcome::timed_out;
      return true;
    }
    return who_->core.when_idle(by);
  }
  [[nodiscard]] bool cancel(unsubscribe_waiter& by) noexcept {
    std::lock_guard hold(who_->mutex);
    if (!by.started) by.abandoned = true;
    return by.started && who_->core.cancel(by);
  }

 private:
  ref<subscriber> who_;
  std::shared_ptr<bus_state> bus_;
};

}  // namespace detail

/// The handle of a subscription: its end ends the subscription. Move-only.
///
/// What the end means. When unsubscribe() or the destructor returns, no call of the handler starts
/// any more, and what was queued is given up. A call that another thread had begun, or whose event
/// it had taken from the queue, may still run; neither blocks on it. Until it has returned the
/// handler and what it captured are kept alive, by the library. On a loop that is run by one
/// thread, and ended on that thread, there is no such call, but for the very one that ends its own
/// subscription, which is legal. async_unsubscribe() waits for it too.
///
/// @par Thread safety  any thread may call the const functions; one thread at a time the others
class [[nodiscard("the subscription ends with its handle")]] subscription {
 public:
  using completion_signature = void(std::exception_ptr);

  subscription() = default;
  explicit subscription(std::shared_ptr<detail::subscription_state> state) noexcept
      : state_(std::move(state)) {}
  subscription(subscription &&) noexcept = default;
  subscription& operator=(subscription&& other) noexcept {
    auto gone = std::move(*this);
    state_ = std::move(other.state_);
    return *this;
  }
  ~subscription() {
    unsubscribe();
  }

  /// Ends the subscription. Any number of times; legal inside its own handler.
  void unsubscribe() const noexcept {
    if (state_ != nullptr) state_->end();
  }

  /// Ends the subscription at once, and waits until its last call is over. Not to be awaited inside
  /// a coroutine that is its own handler, which would wait for itself.
  /// @par Completion signature  void(std::exception_ptr)
  /// @par Completes with  success; error::cancelled, error::timed_out: the subscription has ended
  ///                  all the same
  /// @par Executor    the handler's associated executor, else the bus's; never inside this call
  /// @par Cancellation  all types: the wait is given up
  /// @par Lifetime    none
  /// @par Cost        one block from a recycled pool or the handler's allocator
  [[nodiscard]] auto async_unsubscribe() const {
    return detail::lazy_wait<completion_signature, detail::unsubscribe_waiter,
                             detail::subscription_state>(state_, state_->executor());
  }
  template <asio::completion_token_for<completion_signature> CompletionToken>
  auto async_unsubscribe(CompletionToken && token) const {
    return async_unsubscribe()(std::forward<CompletionToken>(token));
  }

  /// Lets the subscription live as long as its bus; the handle is empty then.
  void keep() noexcept {
    state_.reset();
  }

  /// False for an empty handle.
  [[nodiscard]] bool valid() const noexcept {
    return state_ != nullptr;
  }
  /// Whether it takes events: it has not ended, its bus is open, its context is there, and it was
  /// not disconnected.
  [[nodiscard]] bool active() const noexcept {
    if (state_ == nullptr) return false;
    std::lock_guard hold(state_->who().mutex);
    return !state_->who().core.closed();
  }
  /// Its books, also after its end. Empty for an empty handle.
  [[nodiscard]] subscription_snapshot snapshot() const {
    if (state_ == nullptr) return {};
    return detail::snapshot_of(state_->who(), state_->who().pattern);
  }

 private:
  std::shared_ptr<detail::subscription_state> state_;
};

}  // namespace tokengate
