// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <chrono>
#include <tuple>

#include "tokengate/impl/async_wait.hpp"

namespace tokengate::detail {

[[nodiscard]] inline wait_clock::time_point limit_after(std::chrono::nanoseconds span) noexcept {
  auto const now = wait_clock::now();
  return span < no_wait_limit - now ? now + span : no_wait_limit;
}

/// A wait that has not begun: what the async_ functions give when they are called without a
/// completion token. Await it, or give it a completion token; move-only, used once.
///
/// `within` and `until` limit the wait: it then ends with error::timed_out, and as after a
/// cancellation nothing was taken and nothing is lost.
template <class Signature, class Waiter, class State, class... Args>
class [[nodiscard(
    "a lazy operation does nothing until it is awaited or given a completion "
    "token")]] lazy_wait : public awaitable_operation {
 public:
  using completion_signature = Signature;
  using executor_type = asio::any_io_executor;

  template <class... Given>
  explicit lazy_wait(std::shared_ptr<State> state, asio::any_io_executor const& fallback,
                     Given&&... args)
      : state_(std::move(state)), fallback_(&fallback), args_(std::forward<Given>(args)...) {}

  /// Where a handler runs that has no executor of its own. A group that Asio makes of a range of
  /// operations asks for it, and would take the system's threads otherwise.
  [[nodiscard]] executor_type const& get_executor() const noexcept {
    return *fallback_;
  }

  /// Counted from this call.
  lazy_wait&& within(std::chrono::nanoseconds span)&& noexcept {
    return std::move(*this).until(limit_after(span));
  }
  lazy_wait&& until(wait_clock::time_point limit)&& noexcept {
    limit_ = limit;
    return std::move(*this);
  }

  template <asio::completion_token_for<Signature> CompletionToken>
  auto operator()(CompletionToken&& token)&& {
    return std::apply(
        [&](Args&&... args) {
          return async_wait_until<Signature, Waiter>(std::move(state_), *fallback_, limit_,
                                                     std::forward<CompletionToken>(token),
                                                     std::move(args)...);
        },
        std::move(args_));
  }

 private:
  std::shared_ptr<State> state_;
  asio::any_io_executor const* fallback_;  ///< kept in the state
  [[no_unique_address]] std::tuple<Args...> args_;
  wait_clock::time_point limit_ = no_wait_limit;
};

}  // namespace tokengate::detail
