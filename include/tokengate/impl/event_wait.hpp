// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <memory>
#include <utility>

#include "tokengate/detail/event_core.hpp"
#include "tokengate/impl/core_state.hpp"
#include "tokengate/impl/lazy_wait.hpp"
#include "tokengate/impl/thread_wait.hpp"

/// @file
/// What async_event and async_latch have in common.

namespace tokengate::detail {

template <class Core>
struct event_state : core_state<Core> {
  using core_state<Core>::core_state;

  [[nodiscard]] bool start(event_waiter& one) noexcept {
    return this->change([&](Core& core, woken_list&) { return core.wait(one); });
  }
  [[nodiscard]] bool cancel(event_waiter& one) noexcept {
    return this->change([&](Core& core, woken_list&) { return core.cancel(one); });
  }
};

class happening_waiter : public event_waiter {
 public:
  explicit happening_waiter(resume_function resume) noexcept : event_waiter(resume) {}

  template <class F>
  void complete(F&& finish) {
    std::move(finish)(exception_of(outcome));
  }

 protected:
  ~happening_waiter() = default;
};

/// The part of async_event and async_latch that waits.
template <class Core>
class happening {
 public:
  using executor_type = asio::any_io_executor;
  using completion_signature = void(std::exception_ptr);

  happening(happening const&) = delete;
  happening& operator=(happening const&) = delete;

  /// Where handlers run that have no executor of their own.
  [[nodiscard]] executor_type const& get_executor() const noexcept { return state_->executor; }

  /// Waits until it has happened.
  /// @par Completion signature  void(std::exception_ptr)
  /// @par Completes with  success; error::cancelled, error::closed, error::timed_out
  /// @par Executor    the handler's associated executor, else the object's; never inside this call
  /// @par Cancellation  all types: the wait is given up
  /// @par Lifetime    none: the operation keeps what it needs; the end of the object closes it
  /// @par Cost        one block from a recycled pool or the handler's allocator; constant time
  [[nodiscard]] auto async_wait() {
    return lazy_wait<completion_signature, happening_waiter, event_state<Core>>(state_,
                                                                                state_->executor);
  }
  template <asio::completion_token_for<completion_signature> CompletionToken>
  auto async_wait(CompletionToken&& token) {
    return async_wait()(std::forward<CompletionToken>(token));
  }

  /// Whether a wait would be over at once.
  [[nodiscard]] bool try_wait() const noexcept {
    return state_->look([](Core const& core) { return core.set(); });
  }

  /// Blocks a plain thread. False when the timeout passed first.
  /// @par Errors  system_error: error::would_deadlock on a loop thread or a worker, error::closed,
  ///              error::cancelled
  bool wait(std::chrono::nanoseconds timeout = wait_forever) {
    thread_waiter<happening_waiter> self;
    wait_on_thread(*state_, self, timeout);
    if (self.outcome == wait_outcome::done) return true;
    if (self.outcome == wait_outcome::timed_out) return false;
    throw boost::system::system_error(error_of(self.outcome));
  }

  /// Gives up all who wait now, with error::cancelled.
  void cancel() noexcept {
    state_->change([](Core& core, woken_list& woken) { core.cancel_all(woken); });
  }
  /// Gives up all who wait now or later, with error::closed. What has happened has happened.
  void close() noexcept {
    state_->change([](Core& core, woken_list& woken) { core.close(woken); });
  }
  /// How many wait. They have no names: only what has holders is listed, see lock_base::snapshot().
  [[nodiscard]] std::size_t waiting() const noexcept {
    return state_->look([](Core const& core) { return core.waiting(); });
  }

 protected:
  template <class... Args>
  explicit happening(asio::any_io_executor const& executor, Args... args)
      : state_(std::make_shared<event_state<Core>>(executor, args...)) {}
  ~happening() { close(); }

  std::shared_ptr<event_state<Core>> const state_;
};

}  // namespace tokengate::detail
