// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/version.hpp>
#include <concepts>
#include <exception>
#include <utility>

#include "tokengate/impl/gate_access.hpp"

/// @file
/// Boost 1.81 cannot `co_await` an operation of signature void(std::exception_ptr, T): what its
/// handler for that signature resumes with does not compile (mended in 1.82). For the operations of
/// this library, and for that one release only, the value is taken from the handler here. See
/// doc/decision/0001-await-on-boost-1.81.md.

namespace tokengate::detail {

/// Base of the operations that may be awaited directly.
struct awaitable_operation {};

struct frame_access;

}  // namespace tokengate::detail

#if BOOST_VERSION < 108200

namespace boost::asio::detail {

template <typename T, typename Op, typename Executor>
requires std::derived_from<Op, tokengate::detail::awaitable_operation>
class awaitable_async_op<void(std::exception_ptr, T), Op, Executor> {
  using handler = awaitable_async_op_handler<void(std::exception_ptr, T), Executor>;

 public:
  awaitable_async_op(Op&& operation, awaitable_frame_base<Executor>* frame)
      : operation_(std::move(operation)), frame_(frame) {}

  bool await_ready() const noexcept { return false; }
  void await_suspend(coroutine_handle<void>) {
    frame_->after_suspend(
        [](void* context) {
          auto* self = static_cast<awaitable_async_op*>(context);
          std::move(self->operation_)(handler(self->frame_->detach_thread(), self->result_));
        },
        this);
  }
  T await_resume() {
    if (*result_.ex_) std::rethrow_exception(std::move(*result_.ex_));
    return std::move(*result_.value_);
  }

 private:
  Op&& operation_;
  awaitable_frame_base<Executor>* frame_;
  typename handler::result_type result_{};
};

/// The executor of a coroutine where it lies: asked for in the usual way, a handler gives a copy,
/// which for a type-erased one is worth a tenth of a token. The frame knows this template as a
/// friend.
template <typename Executor>
class awaitable_async_op_handler<void(tokengate::detail::frame_access), Executor> {
 public:
  [[nodiscard]] static Executor const& executor_of(
      awaitable_thread<Executor> const& handler) noexcept {
    // entry_point() is not declared const, and changes nothing.
    return const_cast<awaitable_thread<Executor>&>(handler).entry_point()->u_.executor_;
  }
};

}  // namespace boost::asio::detail

namespace tokengate::detail {

template <class Handler>
concept coroutine_handler = requires {
  typename Handler::executor_type;
  requires std::derived_from<Handler,
                             asio::detail::awaitable_thread<typename Handler::executor_type>>;
};

template <coroutine_handler Handler>
[[nodiscard]] auto const& handler_executor(Handler const& handler, gate_core&) noexcept {
  using access =
      asio::detail::awaitable_async_op_handler<void(frame_access), typename Handler::executor_type>;
  return access::executor_of(handler);
}

}  // namespace tokengate::detail

#endif

namespace tokengate::detail {

/// The associated executor of a handler; else that of the gate.
template <class Handler>
[[nodiscard]] decltype(auto) handler_executor(Handler const& handler, gate_core& gate) noexcept {
  return asio::get_associated_executor(handler, executor_of(gate));
}

}  // namespace tokengate::detail
