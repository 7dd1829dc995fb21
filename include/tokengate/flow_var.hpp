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
/// @par Completes with  the token's outcome; error::broken_promise when its io_context went away
/// first
/// @par Executor    the handler's associated executor, else that of the token's gate or of the
/// promise; never inline
/// @par Cancellation  all types: the wait is given up with error::cancelled, the result stays and
/// may be
///                  waited for again. The token itself is stopped with request_stop(); a promise
///                  sees that in its stop token
/// @par Lifetime    none: dropping it lets the token run on; an exception that nobody took is
/// logged and
///                  counted in gate_snapshot::lost_errors
/// @par Cost        two allocations when spawned (state, stop state); one recycled block per wait
/// @par Example     example/03_plain_thread.cpp
template <class R>
class [[nodiscard]] flow_var : public detail::awaitable_operation {
 public:
  using result_type = R;
  using completion_signature = detail::signature_of_t<R>;

  flow_var() = default;
  explicit flow_var(std::shared_ptr<detail::flow_state<R>> state) noexcept
      : state_(std::move(state)) {}
  flow_var(flow_var&&) noexcept = default;
  flow_var& operator=(flow_var&&) noexcept = default;

  /// False when default-constructed, moved from, or its result was taken by get().
  [[nodiscard]] bool valid() const noexcept { return state_ != nullptr && !state_->taken(); }
  [[nodiscard]] bool ready() const noexcept { return state_->is_ready(); }

  /// Any thread: withdraws the token, or asks its function to stop.
  void request_stop() const noexcept { state_->stop().request_stop(); }

  /// Waits for the result as an asynchronous operation.
  template <asio::completion_token_for<completion_signature> CompletionToken>
  auto operator()(CompletionToken&& token) {
    return detail::async_wait<completion_signature, detail::flow_waiter<R>>(
        state_, state_->executor(), std::forward<CompletionToken>(token), state_.get());
  }
  /// The same as a lazy operation that ends with error::timed_out when the time is over; the result
  /// stays: `co_await answer.within(20ms)`.
  [[nodiscard]] auto within(std::chrono::nanoseconds span) {
    return detail::lazy_wait<completion_signature, detail::flow_waiter<R>, detail::flow_state<R>,
                             detail::flow_state<R>*>(state_, state_->executor(), state_.get())
        .within(span);
  }

  /// Blocks the calling plain thread until the result is there, and takes it.
  /// @par Errors  the function's exception; error::would_deadlock on a worker or on a thread that
  /// runs
  ///              the loop of a gate, unless ready(); error::timed_out, and the variable stays
  ///              valid
  R get() { return get(detail::wait_forever); }
  R get(std::chrono::nanoseconds timeout) {
    if (!state_->block(timeout)) throw boost::system::system_error(error::timed_out);
    state_->mark_taken();
    return state_->take();
  }

 private:
  template <class>
  friend class detail::flow_group;

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
