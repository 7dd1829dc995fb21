// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <concepts>
#include <exception>
#include <functional>
#include <utility>

#include "tokengate/lock_base.hpp"

namespace tokengate {

namespace detail {

template <class T>
struct monitor_shell : lock_shell {
  template <class... Args>
  monitor_shell(asio::any_io_executor const& on, std::string name, Args&&... args)
      : lock_shell(on, std::move(name), 1, 1), value(std::forward<Args>(args)...) {}
  T value;
};

/// A wait for the lock at a moment when the value is right.
template <class T, class Guard, class Predicate>
class condition_waiter : public guard_waiter<Guard> {
 public:
  condition_waiter(waiter::resume_function resume, std::shared_ptr<lock_state> state,
                   lock_owner const& owner, Predicate holds)
      : condition_waiter(resume, static_cast<monitor_shell<T>&>(*state).value, std::move(state),
                         owner, std::move(holds)) {}

  template <class F>
  void complete(F&& finish) {
    if (!thrown_) return guard_waiter<Guard>::complete(std::forward<F>(finish));
    auto thrown = std::move(thrown_);
    std::move(finish)(std::move(thrown), Guard());
  }

 protected:
  ~condition_waiter() = default;

 private:
  condition_waiter(waiter::resume_function resume, T const& value,
                   std::shared_ptr<lock_state>&& state, lock_owner const& owner, Predicate&& holds)
      : guard_waiter<Guard>(resume, std::move(state), owner, 1, &ask),
        value_(&value),
        holds_(std::move(holds)) {}

  static readiness ask(permit_waiter& waiting) noexcept {
    auto& self = static_cast<condition_waiter&>(waiting);
    try {
      return std::invoke(self.holds_, *self.value_) ? readiness::yes : readiness::no;
    } catch (...) {
      self.thrown_ = std::current_exception();
      return readiness::failed;
    }
  }

  T const* value_;
  Predicate holds_;
  std::exception_ptr thrown_;
};

}  // namespace detail

/// A value, the lock that guards it, and waiting for a condition on it. The value can only be
/// reached through a guard, so it cannot be touched without the lock; and nobody has to notify,
/// since it can only change while it is locked: no wake-up is lost, none is for nothing.
///
///     auto jobs = co_await queue.async_lock_when([](auto const& q) { return !q.empty(); });
///     auto job = std::move(jobs->front());
///
/// Source: conditional critical regions (Brinch Hansen, "Structured multiprogramming", 1972).
///
/// @par Thread safety  any thread, all functions; the value, whoever has the guard
template <class T>
class monitor : public lock_base {
 public:
  /// The lock and the way to the value. See lock_guard_base. Value and guard outlive the monitor.
  class [[nodiscard]] guard : public lock_guard_base {
   public:
    guard() = default;
    explicit guard(detail::lock_hold held) noexcept : lock_guard_base(std::move(held)) {}

    /// The guard must not be empty.
    [[nodiscard]] T& operator*() const noexcept {
      return static_cast<detail::monitor_shell<T>&>(*hold_.state()).value;
    }
    [[nodiscard]] T* operator->() const noexcept { return &**this; }
  };
  using completion_signature = detail::lock_signature<guard>;

  /// The value is made of `args`.
  template <class... Args>
  requires std::constructible_from<T, Args...>
  explicit monitor(asio::any_io_executor const& executor, std::string name = {}, Args&&... args)
      : lock_base(std::make_shared<detail::monitor_shell<T>>(executor, std::move(name),
                                                             std::forward<Args>(args)...)) {}
  template <detail::execution_context_type Context, class... Args>
  requires std::constructible_from<T, Args...>
  explicit monitor(Context& context, std::string name = {}, Args&&... args)
      : monitor(context.get_executor(), std::move(name), std::forward<Args>(args)...) {}

