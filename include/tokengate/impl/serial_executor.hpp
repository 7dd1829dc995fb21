// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#if __has_include(<boost/asio/config.hpp>)
#include <boost/asio/config.hpp>
#endif

#include "tokengate/fwd.hpp"

/// @file
/// A coroutine is cancelled where it runs: the emission and its own steps must come one after
/// another. So each one that is to be cancelled needs an executor that runs one handler at a time.

namespace tokengate::detail {

/// Whether an io_context was promised to be run by one thread: io_context{1}.
[[nodiscard]] inline bool has_one_thread(asio::io_context& context) noexcept {
#if __has_include(<boost/asio/config.hpp>)
  try {
    return asio::config(context).get("scheduler", "concurrency_hint", 0) == 1;
  } catch (...) {
    return false;
  }
#else
  auto ask = [](auto& service) {
    if constexpr (requires { service.concurrency_hint(); })
      return service.concurrency_hint() == 1;
    else
      return false;
  };
  return ask(asio::use_service<asio::detail::io_context_impl>(context));
#endif
}

/// Whether it is certain that an executor runs one handler at a time.
[[nodiscard]] inline bool is_serial(asio::any_io_executor const& executor) noexcept {
  using io = asio::io_context::executor_type;
  using pool = asio::thread_pool::executor_type;
  if (auto const* found = executor.target<io>()) return has_one_thread(found->context());
  return executor.target<asio::strand<io>>() != nullptr ||
         executor.target<asio::strand<pool>>() != nullptr ||
         executor.target<asio::strand<asio::any_io_executor>>() != nullptr;
}

/// A new strand over an executor.
[[nodiscard]] inline asio::any_io_executor strand_over(asio::any_io_executor const& executor) {
  if (auto const* found = executor.target<asio::io_context::executor_type>())
    return asio::make_strand(*found);
  if (auto const* found = executor.target<asio::thread_pool::executor_type>())
    return asio::make_strand(*found);
  return asio::make_strand(executor);
}

[[nodiscard]] inline asio::any_io_executor serial_over(asio::any_io_executor const& executor) {
  return is_serial(executor) ? executor : strand_over(executor);
}

/// Whether the calling thread may do at once what has to be done on a serial executor.
[[nodiscard]] inline bool already_on(asio::any_io_executor const& serial) noexcept {
  using io = asio::io_context::executor_type;
  if (auto const* found = serial.target<io>()) return found->running_in_this_thread();
  if (auto const* found = serial.target<asio::strand<io>>()) return found->running_in_this_thread();
  return false;
}

}  // namespace tokengate::detail
