// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/deferred.hpp>
#include <memory>
#include <vector>

#include "tokengate/gate_options.hpp"
#include "tokengate/impl/executor_port.hpp"
#include "tokengate/lazy_token.hpp"
#include "tokengate/operation.hpp"
#include "tokengate/snapshot.hpp"
#include "tokengate/worker_pool.hpp"

namespace tokengate {

/// The control plane of one event loop: admits tokens, routes them to the workers of a pool, and
/// brings their results back as completion handlers.
///
/// Its executor may be that of an io_context run by one thread or by several, a strand, a
/// thread_pool, or an any_io_executor over one of them. Any number of gates share a pool.
///
/// @par Thread safety  every member but constructor and destructor may be called by any thread,
/// from a
///                  handler, and from inside a token
/// @par Lifetime    gate, pool and io_context may be destroyed in any order. The destructor
/// withdraws
///                  what has not started (error::stopped), asks what runs to stop, and waits for
///                  it; the outcomes are delivered by the loop afterwards. An io_context that goes
///                  first does the same and then destroys the handlers
class gate {
 public:
  using executor_type = asio::any_io_executor;

  /// @par Errors  bad_alloc; nothing is attached then
  template <class Executor>
  requires asio::is_executor<Executor>::value || asio::execution::is_executor<Executor>::value gate(
      Executor const& executor, worker_pool& workers, gate_options const& options = {})
      : gate(asio::any_io_executor(executor), detail::make_executor_port(executor),
             asio::query(executor, asio::execution::context), workers, options) {}

  ~gate();
  gate(gate const&) = delete;
  gate& operator=(gate const&) = delete;

  [[nodiscard]] executor_type get_executor() const noexcept;

  /// Names an operation, so that tokens of it share books and limits. An operation of the same
  /// name, weight and max_concurrency is found again. Names are for kinds of work, not for
  /// instances (sessions, users): the books of each, some kilobytes, live as long as the gate.
  /// @par Errors  std::invalid_argument: max_concurrency without a name, admission::until without a
  /// time
  /// @par Cost    a look into a table of the gate, once per operation, not per call; some
  ///              allocations for a new one
  [[nodiscard]] operation define(token_options const& options);

  /// Binds a function to a token, to be issued when it is awaited or given a completion token; with
  /// a completion token it is issued at once. See lazy_token for what holds then, and guard() for
  /// functions that are called again and again.
  ///
  /// g++ 12: give a lambda with captures a name before the co_await expression, see the README.
  template <detail::token_function F>
  [[nodiscard]] auto async_run(F&& function) {
    return bind(*core_, token_options{}, std::forward<F>(function));
  }
  template <detail::token_function F>
  [[nodiscard]] auto async_run(token_options const& options, F&& function) {
    return bind(*core_, options, std::forward<F>(function));
  }
  template <detail::token_function F>
  [[nodiscard]] auto async_run(operation const& of, F&& function) {
    return bind(of, std::forward<F>(function));
  }
  template <detail::token_function F, class CompletionToken>
  auto async_run(F&& function, CompletionToken&& token) {
    return async_run(std::forward<F>(function))(std::forward<CompletionToken>(token));
  }
  template <detail::token_function F, class CompletionToken>
  auto async_run(token_options const& options, F&& function, CompletionToken&& token) {
    return async_run(options, std::forward<F>(function))(std::forward<CompletionToken>(token));
  }
  template <detail::token_function F, class CompletionToken>
  auto async_run(operation const& of, F&& function, CompletionToken&& token) {
    return async_run(of, std::forward<F>(function))(std::forward<CompletionToken>(token));
  }

  /// Issues a token now and keeps its result.
  template <detail::token_function F>
  [[nodiscard]] auto spawn(F&& function) {
    return async_run(std::forward<F>(function)).spawn();
  }
  template <detail::token_function F>
  [[nodiscard]] auto spawn(token_options const& options, F&& function) {
    return async_run(options, std::forward<F>(function)).spawn();
  }
  template <detail::token_function F>
  [[nodiscard]] auto spawn(operation const& of, F&& function) {
    return async_run(of, std::forward<F>(function)).spawn();
  }

  /// Issues a token whose result nobody waits for. `sink(std::exception_ptr)` is called on the
  /// gate's executor if the token fails, or does not run.
  template <detail::token_function F, std::invocable<std::exception_ptr> Sink>
  void detach(token_options const& options, F&& function, Sink&& sink) {
    async_run(options, std::forward<F>(function))(
        [to = std::forward<Sink>(sink)](std::exception_ptr error, auto&&...) mutable {
          if (error) to(std::move(error));
        });
  }
  template <detail::token_function F, std::invocable<std::exception_ptr> Sink>
  void detach(F&& function, Sink&& sink) {
    detach(token_options{}, std::forward<F>(function), std::forward<Sink>(sink));
  }

  /// Waits until no token is out, for at most `deadline`. Does not close the gate.
  /// @par Completion signature  void(drain_report)
  /// @par Completes with  drained, or the list of tokens that are still out
  /// @par Executor    the handler's associated executor, else the gate's; never inline
  /// @par Cancellation  all types: completes at once with what is out then
  /// @par Cost        two allocations, a timer
  template <class CompletionToken = asio::deferred_t>
  auto async_drain(std::chrono::nanoseconds deadline, CompletionToken&& token = CompletionToken{}) {
    return asio::async_initiate<CompletionToken, void(drain_report)>(initiate_drain{core_}, token,
                                                                     deadline);
  }

  /// New tokens are refused with error::closed; what was admitted is run.
  void close();
  /// Also withdraws what has not started (error::stopped), and asks what runs to stop.
  void stop();

  /// Ends a token as an operator: error::killed if it has not started, else its function is asked
  /// to stop. False when no token with this id is out; or when it is one in which an actor, a
  /// subscription or a pipeline will do its work, and has not started: stop those instead.
  bool kill(std::uint64_t id);

  /// @par Cost  some microseconds and kilobytes; a loop that issues meanwhile does not wait
  [[nodiscard]] gate_snapshot snapshot() const;
  /// What is out: waiting, in a mailbox, or executing.
  [[nodiscard]] std::vector<live_token> tokens() const;

 private:
  template <class>
  friend class guarded;

  struct initiate_drain {
    std::shared_ptr<detail::gate_core> core;
    using executor_type = asio::any_io_executor;
    [[nodiscard]] executor_type get_executor() const noexcept { return detail::executor_of(*core); }
    template <class Handler>
    void operator()(Handler&& handler, std::chrono::nanoseconds deadline) const {
      start_drain(core, deadline, std::forward<Handler>(handler));
    }
  };

  gate(asio::any_io_executor executor, std::unique_ptr<detail::executor_port> port,
       asio::execution_context& context, worker_pool& workers, gate_options const& options);

  static void start_drain(std::shared_ptr<detail::gate_core> const& core,
                          std::chrono::nanoseconds deadline,
                          asio::any_completion_handler<void(drain_report)> handler);

  template <class F>
  static auto bind(detail::gate_core& core, token_options const& options, F&& function) {
    using bound = detail::once<std::decay_t<F>>;
    return lazy_token<bound>(core, detail::operation_for(core, options), detail::terms(options),
                             bound{std::forward<F>(function)});
  }
  template <class F>
  static auto bind(operation const& of, F&& function) {
    using bound = detail::once<std::decay_t<F>>;
    return lazy_token<bound>(*of.gate_, *of.record_, of.terms_, bound{std::forward<F>(function)});
  }

  std::shared_ptr<detail::gate_core> core_;
};

}  // namespace tokengate
