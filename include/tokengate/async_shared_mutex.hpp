// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include "tokengate/lock_base.hpp"

namespace tokengate {

/// A mutex for many readers or one writer, awaited. Served strictly in the order of arrival: a
/// reader that comes after a waiting writer waits too, so no writer starves, and neighbouring
/// readers in the queue enter together.
///
/// So a reader must not lock it again for reading: a writer in between would stop both for ever.
/// With owners, that is found (lock_checks.hpp).
///
/// @par Thread safety  any thread, all functions
class async_shared_mutex : public lock_base {
 public:
  /// As many readers fit in at once.
  static constexpr std::size_t max_readers = 0x7fffffff;

  /// A reader's. See lock_guard_base.
  class [[nodiscard]] shared_guard : public lock_guard_base {
   public:
    shared_guard() = default;
    explicit shared_guard(detail::lock_hold held) noexcept : lock_guard_base(std::move(held)) {}
  };

  /// The writer's. See lock_guard_base.
  class [[nodiscard]] guard : public lock_guard_base {
   public:
    guard() = default;
    explicit guard(detail::lock_hold held) noexcept : lock_guard_base(std::move(held)) {}

    /// Goes on as a reader, without letting another writer in between; readers that wait next in
    /// the queue enter. This guard is empty then. It must not be empty before.
    [[nodiscard]] shared_guard downgrade() noexcept {
      hold_.keep_one();
      return shared_guard(std::move(hold_));
    }
  };
  using completion_signature = detail::lock_signature<guard>;
  using shared_completion_signature = detail::lock_signature<shared_guard>;

  explicit async_shared_mutex(asio::any_io_executor const& executor, std::string name = {})
      : lock_base(std::make_shared<detail::lock_shell>(executor, std::move(name), max_readers,
                                                       max_readers)) {}
  template <detail::execution_context_type Context>
  explicit async_shared_mutex(Context& context, std::string name = {})
      : async_shared_mutex(context.get_executor(), std::move(name)) {}

  /// Waits to be the writer.
  /// @par Completion signature  void(std::exception_ptr, async_shared_mutex::guard)
  /// @par Completes with, Executor, Cancellation, Lifetime, Cost  as async_mutex::async_lock
  [[nodiscard]] auto async_lock(lock_owner const& owner = {}) {
    return detail::wait_for_lock<guard>(state_, owner, max_readers);
  }
  template <asio::completion_token_for<completion_signature> CompletionToken>
  auto async_lock(CompletionToken&& token) {
    return async_lock()(std::forward<CompletionToken>(token));
  }
  template <asio::completion_token_for<completion_signature> CompletionToken>
  auto async_lock(lock_owner const& owner, CompletionToken&& token) {
    return async_lock(owner)(std::forward<CompletionToken>(token));
  }

  /// Waits to be a reader.
  /// @par Completion signature  void(std::exception_ptr, async_shared_mutex::shared_guard)
  /// @par Completes with, Executor, Cancellation, Lifetime, Cost  as async_mutex::async_lock
  [[nodiscard]] auto async_lock_shared(lock_owner const& owner = {}) {
    return detail::wait_for_lock<shared_guard>(state_, owner, 1);
  }
  template <asio::completion_token_for<shared_completion_signature> CompletionToken>
  auto async_lock_shared(CompletionToken&& token) {
    return async_lock_shared()(std::forward<CompletionToken>(token));
  }
  template <asio::completion_token_for<shared_completion_signature> CompletionToken>
  auto async_lock_shared(lock_owner const& owner, CompletionToken&& token) {
    return async_lock_shared(owner)(std::forward<CompletionToken>(token));
  }

  /// Enter if that is possible at once and nobody waits; else an empty guard.
  [[nodiscard]] guard try_lock(lock_owner const& owner = {}) {
    return guard(detail::lock_hold(state_, owner, max_readers));
  }
  [[nodiscard]] shared_guard try_lock_shared(lock_owner const& owner = {}) {
    return shared_guard(detail::lock_hold(state_, owner, 1));
  }

  /// Block a plain thread for it, in the same queue.
  /// @par Errors  as async_mutex::lock
  [[nodiscard]] guard lock(std::chrono::nanoseconds timeout = detail::wait_forever,
                           lock_owner const& owner = {}) {
    return detail::block_for_lock<guard>(state_, timeout, owner, max_readers);
  }
  [[nodiscard]] shared_guard lock_shared(std::chrono::nanoseconds timeout = detail::wait_forever,
                                         lock_owner const& owner = {}) {
    return detail::block_for_lock<shared_guard>(state_, timeout, owner, 1);
  }
};

}  // namespace tokengate
