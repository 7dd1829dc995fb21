// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/multiple_exceptions.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "tokengate/impl/serial_executor.hpp"

/// @file
/// The body of with_scope(): a coroutine of its own, so that its scope can cancel it as it cancels
/// a child.

namespace tokengate::detail {

/// Invariant: everything but executor_ is touched on executor_, which runs one handler at a time.
/// The frame of with_scope() and the body keep it; the scope refers to it weakly.
class body_task : public std::enable_shared_from_this<body_task> {
 public:
  explicit body_task(asio::any_io_executor serial) noexcept : executor_(std::move(serial)) {}

  [[nodiscard]] asio::any_io_executor const& executor() const noexcept { return executor_; }
  [[nodiscard]] asio::cancellation_slot slot() noexcept { return signal_.slot(); }

  /// Any thread.
  void interrupt(asio::cancellation_type type) noexcept {
    if (already_on(executor_)) return emit(type);
    try {
      asio::dispatch(executor_, [own = shared_from_this(), type] { own->emit(type); });
    } catch (...) {
      // Without memory for the message the body ends by itself, later.
    }
  }

  /// Lives in the frame of the coroutine that runs the body.
  class presence {
   public:
    explicit presence(body_task& of) noexcept : of_(of) {}
    presence(presence const&) = delete;
    presence& operator=(presence const&) = delete;
    ~presence() { of_.at_ = phase::over; }
    void begin() noexcept {
      of_.at_ = phase::running;
      if (of_.asked_ != asio::cancellation_type::none) of_.emit(of_.asked_);
    }

   private:
    body_task& of_;
  };

 private:
  enum class phase : unsigned char { fresh, running, over };

  void emit(asio::cancellation_type type) noexcept {
    if (at_ == phase::over) return;
    asked_ = asked_ | type;
    if (at_ == phase::fresh) return;
    try {
      signal_.emit(type);
    } catch (...) {
      // What an operation throws when it is cancelled concerns nobody here.
    }
  }

  asio::cancellation_signal signal_;
  asio::any_io_executor const executor_;
  asio::cancellation_type asked_ = asio::cancellation_type::none;
  phase at_ = phase::fresh;
};

/// Runs the body. What it refers to is in the frame of with_scope(), which waits for it. `throws`:
/// what with_scope()'s caller says to throw_if_cancelled().
template <class Scope, class Value, class Body, class... Args>
asio::awaitable<void> run_body(std::shared_ptr<body_task> self, bool throws,
                               std::optional<Value>& value, Body& body, Scope& scope,
                               Args&... args) {
  body_task::presence here(*self);
  // What arrives has been let through by the caller's own filter.
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  co_await asio::this_coro::throw_if_cancelled(throws);
  here.begin();
  std::exception_ptr failed;
  try {
    auto running = body(scope, args...);
    if constexpr (std::is_void_v<typename decltype(running)::value_type>) {
      co_await std::move(running);
    } else {
      Value given = co_await std::move(running);
      value.emplace(std::move(given));
    }
  } catch (...) {
    failed = std::current_exception();
  }
  // co_spawn() of Boost 1.81 awaits once more after a coroutine that has never suspended, and what
  // that throws leaves run() instead of reaching the handler.
  co_await asio::this_coro::throw_if_cancelled(false);
  if (failed) std::rethrow_exception(std::move(failed));
}

/// Whether an exception says no more than that somebody cancelled.
[[nodiscard]] inline bool is_cancellation(std::exception_ptr const& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (boost::system::system_error const& failed) {
    return failed.code() == boost::system::errc::operation_canceled;
  } catch (asio::multiple_exceptions const& several) {  // of awaitable_operators
    return is_cancellation(several.first_exception());
  } catch (...) {
    return false;
  }
}

}  // namespace tokengate::detail
