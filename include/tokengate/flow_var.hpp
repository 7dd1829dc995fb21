// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/async_result.hpp>
#include <chrono>
#include <memory>

#include "tokengate/impl/await_below_1_82.hpp"
#include "tokengate/impl/flow_state.hpp"
#include "tokengate/impl/initiate.hpp"
#include "tokengate/impl/lazy_wait.hpp"

namespace tokengate {
namespace detail {
template <class R>
class flow_group;
}

/// A value that will come: the result of a token that was issued already, or what a promise<R> is
/// given. A single-use channel: await it on any executor, or block on it from a plain thread. For
/// several of them see when_all() and when_any().
///
/// @par Thread safety  one thread at a time, except request_stop() and ready(), which any thread
/// may call
/// @par Completion signature  as lazy_token
/// @par Completes with  the token's outcome, once; error::broken_promise when its io_context went
/// away first. Whoever comes when it was taken already gets std::future_error
/// (future_already_retrieved); whoever comes while another wait for it is under way
/// error::would_deadlock, or, when both ends at the same moment, one of the two does not get it
/// @par Executor    the handler's associated executor, else that of the token's gate or of the
/// promise; never inline
/// @par Cancellation  all types: the wait is given up with error::cancelled, the result stays and
/// may be
///                  waited for again. The token itself is stopped with request_stop(); a promise
///                  sees that in its stop token
/// @par Lifetime    none: dropping it lets the token run on; an exception that nobody took is
/// logged, and that of a token counted in gate_snapshot::lost_errors
/// @par Cost        two allocations when spawned (state, stop state); one recycled block per wait
/// @par Example     example/03_plain_thread.cpp
template <class R>
class [[nodiscard]] flow_var : public detail::awaitable_operation {
 public:
  using result_type = R;
  using completion_signature = detail::signature_of_t<R>;
  using executor_type = asio::any_io_executor;

  flow_var() = default;
  explicit flow_var(std::shared_ptr<detail::flow_state<R>> state) noexcept
      : state_(std::move(state)) {}
  flow_var(flow_var&&) noexcept = default;
  flow_var& operator=(flow_var&&) noexcept = default;

  /// False when default-constructed, moved from, or its result was taken: by get(), or by a wait
  /// whose handler was called with it. A wait that was cancelled or timed out takes nothing.
  [[nodiscard]] bool valid() const noexcept { return state_ != nullptr && !state_->taken(); }
  [[nodiscard]] bool ready() const noexcept { return state_ != nullptr && state_->is_ready(); }

  /// Any thread: withdraws the token, or asks its function to stop.
  void request_stop() const noexcept {
    if (state_) state_->stop().request_stop();
  }

  /// That of the token's gate or of the promise; empty when it was default-constructed or moved
  /// from. Where a handler runs that has no executor of its own.
  [[nodiscard]] executor_type get_executor() const noexcept {
    return state_ ? state_->executor() : executor_type();
  }

  /// Waits for the result as an asynchronous operation.
  /// @par Errors  std::future_error (no_state) at once, as by within() and get(), when it was
  ///              default-constructed or moved from
  template <asio::completion_token_for<completion_signature> CompletionToken>
  auto operator()(CompletionToken&& token) {
    auto& state = checked();
    return detail::async_wait<completion_signature, detail::flow_waiter<R>>(
        state_, state.executor(), std::forward<CompletionToken>(token), &state);
  }
  /// The same as a lazy operation that ends with error::timed_out when the time is over; the result
  /// stays: `co_await answer.within(20ms)`.
  [[nodiscard]] auto within(std::chrono::nanoseconds span) {
    auto& state = checked();
    return detail::lazy_wait<completion_signature, detail::flow_waiter<R>, detail::flow_state<R>,
                             detail::flow_state<R>*>(state_, state.executor(), &state)
        .within(span);
  }

  /// Blocks the calling plain thread until the result is there, and takes it.
  /// @par Errors  the function's exception; error::would_deadlock on a worker or on a thread that
  /// runs
  ///              the loop of a gate, unless ready(); error::timed_out, and the variable stays
  ///              valid; std::future_error when the result was taken already
  R get() { return get(detail::wait_forever); }
  R get(std::chrono::nanoseconds timeout) {
    auto& state = checked();
    if (!state.block(timeout)) throw boost::system::system_error(error::timed_out);
    return state.take();
  }

 private:
  template <class>
  friend class detail::flow_group;

  detail::flow_state<R>& checked() const {
    if (!state_) std::rethrow_exception(detail::no_result(std::future_errc::no_state));
    return *state_;
  }

  std::shared_ptr<detail::flow_state<R>> state_;
};

namespace detail {

template <class Bound>
[[nodiscard]] flow_var<result_of_t<Bound>> spawn_token(gate_core& gate, operation_record& operation,
                                                       terms with, Bound&& bound) {
  using result = result_of_t<Bound>;
  auto state =
      std::allocate_shared<flow_state<result>>(block_allocator<flow_state<result>>{}, share(gate));
  state->stop_with(std::move(with.stop));
  with.stop = state->stop().get_token();
  start(gate, operation, with, std::move(bound), flow_setter<result>(state));
  return flow_var<result>(std::move(state));
}

}  // namespace detail
}  // namespace tokengate
