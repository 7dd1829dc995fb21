// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/system_executor.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <utility>

#include "tokengate/flow_var.hpp"

namespace tokengate {

/// The giving end of a flow_var<R> that no token stands behind: one value, or one exception, from
/// anywhere to one that awaits it or blocks for it. For more than one value see channel.
///
/// @par Thread safety  one thread at a time gives; another may wait on the flow variable meanwhile
/// @par Lifetime    a promise that goes without having given anything breaks: error::broken_promise
/// @par Cost        two allocations for both ends (state, stop state); giving allocates nothing,
/// and
///                  never runs a handler
/// @par Example     example/12_thread_feeds_loop.cpp
template <class R>
class promise {
  using value = typename detail::flow_state<R>::value;

 public:
  /// `executor` is for handlers that have none of their own.
  explicit promise(asio::any_io_executor executor = asio::system_executor())
      : state_(std::allocate_shared<detail::flow_state<R>>(
            detail::block_allocator<detail::flow_state<R>>{}, std::move(executor))),
        setter_(std::in_place, state_) {}
  promise(promise&& other) noexcept : state_(std::move(other.state_)) { take_over(other); }
  promise& operator=(promise&& other) noexcept {
    if (this != &other) {
      setter_.reset();  // breaks, if it has not given
      state_ = std::move(other.state_);
      take_over(other);
    }
    return *this;
  }

  /// The other end. Once.
  /// @par Errors  std::logic_error when it was taken already
  [[nodiscard]] flow_var<R> get_flow_var() {
    if (!state_) throw std::logic_error("tokengate: the flow variable of this promise was taken");
    stop_ = state_->stop().get_token();
    return flow_var<R>(std::exchange(state_, nullptr));
  }

  /// Gives the value, once.
  /// @par Errors  std::logic_error when something was given already; what making the value throws,
  ///              and then nothing was given
  template <class... Args>
  void set_value(Args&&... args) {
    check();
    if constexpr (std::is_void_v<R>) {
      give(nullptr);
    } else {
      value made(std::forward<Args>(args)...);
      give(nullptr, std::move(made));
    }
  }
  void set_exception(std::exception_ptr failed) {
    check();
    give(std::move(failed));
  }

  /// False after something was given, or after it was moved from.
  [[nodiscard]] bool open() const noexcept { return setter_.has_value(); }

  /// Stop is requested there by flow_var::request_stop(): whoever waits is no longer interested.
  /// Valid once the flow variable was taken.
  [[nodiscard]] std::stop_token const& get_stop_token() const noexcept { return stop_; }

 private:
  void take_over(promise& other) noexcept {
    stop_ = std::move(other.stop_);
    if (other.setter_) setter_.emplace(std::move(*other.setter_));
    other.setter_.reset();
  }
  void check() const {
    if (!setter_) throw std::logic_error("tokengate: this promise has given already");
  }
  template <class... Result>
  void give(std::exception_ptr failed, Result&&... result) {
    auto setter = std::move(*setter_);
    setter_.reset();
    std::move(setter)(std::move(failed), std::forward<Result>(result)...);
  }

  std::shared_ptr<detail::flow_state<R>> state_;  ///< until the flow variable is taken
  std::stop_token stop_;
  std::optional<detail::flow_setter<R>> setter_;
};

}  // namespace tokengate
