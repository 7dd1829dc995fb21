// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <algorithm>
#include <boost/asio/async_result.hpp>
#include <boost/asio/detached.hpp>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <stop_token>
#include <string_view>

#include "tokengate/flow_var.hpp"
#include "tokengate/impl/await_below_1_82.hpp"
#include "tokengate/impl/initiate.hpp"

namespace tokengate {

/// A token that has not been issued: a function bound to its arguments, and the terms of this one
/// call. A lazy Asio operation: nothing happens until it is awaited or given a completion token.
///
/// `auto sum = co_await digest(body);` is the usual form. Move-only, used once.
///
/// @par Completion signature  void(std::exception_ptr, R), void(std::exception_ptr) for void; an R
/// that
///                  cannot be default-constructed arrives as std::optional<R>, a T& as
///                  reference_result<T>
/// @par Completes with  the function's value, or its exception; or boost::system::system_error with
/// a
///                  tokengate::error when the function did not run
/// @par Executor    the handler's associated executor, else the gate's; never inside the initiating
/// call
/// @par Cancellation  through the handler's cancellation slot, on its executor; stop_on() from any
/// thread.
///                  Not started: withdrawn at once, error::cancelled. Running: terminal and partial
///                  request stop, and the operation completes when the function has returned
/// @par Lifetime    the gate, or the guarded function it came from, until it is issued; what the
///                  function refers to, until it completes
/// @par Cost        one block from a recycled pool, or from the handler's associated allocator; a
/// second
///                  one when it has a deadline, a key, a cancellation slot or a stop token; never
///                  blocks. A function that takes a std::stop_token: one allocation for its stop
///                  state
/// @par Example     example/01_coroutine.cpp
template <class Bound>
class [[nodiscard(
    "a lazy token does nothing until it is awaited or given a completion token")]] lazy_token
    : public detail::awaitable_operation {
 public:
  using result_type = detail::result_of_t<Bound>;
  using completion_signature = detail::signature_of_t<result_type>;
  using executor_type = asio::any_io_executor;

  lazy_token(detail::gate_core & gate, detail::operation_record & operation,
             detail::terms const& terms, Bound&& bound)
      : gate_(&gate), operation_(&operation), terms_(terms), bound_(std::move(bound)) {
    detail::check_result<result_type>();
  }

  /// The gate's: where a handler runs that has no executor of its own.
  [[nodiscard]] executor_type get_executor() const noexcept {
    return detail::executor_of(*gate_);
  }

  /// Tokens of one gate with the same key run one after another, in issue order, on one worker.
  lazy_token&& keyed(std::uint64_t key)&& noexcept {
    terms_.key = key;
    terms_.has_key = true;
    return std::move(*this);
  }
  lazy_token&& keyed(std::string_view key)&& noexcept {
    return std::move(*this).keyed(static_cast<std::uint64_t>(std::hash<std::string_view>{}(key)));
  }

  /// A deadline for this call, counted from its issue.
  lazy_token&& within(std::chrono::nanoseconds deadline)&& noexcept {
    terms_.deadline = deadline;
    return std::move(*this);
  }

  /// As within(), counted from nowhere: the earlier of this time and the deadline it has already. A
  /// task_scope hands its own deadline down with it.
  lazy_token&& no_later_than(std::chrono::steady_clock::time_point until)&& noexcept {
    if (until == std::chrono::steady_clock::time_point::max()) return std::move(*this);
    std::chrono::nanoseconds const left = until - std::chrono::steady_clock::now();
    terms_.deadline = std::min(terms_.deadline, std::max(left, std::chrono::nanoseconds(1)));
    return std::move(*this);
  }

  /// What to do when there is no place in the backlog.
  /// @par Errors  std::invalid_argument: admission::until without a time
  lazy_token&& admit(admission policy, std::chrono::nanoseconds within = {})&& {
    if (policy == admission::until && within.count() <= 0)
      throw std::invalid_argument("tokengate: admission::until needs a positive time");
    terms_.policy = policy;
    terms_.admit_within = within;
    return std::move(*this);
  }

  /// A stop request there, from any thread, cancels the token.
  lazy_token&& stop_on(std::stop_token stop)&& noexcept {
    terms_.stop = std::move(stop);
    return std::move(*this);
  }

  /// Issues the token. With asio::detached an exception goes to the log and to
  /// gate_snapshot::lost_errors; see gate::detach for a place of your own.
  template <asio::completion_token_for<completion_signature> CompletionToken>
  auto operator()(CompletionToken&& token)&& {
    if constexpr (std::same_as<std::decay_t<CompletionToken>, asio::detached_t>)
      return detail::start(*gate_, *operation_, terms_, std::move(bound_),
                           detail::log_errors{gate_});
    else
      return asio::async_initiate<CompletionToken, completion_signature>(
          detail::initiate_token<Bound>{gate_, operation_}, token, std::move(terms_),
          std::move(bound_));
  }

  /// Issues the token now; its result is kept in a flow variable.
  [[nodiscard]] flow_var<result_type> spawn()&& {
    return detail::spawn_token(*gate_, *operation_, std::move(terms_), std::move(bound_));
  }

 private:
  detail::gate_core* gate_;
  detail::operation_record* operation_;
  detail::terms terms_;
  Bound bound_;
};

}  // namespace tokengate
