// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "tokengate/detail/barrier_core.hpp"
#include "tokengate/impl/core_state.hpp"
#include "tokengate/impl/lazy_wait.hpp"
#include "tokengate/impl/thread_wait.hpp"

namespace tokengate {

namespace detail {

class arrival_waiter : public barrier_waiter {
 public:
  explicit arrival_waiter(resume_function resume) noexcept : barrier_waiter(resume) {}

  template <class F>
  void complete(F&& finish) {
    auto const ended = phase();
    std::move(finish)(exception_of(outcome), ended);
  }

 protected:
  ~arrival_waiter() = default;
};

struct barrier_state : core_state<barrier_core> {
  using core_state::core_state;

  [[nodiscard]] bool start(barrier_waiter& one) noexcept {
    return change([&](barrier_core& of, woken_list& woken) { return of.arrive(one, woken); });
  }
  [[nodiscard]] bool try_arrive(barrier_waiter& one) noexcept {
    return change([&](barrier_core& of, woken_list& woken) { return of.try_arrive(one, woken); });
  }
  [[nodiscard]] bool cancel(barrier_waiter& one) noexcept {
    return change([&](barrier_core& of, woken_list&) { return of.cancel(one); });
  }
};

}  // namespace detail

/// Rounds: everybody waits until all parties have arrived, then the next phase begins. As
/// std::barrier, awaited; whoever gives up waiting has not arrived.
/// @par Thread safety  any thread, all functions
class async_barrier {
 public:
  using executor_type = asio::any_io_executor;
  using completion_signature = void(std::exception_ptr, std::uint64_t);

  async_barrier(asio::any_io_executor const& executor, std::size_t parties)
      : state_(std::make_shared<detail::barrier_state>(executor, parties)) {}
  template <detail::execution_context_type Context>
  async_barrier(Context& context, std::size_t parties)
      : async_barrier(context.get_executor(), parties) {}
  async_barrier(async_barrier const&) = delete;
  async_barrier& operator=(async_barrier const&) = delete;
  /// Closes it.
  ~async_barrier() { close(); }

  /// Where handlers run that have no executor of their own.
  [[nodiscard]] executor_type const& get_executor() const noexcept { return state_->executor; }

  /// Arrives, and waits for the others.
  /// @par Completion signature  void(std::exception_ptr, std::uint64_t)
  /// @par Completes with  the number of the phase that ended, from 0; error::cancelled,
  /// error::closed,
  ///                  error::timed_out
  /// @par Executor    the handler's associated executor, else the barrier's; never inside this call
  /// @par Cancellation  all types: the arrival is taken back
  /// @par Lifetime    none: the operation keeps what it needs
  /// @par Cost        one block from a recycled pool or the handler's allocator; constant time, the
  ///                  last one wakes the others
  [[nodiscard]] auto async_arrive_and_wait() {
    return detail::lazy_wait<completion_signature, detail::arrival_waiter, detail::barrier_state>(
        state_, state_->executor);
  }
  template <asio::completion_token_for<completion_signature> CompletionToken>
  auto async_arrive_and_wait(CompletionToken&& token) {
    return async_arrive_and_wait()(std::forward<CompletionToken>(token));
  }

  /// Arrives if all others have: then the phase ends, and this is its number. Else, and after
  /// close(), nothing, and it has not arrived: who does not wait is not waited for.
  /// @par Cost  never blocks; wakes the others
  [[nodiscard]] std::optional<std::uint64_t> try_arrive_and_wait() noexcept {
    detail::thread_waiter<detail::arrival_waiter> self;
    bool const last = state_->try_arrive(self) && self.outcome == detail::wait_outcome::done;
    return last ? std::optional(self.phase()) : std::nullopt;
  }

  /// Arrives, and blocks a plain thread until the others have. The number of the phase that ended.
  /// When the timeout passes first the arrival is taken back, as by a cancellation: the others wait
  /// for this party as if it had never come, and it may arrive again.
  /// @par Errors  system_error: error::would_deadlock on a loop thread or a worker that is not the
  ///              last to arrive, which has not arrived then; error::timed_out, error::cancelled:
  ///              the arrival was taken back; error::closed
  std::uint64_t arrive_and_wait(std::chrono::nanoseconds timeout = detail::wait_forever) {
    detail::thread_waiter<detail::arrival_waiter> self;
    if (!state_->try_arrive(self)) detail::wait_on_thread(*state_, self, timeout);
    if (self.outcome != detail::wait_outcome::done)
      throw boost::system::system_error(detail::error_of(self.outcome));
    return self.phase();
  }

  /// One party fewer, from this phase on: the phase may end by that. Never below 0.
  void drop() noexcept {
    state_->change([](detail::barrier_core& core, detail::woken_list& woken) { core.drop(woken); });
  }

  /// Takes back the arrivals of all who wait now, with error::cancelled.
  void cancel() noexcept {
    state_->change(
        [](detail::barrier_core& core, detail::woken_list& woken) { core.cancel_all(woken); });
  }
  /// Gives up all who wait now or later, with error::closed.
  void close() noexcept {
    state_->change(
        [](detail::barrier_core& core, detail::woken_list& woken) { core.close(woken); });
  }

  [[nodiscard]] std::size_t parties() const noexcept {
    return state_->look([](detail::barrier_core const& core) { return core.parties(); });
  }
  /// How many have arrived. They have no names: only what has holders is listed, see
  /// lock_base::snapshot().
  [[nodiscard]] std::size_t waiting() const noexcept {
    return state_->look([](detail::barrier_core const& core) { return core.waiting(); });
  }
  /// The number of the phase that is on.
  [[nodiscard]] std::uint64_t phase() const noexcept {
    return state_->look([](detail::barrier_core const& core) { return core.phase(); });
  }

 private:
  std::shared_ptr<detail::barrier_state> const state_;
};

}  // namespace tokengate
