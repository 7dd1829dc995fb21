// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <concepts>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>

#include "tokengate/impl/scope_host.hpp"
#include "tokengate/task_scope.hpp"

namespace tokengate {

namespace detail {

template <class Awaitable>
struct awaited;
template <class R, class Executor>
struct awaited<asio::awaitable<R, Executor>> {
  using type = R;
};

template <class T, class Body, class... Args>
using body_result = typename awaited<std::invoke_result_t<Body&, task_scope<T>&, Args&...>>::type;

template <class Body, class T, class... Args>
concept scope_body = std::invocable < Body&,
        task_scope<T>
&, Args&... > ;

/// What with_scope() gives: what the body gives, else the values of the children.
template <class T, class R>
struct scope_value {
  using type = R;
};
template <class T>
struct scope_value<T, void> {
  using type = std::vector<T>;
};
template <>
struct scope_value<void, void> {
  using type = void;
};

/// In the cancellation slot of the coroutine that awaits with_scope().
struct cancel_scope_and_body {
  std::weak_ptr<scope_state> scope;
  std::weak_ptr<body_task> body;
  void operator()(asio::cancellation_type type) const noexcept {
    auto const state = scope.lock();
    auto const running = body.lock();  // this here may go while they are told
    if (!state || !running || type == asio::cancellation_type::none) return;
    state->cancel(error::cancelled);
    running->interrupt(type);
  }
};

}  // namespace detail

/// Runs a coroutine that may spawn children into a scope of its own, and ends when the coroutine
/// and all children have ended: no child is left in any path.
///
/// The body belongs to its children: the first child that fails (unless the option says collect)
/// cancels the others **and the body**, and so does the deadline, which counts from the call, with
/// or without children; a cancellation of the caller reaches both. As everywhere in Asio a
/// cancelled body ends where it awaits the next time; one that catches that, and wants to await
/// something afterwards, has to reset its cancellation state. An exception of the body cancels the
/// children. In every case with_scope() then waits until all of them have ended.
/// (`scope.request_cancel()` cancels the children alone: a body that has what it wanted goes on.)
///
/// `body(scope, args...)` gives an awaitable<R>. Body and arguments are kept until the end, so
/// children may refer to them (take them by reference), and to the frame of the caller; not to
/// locals of the body itself, which are gone while its children still run, unless it joins.
///
///     std::vector<page> pages = co_await with_scope<page>(
///         {.max_concurrency = 8}, fetch_all, urls);
///
/// @par Gives        R; where that is void, the values of the children, as async_join()
/// @par Errors       what the body threw; but where that is only that it was cancelled, by a child
///                   or by the deadline, the error of that child, or error::deadline_passed. Else
///                   the first error of a child, or what cancelled it. If there is no memory to
///                   wait for children with, std::terminate()
/// @par Executor     that of the coroutine that awaits it; the body as a child, see task_scope: on
///                   an executor of several threads it has a strand of its own
/// @par Cancellation what the coroutine that awaits it allows (terminal, unless it says otherwise)
/// @par Lifetime     when the io_context is destroyed, body and children are, in the order of the
///                   context's, and the coroutine that awaits it after the last of them: their
///                   destructors may refer to what it owns. Nothing else of them runs then.
///                   So nothing that the caller owns may keep a handler of a child (as a pool or a
///                   list of handlers of its own would: they would keep each other), and no
///                   operation of a child may outlive the io_context
/// @par Cost         a co_spawn for the body, and a block that keeps the coroutine while it waits
/// @par Example      example/10_pipeline.cpp
template <class T = void, class Body, class... Args>
requires detail::scope_body<Body, T, Args...>
    asio::awaitable<typename detail::scope_value<T, detail::body_result<T, Body, Args...>>::type>
    with_scope(scope_options options, Body body, Args... args) {
  using result = detail::body_result<T, Body, Args...>;
  auto const executor = co_await asio::this_coro::executor;
  auto const cancellation = co_await asio::this_coro::cancellation_state;
  bool const throws = co_await asio::this_coro::throw_if_cancelled();
  auto const state = std::make_shared<detail::scope_state_of<T>>(executor, options);
  auto host = std::make_shared<detail::scope_host>();
  auto const runner = state->attach_body(host);
  auto slot = cancellation.slot();
  std::exception_ptr failed;
  std::optional<std::conditional_t<std::is_void_v<result>, std::monostate, result>> value;
  task_scope<T> scope(detail::joined_by_with_scope, state);
  try {
    state->watch_deadline();
    if (slot.is_connected())
      slot.template emplace<detail::cancel_scope_and_body>(
          detail::cancel_scope_and_body{state, runner});
    if (auto const asked = cancellation.cancelled(); asked != asio::cancellation_type::none)
      runner->interrupt(asked);
    auto running = detail::run_body(runner, throws, value, body, scope, args...);
    auto start = [&](detail::host_resumer end) {
      asio::co_spawn(runner->executor(), std::move(running),
                     asio::bind_cancellation_slot(runner->slot(), std::move(end)));
    };
    auto ended = detail::wait_hosted(host, start);
    auto outcome = co_await std::move(ended);
    host = std::move(std::get<0>(outcome));
    failed = std::move(std::get<1>(outcome));
  } catch (...) {
    failed = std::current_exception();
  }
  if (slot.is_connected()) slot.clear();
  state->body_ended();

  // From here on a cancellation must not end this coroutine, only its children.
  co_await asio::this_coro::throw_if_cancelled(false);
  if (failed || cancellation.cancelled() != asio::cancellation_type::none) scope.request_cancel();
  using joined_values = typename task_scope<T>::joined_values;
  std::optional<joined_values> joined;
  try {
    auto start = [&](detail::host_resumer end) {
      detail::host_resumer_with<joined_values> with_values(std::move(end), joined);
      scope.async_join(asio::bind_cancellation_slot(slot, std::move(with_values)));
    };
    auto ended = detail::wait_hosted(host, start);
    co_await std::move(ended);
  } catch (...) {
  }
  // No memory to wait with, and nothing may be left behind.
  if (!joined) detail::end_without_join();
  co_await asio::this_coro::throw_if_cancelled(throws);

  if (!failed) failed = std::move(std::get<0>(*joined));
  if (failed && detail::is_cancellation(failed))
    if (auto why = state->interruption()) failed = std::move(why);
  if (failed) std::rethrow_exception(std::move(failed));
  if constexpr (!std::is_void_v<result>)
    co_return std::move(*value);
  else if constexpr (!std::is_void_v<T>)
    co_return std::move(std::get<1>(*joined));
}

/// With the options' defaults.
template <class T = void, class Body, class... Args>
requires detail::scope_body<Body, T, Args...>
    asio::awaitable<typename detail::scope_value<T, detail::body_result<T, Body, Args...>>::type>
    with_scope(Body body, Args... args) {
  return with_scope<T>(scope_options(), std::move(body), std::move(args)...);
}

}  // namespace tokengate
