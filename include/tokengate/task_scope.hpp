// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/execution_context.hpp>
#include <concepts>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <variant>
#include <vector>

#include "tokengate/impl/cancel_relay.hpp"
#include "tokengate/impl/lazy_wait.hpp"
#include "tokengate/impl/scope_child.hpp"
#include "tokengate/scope_options.hpp"

namespace tokengate {

namespace detail {

/// A join that has not begun. Await it, or give it a completion token.
///
/// `within` and `until` limit the wait, and not the scope: it ends with error::timed_out, the
/// children go on, and their outcomes stay for the next join.
template <class Signature, class Waiter, class State, class Limited = Waiter>
class [[nodiscard("a join does nothing until it is awaited or given a completion token")]] lazy_join
    : public awaitable_operation {
 public:
  using completion_signature = Signature;
  using executor_type = asio::any_io_executor;
  explicit lazy_join(std::shared_ptr<State> state,
                     wait_clock::time_point limit = no_wait_limit) noexcept
      : state_(std::move(state)), limit_(limit) {}

  /// The scope's: where a handler runs that has no executor of its own.
  [[nodiscard]] executor_type get_executor() const noexcept {
    return state_->executor();
  }

  /// Counted from this call.
  auto within(std::chrono::nanoseconds span)&& noexcept {
    return std::move(*this).until(limit_after(span));
  }
  auto until(wait_clock::time_point limit)&& noexcept {
    using signature = typename Limited::limited_signature;
    return lazy_join<signature, Limited, State>(std::move(state_), limit);
  }

  template <asio::completion_token_for<Signature> CompletionToken>
  auto operator()(CompletionToken&& token)&& {
    auto const& executor = state_->executor();
    return async_wait_relayed<Signature, Waiter>(std::move(state_), executor, limit_,
                                                 std::forward<CompletionToken>(token));
  }

 private:
  std::shared_ptr<State> state_;
  wait_clock::time_point limit_;
};

/// Stands for: the destructor need not look, as the scope is joined in every path that runs.
struct joined_by_with_scope_t {};
inline constexpr joined_by_with_scope_t joined_by_with_scope{};
/// To the log, and terminates: children are out, and they cannot be waited for.
[[noreturn]] void end_without_join() noexcept;

}  // namespace detail

/// A set of children that are started together and end together: coroutines, tokens, and other
/// lazy operations. Their values are a range.
///
/// In a coroutine take with_scope(), which joins in every path. This class by itself is for
/// callbacks, and for scopes that live as long as an object: there async_join() is yours to call.
///
/// **The destructor does not wait, as nothing may block a loop.** If children are out and no join
/// waits for them, it cancels them, says so in the log at level critical, and leaves: they end on
/// their own, and must not refer to what dies with the scope. While a join waits the scope may be
/// dropped.
///
/// T is what each child gives; with void, children of any type may be spawned and their values are
/// dropped.
///
/// @par Thread safety  every member but the destructor may be called by any thread, and by children
/// @par Executor       children run on the executor of the scope if it is a strand, or that of an
///                     io_context made for one thread (`io_context{1}`); otherwise on a strand of
///                     their own each
/// @par Cancellation   children are cancelled with all three types, on their executors; tokens that
///                     have not started are withdrawn. Once cancelled a scope takes no more
///                     children
/// @par Cost           per child a block from the pool beside what co_spawn or the token takes; on
///                     several threads a strand
/// @par Example        example/10_pipeline.cpp
template <class T = void>
class task_scope {
  using state = detail::scope_state_of<T>;

 public:
  using value_type = T;
  using executor_type = asio::any_io_executor;
  /// What a join completes with.
  using joined_values = std::conditional_t<std::is_void_v<T>, std::tuple<std::exception_ptr>,
                                           std::tuple<std::exception_ptr, detail::values_of<T>>>;

