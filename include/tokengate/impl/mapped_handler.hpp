// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associator.hpp>
#include <boost/asio/async_result.hpp>
#include <chrono>
#include <utility>

#include "tokengate/impl/await_below_1_82.hpp"
#include "tokengate/impl/turn_queue.hpp"

namespace tokengate::detail {

/// A completion handler that gives what it is called with to `map`, together with the handler
/// behind it. Executor, allocator and cancellation slot are those of that one.
template <class Handler, class Map>
class mapped_handler {
 public:
  mapped_handler(Handler inner, Map map) : inner_(std::move(inner)), map_(std::move(map)) {}
  template <class... Args>
  void operator()(Args&&... args) {
    std::move(map_)(std::move(inner_), std::forward<Args>(args)...);
  }
  [[nodiscard]] Handler const& inner() const noexcept { return inner_; }

 private:
  Handler inner_;
  Map map_;
};

/// An operation that has not begun: `start(handler, limit)` begins it. Await it, or give it a
/// completion token; move-only, used once.
template <class Signature, class Start>
class [[nodiscard(
    "a lazy operation does nothing until it is awaited or given a completion "
    "token")]] lazy_operation : public awaitable_operation {
 public:
  using completion_signature = Signature;
  using executor_type = asio::any_io_executor;
  /// `executor` is kept by what `start` keeps.
  lazy_operation(asio::any_io_executor const& executor, Start start)
      : executor_(&executor), start_(std::move(start)) {}

  /// Where a handler runs that has no executor of its own.
  [[nodiscard]] executor_type const& get_executor() const noexcept {
    return *executor_;
  }

  /// The longest wait, counted from this call: then error::timed_out.
  lazy_operation&& within(std::chrono::nanoseconds span)&& noexcept {
    auto const now = wait_clock::now();
    limit_ = span < no_wait_limit - now ? now + span : no_wait_limit;
    return std::move(*this);
  }

  template <asio::completion_token_for<Signature> CompletionToken>
  auto operator()(CompletionToken&& token)&& {
    return asio::async_initiate<CompletionToken, Signature>(initiate{*executor_, limit_}, token,
                                                            std::move(start_));
  }

 private:
  struct initiate {
    using executor_type = asio::any_io_executor;
    [[nodiscard]] executor_type const& get_executor() const noexcept { return executor; }
    asio::any_io_executor executor;
    wait_clock::time_point limit;
    template <class Handler>
    void operator()(Handler&& handler, Start start) const {
      std::move(start)(std::forward<Handler>(handler), limit);
    }
  };
  asio::any_io_executor const* executor_;
  Start start_;
  wait_clock::time_point limit_ = no_wait_limit;
};

}  // namespace tokengate::detail

namespace boost::asio {

template <template <class, class> class Associator, class Handler, class Map, class Default>
struct associator<Associator, tokengate::detail::mapped_handler<Handler, Map>, Default>
    : Associator<Handler, Default> {
  using base = Associator<Handler, Default>;
  static typename base::type get(
      tokengate::detail::mapped_handler<Handler, Map> const& handler) noexcept {
    return base::get(handler.inner());
  }
  static auto get(tokengate::detail::mapped_handler<Handler, Map> const& handler,
                  Default const& fallback) noexcept
      -> decltype(base::get(handler.inner(), fallback)) {
    return base::get(handler.inner(), fallback);
  }
};

}  // namespace boost::asio
