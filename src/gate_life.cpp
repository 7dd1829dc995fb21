// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <time.h>

#include <algorithm>

#include "gate_core.hpp"
#include "tokengate/detail/tick_clock.hpp"

// The end of a gate, in every order: gate, pool or io_context first.

namespace tokengate::detail {

/// What has not started is withdrawn, what runs is asked to stop.
void gate_core::withdraw_and_stop(error why) noexcept {
  enter();
  if (!dispatcher_.closed()) dispatcher_.close(why);
  dispatcher_.withdraw_all(token_state::cancelled, why);
  dispatcher_.stop_all_running();
  leave();
}

void gate_core::pool_stopping() noexcept {
  withdraw_and_stop(error::stopped);
}

/// Until the workers have let go of every token, except the one inside whose function this is
/// called. A pause and not a wake-up: this is the end, and the results must not depend on a loop
/// that may never run again.
void gate_core::wait_for_running() noexcept {
  worker_context const& here = this_worker;
  std::size_t const own = here.running != nullptr && here.from->bell.get() == this ? 1 : 0;
  if (here.self != nullptr) here.self->publish_finished();  // it would wait for itself
  for (timespec pause{0, 20'000};; pause.tv_nsec = std::min(2 * pause.tv_nsec, 1'000'000L)) {
    enter();
    collect(~std::size_t{0}, tick_clock::now());
    bool const over = dispatcher_.held() <= own && dispatcher_.held_back() == 0;
    leave();
    if (over) return;
    ::nanosleep(&pause, nullptr);
  }
}

void gate_core::gate_gone() noexcept {
  withdraw_and_stop(error::stopped);
  wait_for_running();
  enter();
  closing_ = true;
  detach_when_idle();
  leave();
}

/// Executors such as strands must not outlive their context.
void gate_core::release_executors() noexcept {
  {
    std::lock_guard hold(work_mutex_);
    if (!std::exchange(alive_for_work_, false)) return;
    port_->finish_work();
  }
  std::unique_ptr<executor_port> port;
  asio::any_io_executor executor;
  std::lock_guard hold(post_mutex_);
  alive_ = false;
  port = std::move(port_);
  executor_.swap(executor);
}

/// Called by the io_context's destructor: no handler will run any more, and each has to be
/// destroyed before this returns.
void gate_core::context_gone() noexcept {
  {
    std::lock_guard hold(post_mutex_);
    alive_ = false;
  }
  withdraw_and_stop(error::stopped);
  wait_for_running();
  enter();
  closing_ = true;
  bool const inside_token = dispatcher_.held() != 0;
  detach_when_idle();
  timer_.reset();
  leave();
  destroy_ready();
  // What a worker that came back meanwhile is destroying. Tokens leave this count after their
  // handlers.
  auto const own = inside_token ? 2 * one_token : one_token;
  for (timespec const pause{0, 100'000}; work_word_.load(std::memory_order_acquire) >= own;) {
    destroy_ready();
    ::nanosleep(&pause, nullptr);
  }
  // The token inside whose function the io_context is being destroyed: its handler goes now, the
  // rest of it when the function has returned.
  if (inside_token) this_worker.running->ops->abandon(*this_worker.running);
  release_executors();
  {
    std::lock_guard hold(waiters_mutex_);
    waiters_.clear();
  }
  park_drain();
}

/// A result came after the io_context had gone.
void gate_core::reap() noexcept {
  do {
    parking.unpark();
    enter();
    collect(~std::size_t{0}, tick_clock::now());
    detach_when_idle();
    leave();
    destroy_ready();
  } while (!parking.try_park());
}

void gate_core::destroy_ready() noexcept {
  for (;;) {
    intrusive_list<token_base> rest;
    enter();
    rest.splice_back(dispatcher_.ready());
    leave();
    if (rest.empty()) return;
    std::size_t const count = rest.size();
    while (token_base* token = rest.pop_front()) token->ops->end(token, ending::destroy);
    destroyed_.fetch_add(count, std::memory_order_relaxed);
    end_work(count);
  }
}

gate_core::~gate_core() {
  intrusive_list<token_base>& rest = dispatcher_.ready();
  while (token_base* token = rest.pop_front()) token->ops->end(token, ending::destroy);
}

/// Inside the combiner. Breaks the circle of gate, link and worker.
void gate_core::detach_when_idle() noexcept {
  if (!closing_ || detached_ || dispatcher_.held() != 0) return;
  detached_ = true;
  set_hot(false);
  timer_.reset();
  for (auto& each : dispatcher_.links()) pool_->detach(each->shared());
  dispatcher_.drop_links();
}

void gate_core::bury_dead_links(std::uint64_t now) noexcept {
  for (auto& each : dispatcher_.links())
    // acquire: pairs with the worker's last store, after it gave all slots back.
    if (each->alive() && each->shared().dead.load(std::memory_order_acquire) &&
        each->returned() == 0)
      dispatcher_.bury(*each, now);
}

}  // namespace tokengate::detail
