// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <exception>
#include <utility>

#include "tokengate/detail/channel_waiter.hpp"
#include "tokengate/detail/wait_error.hpp"
#include "tokengate/impl/channel_state.hpp"
#include "tokengate/impl/completion.hpp"
#include "tokengate/not_sent.hpp"

/// @file
/// The four kinds of wait in a channel, and what their handlers are told.

namespace tokengate::detail {

/// A send that owns its item, and gives it back in the exception.
template <class T>
class owned_send : public send_waiter<T> {
 public:
  owned_send(waiter::resume_function resume, T&& item) noexcept
      : send_waiter<T>(resume, own_), own_(std::move(item)) {}

  [[nodiscard]] std::exception_ptr failure() noexcept {
    if (this->outcome == wait_outcome::done) return nullptr;
    auto const why = error_of(this->outcome);
    try {
      return std::make_exception_ptr(not_sent<T>(why, std::move(own_)));
    } catch (...) {
      return make_exception(why);
    }
  }
  template <class F>
  void complete(F&& finish) {
    std::move(finish)(failure());
  }

 private:
  T own_;
};

/// A send from the caller's own variable: moved from once it was accepted.
template <class T>
class borrowed_send : public send_waiter<T> {
 public:
  borrowed_send(waiter::resume_function resume, T* item) noexcept : send_waiter<T>(resume, *item) {}

  template <class F>
  void complete(F&& finish) {
    std::move(finish)(exception_of(this->outcome));
  }
};

template <class T>
class single_receive : public receive_waiter<T> {
 public:
  explicit single_receive(waiter::resume_function resume) noexcept : receive_waiter<T>(resume) {}

  [[nodiscard]] std::optional<T>& received() noexcept { return this->one_; }

  template <class F>
  void complete(F&& finish) {
    if (this->one_)
      std::move(finish)(std::exception_ptr(), value_of_t<T>(std::move(*this->one_)));
    else
      std::move(finish)(exception_of(this->outcome), value_of_t<T>());
  }
};

template <class T>
class batch_receive : public receive_waiter<T> {
 public:
  batch_receive(waiter::resume_function resume, channel_state<T>* from, std::vector<T>* into,
                std::size_t max)
      : receive_waiter<T>(resume, *into, max), from_(from) {}

  /// What has come since the first item was handed over belongs to the batch too.
  void fill_up() noexcept {
    if (this->outcome == wait_outcome::done && this->wants_more()) from_->try_start(*this);
    if (this->taken() != 0) this->outcome = wait_outcome::done;
  }
  template <class F>
  void complete(F&& finish) {
    // Without a lock that would be a second call of this end: another receive may be under way.
    if (from_->locked) fill_up();
    std::move(finish)(exception_of(this->outcome), this->taken());
  }

 private:
  channel_state<T>* from_;  ///< kept alive by the operation
};

}  // namespace tokengate::detail
