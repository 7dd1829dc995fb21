// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <utility>

#include "tokengate/detail/sync.hpp"
#include "tokengate/detail/waiter.hpp"

/// @file
/// The blocking end of a core: a thread that sleeps until its outcome is decided.

namespace tokengate::detail {

/// Who may block. A loop thread never: a thread that runs the loop of a gate, or an io_context in
/// which an operation of the library has ever waited.
enum class may_block : std::uint8_t { plain_threads, workers_too };

/// Before a thread blocks for somebody, in whatever wait of the library. Throws would_deadlock
/// where it may not. A worker publishes the results that it has staged: what it is about to wait
/// for may hang on them.
void prepare_to_block(may_block who);

/// Where a thread sleeps. The word is all that the other side touches, and only its address once it
/// is set: the sleeper may be gone by then.
class sleeping_place {
 public:
  void wake() noexcept {
    // acq_rel: what was decided is published; the sleeper's announcement is seen.
    if (word_.exchange(decided, std::memory_order_acq_rel) == asleep) std_sync::futex_wake(word_);
  }
  /// False when the timeout passed first.
  [[nodiscard]] bool sleep(std::chrono::nanoseconds timeout) noexcept;

 private:
  enum : std::uint32_t { awake, asleep, decided };
  std::atomic<std::uint32_t> word_{awake};
};

/// How a thread looks for what it waits for before it sleeps: for about as long as sleeping and
/// being woken costs, and seldom, since every look disturbs the other side. Not on a machine with
/// one core.
class looking {
 public:
  explicit looking(std::chrono::nanoseconds timeout) noexcept;
  /// Waits until the next look. False: it should sleep now.
  [[nodiscard]] bool next() noexcept;
  /// What is left of the timeout.
  [[nodiscard]] std::chrono::nanoseconds left(std::chrono::nanoseconds timeout) const noexcept;

 private:
  std::uint64_t begun_;
  std::uint64_t until_;
};

/// A waiter on the stack of the thread that waits.
template <class Waiter>
class thread_waiter final : public Waiter {
 public:
  template <class... Args>
  explicit thread_waiter(Args&&... args) : Waiter(&resumed, std::forward<Args>(args)...) {}

 private:
  template <class State, class W>
  friend void wait_on_thread(State&, thread_waiter<W>&, std::chrono::nanoseconds, may_block);

  static void resumed(waiter& self) noexcept {
    static_cast<thread_waiter&>(static_cast<Waiter&>(self)).place_.wake();
  }
  sleeping_place place_;
};

/// Waits in a core until the outcome is decided: wait_outcome::timed_out when the timeout passed
/// first, and then nothing was taken. For State see impl/async_wait.hpp. With a timeout of zero or
/// less it does not block, and may be called anywhere.
/// @par Errors  error::would_deadlock, before anything was done, if it had to block where it may
/// not
template <class State, class Waiter>
void wait_on_thread(State& state, thread_waiter<Waiter>& self, std::chrono::nanoseconds timeout,
                    may_block who = may_block::plain_threads) {
  if constexpr (requires { state.try_start(self); }) {
    if (state.try_start(self)) return;
  }
  if (timeout.count() > 0) {
    prepare_to_block(who);
    if constexpr (requires { state.try_start(self); }) {
      looking here(timeout);
      while (here.next())
        if (state.try_start(self)) return;
      timeout = here.left(timeout);
    }
  }
  if (state.start(self)) return;
  if (self.place_.sleep(timeout)) return;
  if (state.cancel(self)) {
    self.outcome = wait_outcome::timed_out;
    return;
  }
  // Decided meanwhile: who did it is on its way.
  static_cast<void>(self.place_.sleep(wait_forever));
}

}  // namespace tokengate::detail
