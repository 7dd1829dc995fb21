// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "tokengate/lock_base.hpp"

namespace tokengate {

/// A number of permits, of which an operation takes one or more: a bound on what runs at once, by
/// count or by weight (bytes in flight, say). Whoever waits for many is not starved by those who
/// want few: the queue is served strictly in its order.
///
/// With permit::forget() and add() it is a token bucket: what is spent does not come back by
/// itself, and a timer adds at the rate.
///
/// @par Thread safety  any thread, all functions
class async_semaphore : public lock_base {
 public:
  /// Some permits, given back at its end. See lock_guard_base.
  class [[nodiscard]] permit : public lock_guard_base {
   public:
    permit() = default;
    explicit permit(detail::lock_hold held) noexcept : lock_guard_base(std::move(held)) {}

    [[nodiscard]] std::size_t count() const noexcept { return hold_.permits(); }
    /// Spends the permits: they do not come back.
    void forget() noexcept { hold_.forget(); }
  };
  using completion_signature = detail::lock_signature<permit>;

  /// `permits` there are, and never more.
  async_semaphore(asio::any_io_executor const& executor, std::size_t permits, std::string name = {})
      : async_semaphore(executor, permits, permits, std::move(name)) {}
  /// `initially` there are, and more may be added up to `most`.
  async_semaphore(asio::any_io_executor const& executor, std::size_t most, std::size_t initially,
                  std::string name = {})
      : lock_base(std::make_shared<detail::lock_shell>(executor, std::move(name), most,
                                                       initially < most ? initially : most)) {}
  template <detail::execution_context_type Context, class... Rest>
  explicit async_semaphore(Context& context, std::size_t permits, Rest&&... rest)
      : async_semaphore(context.get_executor(), permits, std::forward<Rest>(rest)...) {}

  /// Waits for permits. With an owner, the wait is listed under its name, see lock_owner.
  /// @par Completion signature  void(std::exception_ptr, async_semaphore::permit)
  /// @par Completes with  the permits; error::cancelled, error::closed, error::timed_out,
  ///                  error::would_deadlock (more than there can ever be, or see lock_checks.hpp)
  /// @par Executor    the handler's associated executor, else the semaphore's; never inside this
  /// call
  /// @par Cancellation  all types: the wait is given up and takes nothing; those behind it move up.
  ///                  Permits that were granted first arrive
  /// @par Lifetime    none: the operation keeps what it needs
  /// @par Cost        one block from a recycled pool or the handler's allocator, one more with an
  ///                  owner; constant time, and for whoever gives back, the waiters he lets through
  /// @par Example     example/09_rate_limited_crawler.cpp
  [[nodiscard]] auto async_acquire(std::size_t count = 1, lock_owner const& owner = {}) {
    return detail::wait_for_lock<permit>(state_, owner, count);
  }
  template <asio::completion_token_for<completion_signature> CompletionToken>
  auto async_acquire(std::size_t count, CompletionToken&& token) {
    return async_acquire(count)(std::forward<CompletionToken>(token));
  }
  template <asio::completion_token_for<completion_signature> CompletionToken>
  auto async_acquire(std::size_t count, lock_owner const& owner, CompletionToken&& token) {
    return async_acquire(count, owner)(std::forward<CompletionToken>(token));
  }

  /// Takes permits if they are free and nobody waits; else an empty permit.
  [[nodiscard]] permit try_acquire(std::size_t count = 1, lock_owner const& owner = {}) {
    return permit(detail::lock_hold(state_, owner, count));
  }

  /// Blocks a plain thread for them, in the same queue.
  /// @par Errors  as async_mutex::lock
  [[nodiscard]] permit acquire(std::size_t count = 1,
                               std::chrono::nanoseconds timeout = detail::wait_forever,
                               lock_owner const& owner = {}) {
    return detail::block_for_lock<permit>(state_, timeout, owner, count);
  }

  /// Makes permits, at most as many as are missing from `most`. Returns how many that were.
  std::size_t add(std::size_t count = 1) noexcept { return state_->add(count); }

  /// How many are free. Somebody who waits may be entitled to them.
  [[nodiscard]] std::size_t available() const noexcept { return state_->free(); }
};

}  // namespace tokengate