  /// Waits for the lock.
  /// @par Completion signature  void(std::exception_ptr, monitor::guard)
  /// @par Completes with, Executor, Cancellation, Lifetime, Cost  as async_mutex::async_lock
  [[nodiscard]] auto async_lock(lock_owner const& owner = {}) {
    return detail::wait_for_lock<guard>(state_, owner, 1);
  }
  template <asio::completion_token_for<completion_signature> CompletionToken>
  auto async_lock(CompletionToken&& token) {
    return async_lock()(std::forward<CompletionToken>(token));
  }
  template <asio::completion_token_for<completion_signature> CompletionToken>
  auto async_lock(lock_owner const& owner, CompletionToken&& token) {
    return async_lock(owner)(std::forward<CompletionToken>(token));
  }

  /// Waits for the lock and for a condition: when it completes, `holds(value)` is true, and stays
  /// so until the guard's owner changes the value. While it is false others pass; as soon as it is
  /// true it has its place in the queue.
  ///
  /// `holds` is called when the lock is given back, by whoever does that, on that thread and under
  /// an internal lock: it looks at the value and does nothing else. What it throws ends the wait.
  /// @par Completion signature  void(std::exception_ptr, monitor::guard)
  /// @par Completes with  as async_mutex::async_lock, or what `holds` throws. Such waits are not
  ///                  part of wait cycles: anybody might make the condition true
  /// @par Executor, Cancellation, Lifetime, Cost  as async_mutex::async_lock; each unlock asks the
  ///                  conditions before the first that holds
  template <std::predicate<T const&> Predicate>
  [[nodiscard]] auto async_lock_when(Predicate holds, lock_owner const& owner = {}) {
    return detail::lazy_wait<completion_signature, condition_waiter<Predicate>, detail::lock_shell,
                             std::shared_ptr<detail::lock_state>, lock_owner, Predicate>(
        detail::unowned(state_), state_->executor, state_, owner, std::move(holds));
  }
  template <std::predicate<T const&> Predicate,
            asio::completion_token_for<completion_signature> CompletionToken>
  auto async_lock_when(Predicate holds, CompletionToken&& token) {
    return async_lock_when(std::move(holds))(std::forward<CompletionToken>(token));
  }

  /// Takes the lock if it is free; else an empty guard.
  [[nodiscard]] guard try_lock(lock_owner const& owner = {}) {
    return guard(detail::lock_hold(state_, owner, 1));
  }
  /// As try_lock(), and only if `holds(value)` is true now. `holds` is called at most once, under
  /// an internal lock as in async_lock_when(). Throws what it throws, and then nothing was taken.
  template <std::predicate<T const&> Predicate>
  [[nodiscard]] guard try_lock_when(Predicate holds, lock_owner const& owner = {}) {
    detail::thread_waiter<condition_waiter<Predicate>> self(state_, owner, std::move(holds));
    bool const decided = state_->try_decide(self);
    // Closed: there is nothing to be had, as for try_lock().
    if (!decided || self.outcome == detail::wait_outcome::closed) return {};
    return taken_by(self);
  }

  /// Blocks a plain thread for it, in the same queue.
  /// @par Errors  as async_mutex::lock
  [[nodiscard]] guard lock(std::chrono::nanoseconds timeout = detail::wait_forever,
                           lock_owner const& owner = {}) {
    return detail::block_for_lock<guard>(state_, timeout, owner, 1);
  }
  /// Blocks a plain thread for the lock and for a condition, see async_lock_when(). The condition
  /// is asked on this thread at first, then by whoever gives the lock back.
  /// @par Errors  as async_mutex::lock, or what `holds` throws; after any of them nothing was taken
  template <std::predicate<T const&> Predicate>
  [[nodiscard]] guard lock_when(Predicate holds,
                                std::chrono::nanoseconds timeout = detail::wait_forever,
                                lock_owner const& owner = {}) {
    detail::thread_waiter<condition_waiter<Predicate>> self(state_, owner, std::move(holds));
    if (!state_->try_decide(self)) detail::wait_on_thread(*state_, self, timeout);
    return taken_by(self);
  }

 private:
  template <class Predicate>
  using condition_waiter = detail::condition_waiter<T, guard, Predicate>;

  /// What a wait of this thread has come to.
  template <class Waiter>
  [[nodiscard]] static guard taken_by(Waiter& self) {
    guard given;
    self.complete([&](std::exception_ptr error, guard taken) {
      if (error) std::rethrow_exception(std::move(error));
      given = std::move(taken);
    });
    return given;
  }
};

}  // namespace tokengate
