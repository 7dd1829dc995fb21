// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <spdlog/spdlog.h>

#include "gate_core.hpp"
#include "tokengate/logging.hpp"

// What any thread may ask of a gate, off the hot path; and how it is kept in the executor's books.

namespace tokengate::detail {

operation_record& gate_core::define(token_options const& options) {
  enter();
  struct on_exit {
    gate_core& self;
    ~on_exit() { self.leave(); }
  } left{*this};
  auto const found = operations_by_key_.find(operation_key(options));
  return found != operations_by_key_.end() ? *found->second : add_operation(options);
}

/// All or nothing.
operation_record& gate_core::add_operation(token_options const& options) {
  operation_record& added = operations_.emplace_back(std::string(options.operation), options);
  operation_key const key(added.options);  // of the record's own name
  try {
    operations_by_key_.emplace(key, &added);
    dispatcher_.add_operation(added);
  } catch (...) {
    operations_by_key_.erase(key);
    operations_.pop_back();
    throw;
  }
  return added;
}

void gate_core::close(error why) noexcept {
  enter();
  if (!dispatcher_.closed()) dispatcher_.close(why);
  leave();
}

void gate_core::stop() noexcept {
  withdraw_and_stop(error::stopped);
}

bool gate_core::kill(std::uint64_t id) noexcept {
  enter();
  bool const found = dispatcher_.kill(id);
  leave();
  return found;
}

void gate_core::lost_error(std::exception_ptr const& error) noexcept {
  lost_errors_.fetch_add(1, std::memory_order_relaxed);
  try {
    std::rethrow_exception(error);
  } catch (std::exception const& e) {
    logger()->error("a detached token failed and nobody takes the error: {}", e.what());
  } catch (...) {
    logger()->error("a detached token failed and nobody takes the error");
  }
}

void gate_core::begin_work(std::uint64_t tokens) noexcept {
  if ((work_word_.fetch_add(tokens * one_token, std::memory_order_acq_rel) & tracked) != 0) return;
  std::lock_guard hold(work_mutex_);
  if ((work_word_.load(std::memory_order_relaxed) & tracked) != 0) return;
  if (alive_for_work_) port_->start_work();
  work_word_.fetch_or(tracked, std::memory_order_acq_rel);
}

void gate_core::end_work(std::uint64_t tokens) noexcept {
  if (tokens != 0) work_word_.fetch_sub(tokens * one_token, std::memory_order_acq_rel);
  if (work_word_.load(std::memory_order_relaxed) == tracked) rest();
}

/// Nothing is out: run() may return, async_drain() is done.
void gate_core::rest() noexcept {
  {
    std::lock_guard hold(work_mutex_);
    std::uint64_t idle = tracked;
    if (!work_word_.compare_exchange_strong(idle, 0, std::memory_order_acq_rel)) return;
    if (alive_for_work_) port_->finish_work();  // else ~gate has been quicker
  }
  release_waiters();
}

}  // namespace tokengate::detail
