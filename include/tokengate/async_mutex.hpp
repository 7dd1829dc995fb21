// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "tokengate/lock_base.hpp"

namespace tokengate {

/// A mutex that is awaited: who has to wait gives the thread back, and nobody is overtaken.
///
///     auto held = co_await accounts.async_lock();   // or .async_lock().within(20ms)
///     co_await write(...);                          // others wait, the loop runs on
///
/// Take it where a section contains a co_await, or spans executors. For a few instructions on one
/// executor nothing is needed, and a strand will do where the section does not wait. A value with a
/// lock of its own: monitor. Not recursive.
///
/// @par Thread safety  any thread, all functions
class async_mutex : public lock_base {
 public:
  /// Ends the hold. See lock_guard_base.
  class [[nodiscard]] guard : public lock_guard_base {
   public:
    guard() = default;
    explicit guard(detail::lock_hold held) noexcept : lock_guard_base(std::move(held)) {}
  };
  using completion_signature = detail::lock_signature<guard>;

  /// The name is what listings and wait cycles call it.
  explicit async_mutex(asio::any_io_executor const& executor, std::string name = {})
      : lock_base(std::make_shared<detail::lock_shell>(executor, std::move(name), 1, 1)) {}
  template <detail::execution_context_type Context>
  explicit async_mutex(Context& context, std::string name = {})
      : async_mutex(context.get_executor(), std::move(name)) {}

  /// Waits for the mutex.
  /// @par Completion signature  void(std::exception_ptr, async_mutex::guard)
  /// @par Completes with  the guard; error::cancelled, error::closed, error::timed_out (its limit,
  ///                  see lazy_wait::within), error::would_deadlock (lock_checks.hpp)
  /// @par Executor    the handler's associated executor, else the mutex's; never inside this call
  /// @par Cancellation  all types: the wait is given up, the place in the queue with it. A mutex
  /// that
  ///                  was granted first arrives; dropping the guard passes it on
  /// @par Lifetime    none: the operation keeps what it needs
  /// @par Cost        one block from a recycled pool or the handler's allocator, one more with an
  ///                  owner; constant time. May throw bad_alloc, then nothing happened
  /// @par Example     example/09_rate_limited_crawler.cpp
  [[nodiscard]] auto async_lock(lock_owner const& owner = {}) {
    return detail::wait_for_lock<guard>(state_, owner, 1);
  }
  template <asio::completion_token_for<completion_signature> CompletionToken>
  auto async_lock(CompletionToken&& token) {
    return async_lock()(std::forward<CompletionToken>(token));
  }
  template <asio::completion_token_for<completion_signature> CompletionToken>
  auto async_lock(lock_owner const& owner, CompletionToken&& token) {
    return async_lock(owner)(std::forward<CompletionToken>(token));
  }

  /// Takes the mutex if it is free and nobody waits; else an empty guard.
  [[nodiscard]] guard try_lock(lock_owner const& owner = {}) {
    return guard(detail::lock_hold(state_, owner, 1));
  }

  /// Blocks a plain thread for it, in the same queue.
  /// @par Errors  system_error: error::would_deadlock on a loop thread or a worker, if it has to
  ///              block there, or in a wait cycle; error::timed_out, error::closed,
  ///              error::cancelled
  [[nodiscard]] guard lock(std::chrono::nanoseconds timeout = detail::wait_forever,
                           lock_owner const& owner = {}) {
    return detail::block_for_lock<guard>(state_, timeout, owner, 1);
  }
};

}  // namespace tokengate
