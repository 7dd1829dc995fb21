// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/is_executor.hpp>
#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

#include "tokengate/impl/coroutine_subscriber.hpp"
#include "tokengate/impl/lane_subscriber.hpp"
#include "tokengate/impl/loop_subscriber.hpp"

namespace tokengate::detail {

template <class Context>
concept has_executor = requires(Context& of) {
  of.get_executor();
}
&&std::convertible_to<Context&, asio::execution_context&>;

template <class Executor>
concept executor_type = asio::is_executor<std::decay_t<Executor>>::value ||
    asio::execution::is_executor<std::decay_t<Executor>>::value;

template <class Where>
concept event_place = std::same_as<std::decay_t<Where>, gate> || executor_type<Where> ||
    has_executor<std::remove_cvref_t<Where>>;

template <class Handler>
struct parts_of {
  using handler = Handler;
  using key = no_key;
};
template <class Key, class Handler>
struct parts_of<keyed_handler<Key, Handler>> {
  using handler = Handler;
  using key = Key;
};
template <class T, class Handler>
concept subscriber_handler = event_function<T, typename parts_of<std::decay_t<Handler>>::handler>;

/// Its context may go at any time, also while it is being made.
[[nodiscard]] inline bool still_tied(subscriber& who) noexcept {
  auto* const port = dynamic_cast<loop_port*>(&who);
  return port == nullptr || port->tied();
}

template <class T, class Executor, class Handler, class Sink>
[[nodiscard]] ref<subscriber> make_loop_subscriber(std::shared_ptr<bus_state> const& bus,
                                                   Executor const& executor,
                                                   subscription_options const& options,
                                                   Handler&& handler, Sink&& sink) {
  using result = event_result_t<T, Handler>;
  using made_type =
      std::conditional_t<is_awaitable<result>, coroutine_subscriber<T, Executor, Handler, Sink>,
                         loop_subscriber<T, Executor, Handler, Sink>>;
  ref<loop_port> const made(
      new made_type(std::move(handler), std::move(sink), executor, options, bus));
  (void)made->tie();
  return ref<subscriber>(made.get());
}

/// The kind of subscriber that a place and a handler ask for.
template <class T, class Where, class Handler, class Sink>
[[nodiscard]] ref<subscriber> make_subscriber(std::shared_ptr<bus_state> const& bus, Where& where,
                                              subscription_options const& options, Handler&& given,
                                              Sink&& sink) {
  using parts = parts_of<std::decay_t<Handler>>;
  using handler = typename parts::handler;
  using place = std::remove_cvref_t<Where>;
  constexpr bool keyed = !std::same_as<typename parts::key, no_key>;
  static_assert(event_place<place>,
                "tokengate: a subscription is made on an executor, an execution context or a gate");
  if constexpr (std::same_as<place, gate>) {
    static_assert(!is_awaitable<event_result_t<T, handler>>,
                  "tokengate: a coroutine cannot run on a lane; subscribe it on an executor");
    using made_type = lane_subscriber<T, typename parts::key, handler, std::decay_t<Sink>>;
    if constexpr (keyed) {
      std::decay_t<Handler> both(std::forward<Handler>(given));
      return ref<subscriber>(new made_type(std::move(both.key), std::move(both.handler),
                                           std::move(sink), where, options, bus));
    } else {
      return ref<subscriber>(new made_type(no_key{}, handler(std::forward<Handler>(given)),
                                           std::move(sink), where, options, bus));
    }
  } else {
    auto const executor = [&] {
      if constexpr (has_executor<place>)
        return where.get_executor();
      else
        return where;
    }();
    // All events of a subscription on a loop are in order, so a key adds nothing.
    if constexpr (keyed) {
      std::decay_t<Handler> both(std::forward<Handler>(given));
      return make_loop_subscriber<T>(bus, executor, options, std::move(both.handler),
                                     std::move(sink));
    } else {
      return make_loop_subscriber<T>(bus, executor, options, handler(std::forward<Handler>(given)),
                                     std::move(sink));
    }
  }
}

}  // namespace tokengate::detail
