// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <chrono>
#include <utility>

#include "tokengate/impl/channel_wait.hpp"
#include "tokengate/impl/lazy_wait.hpp"
#include "tokengate/impl/thread_wait.hpp"

namespace tokengate::detail {

/// The sending functions of channel<T> and sender<T>.
template <class T, class Handle>
class send_end {
 public:
  /// Sends an item, as soon as there is room. To keep the item where it is until it is taken, see
  /// async_send_from(). With a completion token as the last argument, or without one as a lazy
  /// operation: `co_await out.async_send(x);`, `co_await out.async_send(x).within(20ms);`.
  /// @par Completion signature  void(std::exception_ptr)
  /// @par Completes with  nothing when the channel, or a receiver, has the item; else not_sent<T>,
  ///                  which has it: error::closed, error::cancelled, error::timed_out
  /// @par Executor    the handler's associated executor, else the channel's; never inside this call
  /// @par Cancellation  terminal, partial, total: the item was not taken, and is in the exception
  /// @par Lifetime    none
  /// @par Cost        one block, recycled; O(1). Two allocations for a send that fails
  [[nodiscard]] auto async_send(T item) {
    return lazy_wait<void(std::exception_ptr), owned_send<T>, channel_state<T>, T>(
        state(), state()->executor, std::move(item));
  }
  template <asio::completion_token_for<void(std::exception_ptr)> CompletionToken>
  auto async_send(T item, CompletionToken&& token) {
    return async_send(std::move(item))(std::forward<CompletionToken>(token));
  }

  /// Sends what is in a variable of the caller, which is moved from when, and only when, it was
  /// taken. The form for a send that is raced against something else: a send that lost still has
  /// its item.
  /// @par Completion signature  void(std::exception_ptr)
  /// @par Completes with  nothing; or system_error with error::closed, error::cancelled,
  ///                  error::timed_out, and then `item` is as it was
  /// @par Executor    as async_send()
  /// @par Cancellation  as async_send()
  /// @par Lifetime    `item`, until the operation completes
  /// @par Cost        one block, recycled; O(1)
  [[nodiscard]] auto async_send_from(T& item) {
    return lazy_wait<void(std::exception_ptr), borrowed_send<T>, channel_state<T>, T*>(
        state(), state()->executor, &item);
  }
  template <asio::completion_token_for<void(std::exception_ptr)> CompletionToken>
  auto async_send_from(T& item, CompletionToken&& token) {
    return async_send_from(item)(std::forward<CompletionToken>(token));
  }

  /// Sends without waiting. False: there is no room, somebody waits for it, or the channel is
  /// closed; the item is then not moved from.
  [[nodiscard]] bool try_send(T&& item) noexcept {
    thread_waiter<borrowed_send<T>> self(&item);
    return state()->try_start(self) && self.outcome == wait_outcome::done;
  }

  /// Sends, and blocks a plain thread or a worker for as long as there is no room.
  /// @par Errors  not_sent<T>: error::closed, error::cancelled, error::timed_out; system_error with
  ///              error::would_deadlock on a loop thread that would have to wait
  void send(T item) { send(std::move(item), wait_forever); }
  void send(T item, std::chrono::nanoseconds timeout) {
    if (auto const outcome = block(item, timeout); outcome != wait_outcome::done)
      throw not_sent<T>(error_of(outcome), std::move(item));
  }
  /// As send(), from a variable that is moved from only when it was taken.
  /// @par Errors  system_error
  void send_from(T& item) { send_from(item, wait_forever); }
  void send_from(T& item, std::chrono::nanoseconds timeout) {
    if (auto const outcome = block(item, timeout); outcome != wait_outcome::done)
      throw boost::system::system_error(error_of(outcome));
  }

 protected:
  ~send_end() = default;

 private:
  static_assert(std::is_nothrow_move_constructible_v<T>,
                "tokengate: an item changes hands under the lock of the channel, so its move "
                "constructor must not throw. Send a std::unique_ptr to it instead.");

  [[nodiscard]] std::shared_ptr<channel_state<T>> const& state() const noexcept {
    return static_cast<Handle const&>(*this).sending_state();
  }
  [[nodiscard]] wait_outcome block(T& item, std::chrono::nanoseconds timeout) {
    thread_waiter<borrowed_send<T>> self(&item);
    wait_on_thread(*state(), self, timeout, may_block::workers_too);
    return self.outcome;
  }
};

}  // namespace tokengate::detail
