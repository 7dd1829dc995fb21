// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/version.hpp>
#include <concepts>
#include <exception>
#include <optional>
#include <utility>

/// @file
/// Boost 1.81 cannot `co_await` an operation of signature void(std::exception_ptr, T): its handler
/// for that signature does not compile (mended in 1.82). For the operations of this library, and
/// for that one release only, the await goes through the handler for one plain value, which is
/// sound. See doc/decision/0001-await-on-boost-1.81.md.

namespace tokengate::detail {

/// Base of the operations that may be awaited directly.
struct awaitable_operation {};

template <class T>
struct settled {
  std::exception_ptr error;
  T value;
};

}  // namespace tokengate::detail

#if BOOST_VERSION < 108200

namespace boost::asio::detail {

template <typename T, typename Op, typename Executor>
requires std::derived_from<Op, tokengate::detail::awaitable_operation>
class awaitable_async_op<void(std::exception_ptr, T), Op, Executor> {
  using settled = tokengate::detail::settled<T>;
  using plain_handler = awaitable_async_op_handler<void(settled), Executor>;

  struct handler : plain_handler {
    using plain_handler::plain_handler;
    void operator()(std::exception_ptr error, T value) {
      plain_handler::operator()(settled{std::move(error), std::move(value)});
    }
  };

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
    settled result = plain_handler::resume(result_);
    if (result.error) std::rethrow_exception(std::move(result.error));
    return std::move(result.value);
  }

 private:
  Op&& operation_;
  awaitable_frame_base<Executor>* frame_;
  typename plain_handler::result_type result_{};
};

}  // namespace boost::asio::detail

#endif
