// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associator.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <memory>
#include <utility>

#include "tokengate/impl/async_wait.hpp"

/// @file
/// An operation whose cancellation asks something to stop, and which then still waits for its end.

namespace tokengate::detail {

/// The handler of such an operation: as the inner one, but its cancellation slot is not for the
/// wait. The slot is cleared before the handler is called.
template <class Handler>
class cancel_relay {
 public:
  explicit cancel_relay(Handler&& inner) : inner_(std::move(inner)) {}

  /// `request()` is called, on the handler's executor, when the operation is cancelled.
  template <class Request>
  void on_cancel(Request request) {
    auto slot = asio::get_associated_cancellation_slot(inner_);
    if (!slot.is_connected()) return;
    slot.assign([ask = std::move(request)](asio::cancellation_type type) mutable {
      if (type != asio::cancellation_type::none) ask();
    });
  }

  template <class... Args>
  void operator()(Args&&... args) {
    if (auto slot = asio::get_associated_cancellation_slot(inner_); slot.is_connected())
      slot.clear();
    std::move(inner_)(std::forward<Args>(args)...);
  }

  // The wait below has none.
  using cancellation_slot_type = asio::cancellation_slot;
  [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept { return {}; }

  [[nodiscard]] Handler const& inner() const noexcept { return inner_; }
  [[nodiscard]] Handler& inner() noexcept { return inner_; }

 private:
  Handler inner_;
};

template <class Waiter, class State>
struct initiate_relayed {
  using executor_type = asio::any_io_executor;

  asio::any_io_executor fallback;
  wait_clock::time_point limit = no_wait_limit;

  [[nodiscard]] executor_type get_executor() const noexcept { return fallback; }

  template <class Handler, class... Args>
  void operator()(Handler&& handler, std::shared_ptr<State> state, Args&&... args) const {
    cancel_relay<std::decay_t<Handler>> relay(std::forward<Handler>(handler));
    // To be told through the final place of the handler: a type-erased one may hold a slot of its
    // own, so the request refers to the state only.
    relay.on_cancel([state] { state->on_cancel_request(); });
    initiate_wait<Waiter, State>{fallback, limit}(std::move(relay), std::move(state),
                                                  std::forward<Args>(args)...);
  }
};

/// As async_wait_until(), but a cancellation calls state->on_cancel_request() and the wait goes on.
template <class Signature, class Waiter, class State, class CompletionToken, class... Args>
auto async_wait_relayed(std::shared_ptr<State> state, asio::any_io_executor const& fallback,
                        wait_clock::time_point limit, CompletionToken&& token, Args&&... args) {
  return asio::async_initiate<CompletionToken, Signature>(
      initiate_relayed<Waiter, State>{fallback, limit}, token, std::move(state),
      std::forward<Args>(args)...);
}

}  // namespace tokengate::detail

namespace boost::asio {

template <template <class, class> class Associator, class Handler, class Default>
struct associator<Associator, tokengate::detail::cancel_relay<Handler>, Default>
    : Associator<Handler, Default> {
  using base = Associator<Handler, Default>;
  static typename base::type get(tokengate::detail::cancel_relay<Handler> const& relay) noexcept {
    return base::get(relay.inner());
  }
  static auto get(tokengate::detail::cancel_relay<Handler> const& relay,
                  Default const& fallback) noexcept
      -> decltype(base::get(relay.inner(), fallback)) {
    return base::get(relay.inner(), fallback);
  }
};

template <class Handler, class CancellationSlot>
struct associated_cancellation_slot<tokengate::detail::cancel_relay<Handler>, CancellationSlot> {
  using type = cancellation_slot;
  static type get(tokengate::detail::cancel_relay<Handler> const&) noexcept { return {}; }
  static type get(tokengate::detail::cancel_relay<Handler> const&,
                  CancellationSlot const&) noexcept {
    return {};
  }
};

}  // namespace boost::asio
