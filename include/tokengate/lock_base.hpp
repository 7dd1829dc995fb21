// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <string_view>

#include "tokengate/impl/lock_wait.hpp"

namespace tokengate {

/// What is held of a lock. Given back at the end of its life, or by unlock(); by then the next
/// waiter has it, and continues on its own executor. Move-only; an empty one holds nothing.
///
/// It may be given to another thread and end there. It may outlive its lock, which then lives on
/// for it.
/// @par Thread safety  one thread at a time
class lock_guard_base {
 public:
  /// Whether it holds something.
  [[nodiscard]] explicit operator bool() const noexcept { return hold_.holds(); }
  /// Gives back what it holds, if anything.
  void unlock() noexcept { hold_.release(); }
  /// Who took it. Nobody, if it was taken without an owner and the lock is not checked. A guard
  /// stands for its owner where one is asked for.
  [[nodiscard]] lock_owner owner() const noexcept { return hold_.owner(); }

 protected:
  lock_guard_base() = default;
  explicit lock_guard_base(detail::lock_hold held) noexcept : hold_(std::move(held)) {}
  lock_guard_base(lock_guard_base&&) noexcept = default;
  lock_guard_base& operator=(lock_guard_base&&) noexcept = default;
  ~lock_guard_base() = default;

  detail::lock_hold hold_;
};

/// What all locks of the library can do beside being taken.
/// @par Thread safety  any thread, all functions
/// @par Lifetime       the end of a lock closes it: who waits completes with error::closed; guards
///                     stay valid. An io_context that goes first takes its waiters along, and what
///                     they had been granted goes to the next
class lock_base {
 public:
  using executor_type = asio::any_io_executor;

  lock_base(lock_base const&) = delete;
  lock_base& operator=(lock_base const&) = delete;

  /// Where handlers run that have no executor of their own.
  [[nodiscard]] executor_type const& get_executor() const noexcept { return state_->executor; }
  [[nodiscard]] std::string_view name() const noexcept { return state_->name(); }

  /// Gives up all who wait now, with error::cancelled.
  void cancel() noexcept { state_->cancel_all(); }
  /// Gives up all who wait now or later, with error::closed. What is held stays held.
  void close() noexcept { state_->close(); }

  /// Who holds it and who waits, by name.
  [[nodiscard]] lock_snapshot snapshot() const { return state_->snapshot(); }

 protected:
  explicit lock_base(std::shared_ptr<detail::lock_shell> state) noexcept
      : state_(std::move(state)) {}
  ~lock_base() { state_->close(); }

  std::shared_ptr<detail::lock_shell> const state_;
};

}  // namespace tokengate