  explicit task_scope(asio::any_io_executor const& executor, scope_options const& options = {})
      : state_(std::make_shared<state>(executor, options)) {}
  template <std::derived_from<asio::execution_context> Context>
  explicit task_scope(Context& context, scope_options const& options = {})
      : task_scope(asio::any_io_executor(context.get_executor()), options) {}
  /// For with_scope().
  task_scope(detail::joined_by_with_scope_t, std::shared_ptr<state> shared) noexcept
      : state_(std::move(shared)), joined_elsewhere_(true) {}
  task_scope(task_scope const&) = delete;
  task_scope& operator=(task_scope const&) = delete;
  ~task_scope() {
    if (joined_elsewhere_) return;
    if (std::size_t const left = state_->not_joined(); left != 0) {
      state_->cancel(error::cancelled);
      detail::report_abandoned_scope(left);
    }
  }

  [[nodiscard]] executor_type get_executor() const noexcept { return state_->executor(); }

  /// Takes a child on: an awaitable, a function that makes one (it is kept as long as the coroutine
  /// runs, so it may be a lambda with captures), a lazy_token, a join of another scope, or any
  /// other operation that takes a completion token.
  ///
  /// False: the scope was cancelled, or its io_context has gone; the child is not started. True: it
  /// is in the scope's books. If it cannot be started then, for want of memory say, it counts as a
  /// child that failed, and the join tells.
  /// @par Errors  bad_alloc, or what moving the child throws, and the scope is as before
  template <class Work>
  bool spawn(Work&& work) {
    return detail::add_child<T>(state_, std::forward<Work>(work));
  }

  /// Waits until no child is out, then gives the values of the children since the last join, in the
  /// order of spawning.
  ///
  /// @par Completion signature  void(std::exception_ptr, std::vector<T>); for void:
  ///                     void(std::exception_ptr)
  /// @par Completes with the values; or the first error of a child; or error::cancelled,
  ///                     error::deadline_passed if the scope was cancelled first and a child gave
  ///                     no value
  /// @par Executor       the handler's associated executor, else that of the scope; never inline
  /// @par Cancellation   all types: cancels the scope, and still waits for its children. (So a race
  ///                     by `||` that it loses cancels the scope.) To stop waiting and let them go
  ///                     on: `co_await scope.async_join().within(1s)`, which then ends with
  ///                     error::timed_out; the outcomes stay for the next join
  /// @par Lifetime       the operation keeps what it needs; the scope itself may go
  /// @par Cost           a block; for values an allocation
  [[nodiscard]] auto async_join() {
    return detail::lazy_join<detail::join_signature<T>, detail::join_waiter<T>, state>(state_);
  }
  template <class CompletionToken>
  auto async_join(CompletionToken&& token) {
    return async_join()(std::forward<CompletionToken>(token));
  }

  /// As async_join(), but gives how each child ended; for void, how those ended that failed (the
  /// first thousand of them). Does not fail; where memory runs out for the list, it is empty.
  /// @par Completion signature  void(std::vector<scope_result<T>>); with a limit, by within() or
  ///                     until(): void(std::exception_ptr, std::vector<scope_result<T>>)
  [[nodiscard]] auto async_collect() {
    return detail::lazy_join<void(std::vector<scope_result<T>>), detail::collect_waiter<T>, state,
                             detail::limited_collect_waiter<T>>(state_);
  }
  template <class CompletionToken>
  auto async_collect(CompletionToken&& token) {
    return async_collect()(std::forward<CompletionToken>(token));
  }

  /// Cancels the children; those that wait are withdrawn.
  void request_cancel() noexcept { state_->cancel(error::cancelled); }
  [[nodiscard]] bool cancelled() const noexcept { return state_->snapshot().cancelled; }

  [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> deadline() const noexcept {
    if (state_->until() == detail::no_wait_limit) return std::nullopt;
    return state_->until();
  }
  /// Options for a scope inside a child of this one: the deadline is not later than the own one.
  /// (Cancellation needs nothing: it reaches a child, and through it the scopes that it waits for.)
  [[nodiscard]] scope_options nested(scope_options options = {}) const noexcept {
    if (auto const until = deadline()) {
      std::chrono::nanoseconds const left = *until - std::chrono::steady_clock::now();
      if (left < options.deadline) options.deadline = left;
    }
    return options;
  }

  [[nodiscard]] scope_snapshot snapshot() const noexcept { return state_->snapshot(); }

 private:
  std::shared_ptr<state> state_;
  bool const joined_elsewhere_ = false;
};

}  // namespace tokengate
