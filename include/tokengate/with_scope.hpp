// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <concepts>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>

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

}  // namespace detail

/// Runs a coroutine that may spawn children into a scope of its own, and ends when the coroutine
/// and all children have ended: no child is left in any path. Neither an exception of the body, nor
/// a cancellation of the caller, nor the deadline ends it earlier; each of them cancels the
/// children first.
///
/// `body(scope, args...)` gives an awaitable<R>. Body and arguments are kept until the end, so
/// children may refer to them (take them by reference), and to the frame of the caller; not to
/// locals of the body itself, which are gone while its children still run, unless it joins.
///
///     std::vector<page> pages = co_await with_scope<page>(
///         {.max_concurrency = 8}, fetch_all, urls);
///
/// @par Gives        R; where that is void, the values of the children, as async_join()
/// @par Errors       what the body threw; else the first error of a child, or what cancelled it. If
///                   there is no memory to wait for children with, std::terminate()
/// @par Executor     that of the coroutine that awaits it; see task_scope for the children
/// @par Cancellation what the coroutine that awaits it allows (terminal, unless it says otherwise)
/// @par Lifetime     when the io_context is destroyed, body and children are, in the order of the
///                   context's; nothing of them runs then
/// @par Cost         a coroutine frame, and that of the body
/// @par Example      example/10_pipeline.cpp
template <class T = void, class Body, class... Args>
requires detail::scope_body<Body, T, Args...>
    asio::awaitable<typename detail::scope_value<T, detail::body_result<T, Body, Args...>>::type>
    with_scope(scope_options options, Body body, Args... args) {
  using result = detail::body_result<T, Body, Args...>;
  auto const executor = co_await asio::this_coro::executor;
  auto const state = std::make_shared<detail::scope_state_of<T>>(executor, options);
  std::exception_ptr failed;
  [[maybe_unused]] std::optional<std::conditional_t<std::is_void_v<result>, std::monostate, result>>
      value;
  task_scope<T> scope(detail::joined_by_with_scope, state);
  try {
    auto running = body(scope, args...);
    if constexpr (std::is_void_v<result>) {
      co_await std::move(running);
    } else {
      result given = co_await std::move(running);
      value.emplace(std::move(given));
    }
  } catch (...) {
    failed = std::current_exception();
  }

  // From here on a cancellation must not end this coroutine, only its children.
  bool const throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  auto const cancellation = co_await asio::this_coro::cancellation_state;
  if (failed || cancellation.cancelled() != asio::cancellation_type::none) scope.request_cancel();
  std::optional<typename task_scope<T>::joined_values> joined;
  try {
    auto join = scope.async_join();
    auto outcome = co_await std::move(join)(asio::as_tuple(asio::use_awaitable));
    joined.emplace(std::move(outcome));
  } catch (...) {
    detail::end_without_join();  // no memory to wait with, and nothing may be left behind
  }
  co_await asio::this_coro::throw_if_cancelled(throws);

  if (!failed) failed = std::move(std::get<0>(*joined));
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
