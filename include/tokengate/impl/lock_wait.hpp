// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <string>

#include "tokengate/detail/lock_state.hpp"
#include "tokengate/error.hpp"
#include "tokengate/impl/context_member.hpp"
#include "tokengate/impl/core_state.hpp"
#include "tokengate/impl/lazy_wait.hpp"
#include "tokengate/impl/thread_wait.hpp"

/// @file
/// What async_mutex, async_shared_mutex, async_semaphore and monitor have in common: the shell over
/// detail/lock_state.hpp.

namespace tokengate::detail {

/// Where handlers go that have no executor of their own.
struct lock_shell : lock_state {
  lock_shell(asio::any_io_executor const& on, std::string name, std::size_t most,
             std::size_t initially)
      : lock_state(std::move(name), most, initially), executor(on) {}
  kept_executor const executor;
};

template <class Guard>
class guard_waiter : public lock_request {
 public:
  using lock_request::lock_request;

  template <class F>
  void complete(F&& finish) {
    if (outcome != wait_outcome::done) return std::move(finish)(exception_of(outcome), Guard());
    Guard given{lock_hold(*this)};
    std::move(finish)(std::exception_ptr(), std::move(given));
  }

 protected:
  ~guard_waiter() = default;
};

template <class Guard>
using lock_signature = void(std::exception_ptr, Guard);

template <class Guard>
using lazy_lock = lazy_wait<lock_signature<Guard>, guard_waiter<Guard>, lock_shell,
                            std::shared_ptr<lock_state>, lock_owner, std::size_t>;

/// Refers to the state without a part in it: the request has one, and moves it into the guard.
[[nodiscard]] inline std::shared_ptr<lock_shell> unowned(
    std::shared_ptr<lock_shell> const& state) noexcept {
  return {std::shared_ptr<lock_shell>(), state.get()};
}

template <class Guard>
[[nodiscard]] lazy_lock<Guard> wait_for_lock(std::shared_ptr<lock_shell> const& state,
                                             lock_owner const& owner, std::size_t permits) {
  return lazy_lock<Guard>(unowned(state), state->executor, state, owner, permits);
}

template <class Guard>
[[nodiscard]] Guard block_for_lock(std::shared_ptr<lock_shell> const& state,
                                   std::chrono::nanoseconds timeout, lock_owner const& owner,
                                   std::size_t permits) {
  thread_waiter<guard_waiter<Guard>> self(state, owner, permits);
  wait_on_thread(*state, self, timeout);
  if (self.outcome != wait_outcome::done) throw boost::system::system_error(error_of(self.outcome));
  return Guard(lock_hold(self));
}

}  // namespace tokengate::detail
