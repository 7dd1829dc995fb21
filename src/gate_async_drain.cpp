// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <boost/asio/any_completion_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/dispatch.hpp>

#include "gate_core.hpp"

namespace tokengate::detail {

/// One async_drain() that waits. The timer stands for it: its end is the end of the wait.
struct gate_core::drain_waiter {
  explicit drain_waiter(asio::any_io_executor const& executor,
                        asio::any_completion_handler<void(drain_report)> to)
      : timer(executor),
        handler(std::move(to)),
        work(tracked_work(asio::get_associated_executor(handler, executor))) {}
  /// Asio gives an empty executor where it had no memory for a type-erased one.
  static asio::any_completion_executor tracked_work(asio::any_completion_executor const& of) {
    if (!of) throw std::bad_alloc();
    return asio::prefer(of, asio::execution::outstanding_work.tracked);
  }
  asio::steady_timer timer;
  asio::any_completion_handler<void(drain_report)> handler;
  asio::any_completion_executor work;  ///< keeps the handler's own context at work
  bool drained = false;                ///< under waiters_mutex_: nothing was out for a moment
};

void gate_core::async_drain(std::chrono::nanoseconds deadline,
                            asio::any_completion_handler<void(drain_report)> handler) {
  auto waiter = std::make_shared<drain_waiter>(executor_, std::move(handler));
  auto slot = asio::get_associated_cancellation_slot(waiter->handler);
  bool const forever = deadline == std::chrono::nanoseconds::max();
  if (forever)
    waiter->timer.expires_at(asio::steady_timer::time_point::max());
  else
    waiter->timer.expires_after(deadline);
  if (slot.is_connected())
    slot.assign([self = shared_from_this(), weak = std::weak_ptr(waiter)](asio::cancellation_type) {
      auto waiting = weak.lock();
      // A timer is not for two threads at a time.
      std::lock_guard hold(self->waiters_mutex_);
      if (waiting) waiting->timer.cancel();
    });
  {
    std::lock_guard hold(waiters_mutex_);
    waiters_.push_back(waiter);
    // Under the lock: rest() may be looking for waiters on another thread.
    try {
      waiter->timer.async_wait([self = shared_from_this(), waiter](boost::system::error_code) {
        self->end_wait(waiter);
      });
    } catch (...) {
      waiters_.pop_back();
      if (slot.is_connected()) slot.clear();
      throw;
    }
  }
  if (work_word_.load(std::memory_order_acquire) < one_token) release_waiters();
}

/// On the gate's executor: drained, given up, or the deadline has passed.
void gate_core::end_wait(std::shared_ptr<drain_waiter> const& waiter) {
  drain_report report;
  {
    std::lock_guard hold(waiters_mutex_);
    std::erase(waiters_, waiter);
    report.drained = waiter->drained;
  }
  if (!report.drained) {
    report.stuck = tokens();
    report.drained = work_word_.load(std::memory_order_acquire) < one_token;
    if (!report.drained) log_stuck(report);
  }
  auto to = asio::get_associated_executor(waiter->handler, executor_);
  asio::dispatch(to, [waiter, report = std::move(report)]() mutable {
    if (auto slot = asio::get_associated_cancellation_slot(waiter->handler); slot.is_connected())
      slot.clear();
    std::move(waiter->handler)(std::move(report));
  });
}

void gate_core::release_waiters() noexcept {
  std::lock_guard hold(waiters_mutex_);
  for (auto& waiter : waiters_) {
    waiter->drained = true;
    waiter->timer.cancel();
  }
}

}  // namespace tokengate::detail
