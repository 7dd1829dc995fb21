// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <mutex>

#include "support/outcome.hpp"
#include "tokengate/detail/short_mutex.hpp"
#include "tokengate/impl/lazy_wait.hpp"
#include "tokengate/impl/thread_wait.hpp"

namespace tokengate::test {

/// The least that can be waited for: a core, its waiter, its state and its shell. Each set() lets
/// one waiter go with a number; numbers that nobody waited for are kept.
struct number_waiter : detail::waiter {
  explicit number_waiter(resume_function resume) noexcept : waiter(resume) {}

  template <class F>
  void complete(F&& finish) {
    std::exception_ptr failed;
    if (outcome == detail::wait_outcome::cancelled) failed = make_exception(error::cancelled);
    if (outcome == detail::wait_outcome::timed_out) failed = make_exception(error::timed_out);
    std::move(finish)(std::move(failed), number);
  }
  int number = 0;
};

class number_core {
 public:
  bool take(number_waiter& self) {
    if (first_ == last_) {
      waiting_.push_back(self);
      return false;
    }
    self.number = first_++;
    return true;
  }
  bool cancel(number_waiter& self) {
    if (!self.linked()) return false;
    waiting_.remove(self);
    return true;
  }
  void set(detail::woken_list& woken) {
    int const number = last_++;
    detail::waiter* const next = waiting_.pop_front();
    if (next == nullptr) return;
    static_cast<number_waiter*>(next)->number = number;
    ++first_;
    woken.push_back(*next);
  }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

 private:
  detail::wait_list waiting_;
  int first_ = 1;
  int last_ = 1;
};

struct number_state {
  explicit number_state(asio::any_io_executor on) : executor(std::move(on)) {}

  bool start(number_waiter& self) {
    std::lock_guard hold(mutex);
    return core.take(self);
  }
  bool cancel(number_waiter& self) {
    std::lock_guard hold(mutex);
    return core.cancel(self);
  }

  detail::short_mutex mutex;
  number_core core;
  asio::any_io_executor executor;
};

class manual_event {
 public:
  explicit manual_event(asio::any_io_executor executor)
      : state_(std::make_shared<number_state>(std::move(executor))) {}

  void set() {
    detail::woken_list woken;
    {
      std::lock_guard hold(state_->mutex);
      state_->core.set(woken);
    }
    detail::resume_all(woken);
  }
  [[nodiscard]] auto async_take() {
    return detail::lazy_wait<void(std::exception_ptr, int), number_waiter, number_state>(
        state_, state_->executor);
  }
  template <asio::completion_token_for<void(std::exception_ptr, int)> CompletionToken>
  auto async_take(CompletionToken&& token) {
    return async_take()(std::forward<CompletionToken>(token));
  }
  /// 0 when the timeout passed first.
  int take(std::chrono::nanoseconds timeout = detail::wait_forever) {
    detail::thread_waiter<number_waiter> self;
    detail::wait_on_thread(*state_, self, timeout);
    return self.outcome == detail::wait_outcome::done ? self.number : 0;
  }
  [[nodiscard]] std::size_t waiting() {
    std::lock_guard hold(state_->mutex);
    return state_->core.waiting();
  }

 private:
  std::shared_ptr<number_state> state_;
};

}  // namespace tokengate::test
