// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cassert>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "tokengate/fwd.hpp"

/// @file
/// Where the coroutine that awaits with_scope() is while it is suspended.
///
/// An io_context that is destroyed destroys the coroutines in it, in an order that nobody chooses.
/// So that children may refer to what the caller owns until their own last destructor, the caller's
/// coroutine belongs to all who are out, and goes with the last of them.
///
/// Invariants
///  - Body, children and what it waits for share the host. The frame of with_scope() has a share
///    only while it runs, never while it is parked: both would keep each other for ever.
///  - Who resumes the coroutine takes it out first, and hands it its share.

namespace tokengate::detail {

class scope_host;
using host_share = std::shared_ptr<scope_host>;

class scope_host {
 public:
  using signature = void(host_share, std::exception_ptr);
  using coroutine = asio::async_result<asio::use_awaitable_t<>, signature>::handler_type;

  void park(coroutine&& one) noexcept { guest_.emplace(std::move(one)); }
  [[nodiscard]] bool has_guest() const noexcept { return guest_.has_value(); }
  static void resume(host_share self, std::exception_ptr error) {
    assert(self->has_guest());
    coroutine one(std::move(*self->guest_));
    self->guest_.reset();
    std::move(one)(std::move(self), std::move(error));
  }

 private:
  std::optional<coroutine> guest_;
};

/// The completion handler of what a parked coroutine waits for.
class host_resumer {
 public:
  using executor_type = asio::any_io_executor;

  host_resumer(host_share host, asio::any_io_executor executor) noexcept
      : host_(std::move(host)), executor_(std::move(executor)) {}
  [[nodiscard]] executor_type const& get_executor() const noexcept { return executor_; }
  void operator()(std::exception_ptr error) {
    scope_host::resume(std::move(host_), std::move(error));
  }

 private:
  host_share host_;
  executor_type executor_;
};

/// Its results stay in the frame of the coroutine.
template <class Values>
class host_resumer_with {
 public:
  using executor_type = asio::any_io_executor;

  host_resumer_with(host_resumer&& resumer, std::optional<Values>& values) noexcept
      : resumer_(std::move(resumer)), values_(&values) {}
  [[nodiscard]] executor_type const& get_executor() const noexcept {
    return resumer_.get_executor();
  }
  template <class... Results>
  void operator()(Results&&... results) {
    values_->emplace(std::forward<Results>(results)...);
    resumer_(nullptr);
  }

 private:
  host_resumer resumer_;
  std::optional<Values>* values_;
};

/// Trivial, as g++ 12 wants what is in an await expression. Both are in the frame.
template <class Start>
struct park_and_start {
  host_share* host;
  Start* start;

  void operator()(scope_host::coroutine&& one) const {
    // From where it is parked it may go on, on another thread: the frame is not touched after that.
    host_share const mine = std::move(*host);
    Start& begin = *start;
    host_resumer resumer(mine, asio::get_associated_executor(one));
    mine->park(std::move(one));
    try {
      begin(std::move(resumer));
    } catch (...) {
      if (!mine->has_guest()) throw;  // what it started has completed all the same
      scope_host::resume(mine, std::current_exception());
    }
  }
};

/// Suspends the coroutine, hosted, until what `start(host_resumer)` starts has completed; or goes
/// on with what that throws.
template <class Start>
[[nodiscard]] auto wait_hosted(host_share& host, Start& start) {
  asio::use_awaitable_t<> token;
  return asio::async_initiate<asio::use_awaitable_t<>, scope_host::signature>(
      park_and_start<Start>{&host, &start}, token);
}

}  // namespace tokengate::detail
