// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <exception>
#include <memory>
#include <optional>

#include "tokengate/detail/scope_core.hpp"
#include "tokengate/detail/waiter.hpp"
#include "tokengate/fwd.hpp"
#include "tokengate/impl/scope_host.hpp"

/// @file
/// A child of a task scope, and a wait for its end, without their types. For the invariants see
/// impl/scope_state.hpp.

namespace tokengate::detail {

class scope_state;

/// A child of any kind.
class scope_task : public scope_child, public std::enable_shared_from_this<scope_task> {
 public:
  explicit scope_task(std::shared_ptr<scope_state> scope);
  scope_task(scope_task const&) = delete;
  scope_task& operator=(scope_task const&) = delete;
  virtual ~scope_task() = default;

  [[nodiscard]] scope_state& scope() const noexcept { return *scope_; }
  [[nodiscard]] asio::any_io_executor const& executor() const noexcept;

  /// Where its error is kept, beside the place of its value.
  virtual void keep(std::exception_ptr const& error) noexcept = 0;
  /// Starts what it stands for. On its executor.
  virtual void begin() = 0;

  [[nodiscard]] asio::cancellation_slot slot() noexcept { return signal_.slot(); }

  /// From its handler: it has ended.
  void report(std::exception_ptr error) noexcept;
  /// From its handler, which is destroyed without a call.
  void drop() noexcept;

 private:
  friend class scope_state;
  host_share const host_;  ///< what it may refer to goes after it
  asio::cancellation_signal signal_;
  std::shared_ptr<scope_state> scope_;
  std::optional<asio::any_io_executor> strand_;  ///< its own, where the scope's will not do
  std::shared_ptr<scope_task> self_;             ///< while it waits
  bool stop_ = false;                            ///< asked to stop before it began
  bool over_ = false;
  bool beginning_ = false;  ///< in begin(): whose caller reports the end, if it comes to that
  bool dropped_ = false;
};

/// A join, or the deadline's watch. A join gets the outcome of the children since the last one.
class scope_waiter : public waiter {
 public:
  explicit scope_waiter(resume_function resume, bool watch) noexcept
      : waiter(resume), watch_(watch) {}
  [[nodiscard]] bool watch() const noexcept { return watch_; }
  /// Under the lock.
  virtual void take_from(scope_state&) noexcept {}

 protected:
  ~scope_waiter() = default;

 private:
  bool const watch_;
};

}  // namespace tokengate::detail
