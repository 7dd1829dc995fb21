// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <memory>
#include <utility>

#include "tokengate/impl/await_below_1_82.hpp"
#include "tokengate/impl/wait_node.hpp"

/// @file
/// The asynchronous end of a core: one operation that waits in it.
///
/// A State is a mutex and a core behind a shared_ptr, and has
///   bool start(Waiter&)      true: its outcome is decided; false: it waits
///   bool cancel(Waiter&)     true: it waited, and no longer does
///   bool try_start(Waiter&)  optional, a short way: true: its outcome is decided; false: nothing
///                            happened, start() follows
///   bool retract(Waiter&)    optional, when a cancellation comes between decision and handler:
///   true:
///                            took back what the waiter had got, and it counts as cancelled
/// None of them throws. A Waiter derives from detail::waiter, is made of a resume function and the
/// arguments of the operation, and has
///   template <class F> void complete(F&& finish)
/// which calls std::move(finish)(arguments of the completion) as its last act: by then it is gone.

namespace tokengate::detail {

/// In the cancellation slot of a handler. Asio emits on the handler's executor, where the wait is
/// delivered too, so the wait is there: its slot is cleared before it goes.
struct slot_cancel {
  queued_wait* wait;
  void operator()(asio::cancellation_type type) const noexcept {
    if (type != asio::cancellation_type::none) turn_queue::cancel(*wait);
  }
};

template <class Node>
void start_wait(typename Node::owner own, wait_clock::time_point limit) {
  Node& node = *own;
  auto& state = node.state();
  auto slot = asio::get_associated_cancellation_slot(node.handler());
  if (slot.is_connected()) slot.template emplace<slot_cancel>(slot_cancel{&node});
  if constexpr (requires { state.try_start(node); }) {
    // Where the turn would only poll until the wait is over, it can as well be tried again: to wait
    // and be resumed costs both sides more than the moment that the other one mostly takes.
    auto const tried = [&] { return state.try_start(node); };
    if (tried() || (node.by_turns() && node.queue().poll_for(tried))) {
      own.release();
      return node.by_turns() ? node.queue().enter_decided(node) : node.post_now();
    }
  }
  try {
    if (!node.queue().enter(node, limit)) return static_cast<void>(own.release());
  } catch (...) {
    node.clear_slot();
    throw;
  }
  own.release();
  turn_queue& queue = node.queue();
  bool const decided = state.start(node);
  if (limit != no_wait_limit)
    queue.started(node, decided);
  else if (decided)
    queue.complete(node);
}

template <class Waiter, class State>
struct initiate_wait {
  using executor_type = asio::any_io_executor;

  asio::any_io_executor fallback;
  wait_clock::time_point limit;

  [[nodiscard]] executor_type get_executor() const noexcept { return fallback; }

  template <class Handler, class... Args>
  void operator()(Handler&& handler, std::shared_ptr<State> state, Args&&... args) const {
    auto const executor = asio::get_associated_executor(handler, fallback);
    using executor_of_handler = std::decay_t<decltype(executor)>;
    using node = wait_node<State, Waiter, std::decay_t<Handler>, executor_of_handler>;
    auto own = node::create(std::move(state), executor, std::forward<Handler>(handler),
                            std::forward<Args>(args)...);
    start_wait<node>(std::move(own), limit);
  }
};

/// An asynchronous operation that waits in a core, at most until `limit` (error::timed_out is then
/// what Waiter makes of wait_outcome::timed_out).
///
/// @par Executor      the handler's associated executor, else `fallback`; never inside this call
/// @par Cancellation  terminal, partial, total: the wait is given up (wait_outcome::cancelled),
/// unless
///                    its outcome is decided already
/// @par Lifetime      the operation keeps the state. The handler is destroyed with its
///                    execution_context, and until then is outstanding work of it
/// @par Cost          one block, from the handler's associated allocator or the block pool;
/// handlers
///                    of an io_context are delivered by turns of at most 64, with a post each
template <class Signature, class Waiter, class State, class CompletionToken, class... Args>
auto async_wait_until(std::shared_ptr<State> state, asio::any_io_executor const& fallback,
                      wait_clock::time_point limit, CompletionToken&& token, Args&&... args) {
  return asio::async_initiate<CompletionToken, Signature>(
      initiate_wait<Waiter, State>{fallback, limit}, token, std::move(state),
      std::forward<Args>(args)...);
}
template <class Signature, class Waiter, class State, class CompletionToken, class... Args>
auto async_wait(std::shared_ptr<State> state, asio::any_io_executor const& fallback,
                CompletionToken&& token, Args&&... args) {
  return async_wait_until<Signature, Waiter>(std::move(state), fallback, no_wait_limit,
                                             std::forward<CompletionToken>(token),
                                             std::forward<Args>(args)...);
}

}  // namespace tokengate::detail
