// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>

#include "tokengate/detail/block_pool.hpp"
#include "tokengate/detail/deadline_heap.hpp"
#include "tokengate/detail/short_mutex.hpp"
#include "tokengate/detail/sync.hpp"
#include "tokengate/detail/tick_clock.hpp"
#include "tokengate/detail/waiter.hpp"
#include "tokengate/fwd.hpp"
#include "tokengate/gate_options.hpp"

/// @file
/// How waits end on their executors. Every execution_context has one queue, which owns all waits
/// whose handlers belong to it: it delivers them, ends them at their deadlines, and destroys them
/// with the context.
///
/// Invariants, all under mutex_
///  - A wait is in waiting_, or in ready_, or its own: with its turn, or posted to its executor.
///  - ready_ is not empty only while a turn is armed: posted and not begun. So a handler that
///  throws,
///    or takes long, does not keep the rest from being delivered, by the next turn or another
///    thread.
///  - One turn is armed at a time; its memory is reserve_.
///  - A queue is hot for a while after another thread has completed a wait of it: instead of
///    letting the loop sleep, turns stay armed, and poll. Who completes a wait then has nothing to
///    post and nobody to wake. One thread polls at a time, and whether to go on is decided under
///    the mutex. (armed_ is set meanwhile, unless another thread has begun the turn that was
///    posted: then a completion posts one more.)
///  - `pinned`: some thread is about to ask the core to give the wait up. It then stays where it
///  is:
///    who resumes it meanwhile only marks it `decided`, and who pinned it goes on with it.
///  - The mutex is never held while a core or a handler is called, and nothing is posted under it.
///    posters_ keeps the context from going while something is posted to it.

namespace tokengate::detail {

class turn_queue;

using wait_clock = std::chrono::steady_clock;
inline constexpr wait_clock::time_point no_wait_limit = wait_clock::time_point::max();

/// A wait as its queue sees it.
class queued_wait : public list_hook<turn_queue> {
 public:
  struct operations {
    /// Frees the wait and calls its handler. On the handler's executor.
    void (*deliver)(queued_wait&);
    /// Posts it to its executor, which is not an io_context.
    void (*post)(queued_wait&) noexcept;
    void (*destroy)(queued_wait&) noexcept;
    /// Takes it out of its core with that outcome. False: its outcome is decided already, and it is
    /// or will be resumed.
    bool (*give_up)(queued_wait&, wait_outcome) noexcept;
    /// Its outcome is decided, and its handler has not been called: gives back what it got, where
    /// the core can take it, and is cancelled after all. On the handler's executor.
    void (*retract)(queued_wait&) noexcept;
  };

  /// `by_turns`: its executor is that of an io_context, whose turns deliver it.
  queued_wait(operations const& ops, turn_queue& queue, bool by_turns) noexcept
      : ops_(&ops), queue_(&queue), by_turns_(by_turns) {}

  [[nodiscard]] turn_queue& queue() const noexcept { return *queue_; }
  [[nodiscard]] bool by_turns() const noexcept { return by_turns_; }

 protected:
  ~queued_wait() = default;

 private:
  friend class turn_queue;

  operations const* ops_;
  turn_queue* queue_;
  std::size_t heap_place_ = not_in_heap;
  bool by_turns_;
  bool pinned_ = false;
  bool decided_ = false;
  bool starting_ = false;  ///< it has a limit, and its core does not know it yet
  bool late_ = false;      ///< its limit passed meanwhile
};

class turn_queue final : public asio::execution_context::service {
 public:
  static asio::execution_context::id id;

  /// Handlers that one turn runs before others of the loop get theirs.
  static constexpr int budget = 64;
  /// From inside deliver(), when that runs more handlers than one: counts them as well. False: it
  /// has to leave the rest to another turn.
  static bool spend(int handlers) noexcept { return (here.left -= handlers) > 0; }

  explicit turn_queue(asio::execution_context& owner);
  ~turn_queue() override;

  /// The queue of a context. A look at a thread-local cache for the context that was asked for
  /// last.
  [[nodiscard]] static turn_queue& of(asio::execution_context& context);

  /// Takes a wait that its core is about to be asked for. False: the context is going, and the wait
  /// was destroyed. May throw bad_alloc with a limit.
  [[nodiscard]] bool enter(queued_wait& wait) noexcept;
  [[nodiscard]] bool enter(queued_wait& wait, wait_clock::time_point limit);

  /// After enter() with a limit: the core has been asked. Until then the wait stays where it is,
  /// whoever decides it and whether or not its time passes.
  void started(queued_wait& wait, bool decided) noexcept;

  /// Takes one, delivered by turns, whose outcome is decided.
  void enter_decided(queued_wait& wait) noexcept;

  /// Any thread: the outcome of a wait that has entered is decided.
  void complete(queued_wait& wait) noexcept;

  /// From the cancellation slot of its handler.
  static void cancel(queued_wait& wait) noexcept {
    if (wait.ops_->give_up(wait, wait_outcome::cancelled))
      wait.queue_->complete(wait);
    else
      wait.ops_->retract(wait);
  }

  /// When to be hot, and the longest it is without a completion from another thread.
  void set_hot(hot_drain policy, std::chrono::nanoseconds limit) noexcept;

  /// Inside a hot turn that has nothing else to do: asks again and again for a moment. False: it is
  /// not inside one, or `ready` never said true.
  template <class Ready>
  [[nodiscard]] bool poll_for(Ready ready) noexcept {
    if (here.queue != this || here.enough == 0) return false;
    auto now = tick_clock::now();
    auto const at = looks_here(now);
    // Every look takes a cache line away from who writes it, and what came since the last one is
    // had for the price of one: seldom.
    for (auto next = now + at.pause; next < at.until; next += at.pause) {
      for (; now < next; now = tick_clock::now()) {
        if (any_ready_.load(std::memory_order_relaxed)) return false;
        std_sync::spin_hint();
      }
      if (ready()) return looked(true);
    }
    return at.until != 0 && looked(false);
  }

  /// The context is an io_context, though waits reach it through other executors.
  void is_loop() noexcept { has_loop_.store(true, std::memory_order_relaxed); }

  /// Whether the calling thread runs an io_context in which a wait of the library has ever been.
  [[nodiscard]] static bool on_any_loop() noexcept;

 private:
  struct turn;
  template <class T>
  struct turn_memory;
  using loop_work =
      std::decay_t<decltype(asio::require(std::declval<asio::io_context::executor_type const&>(),
                                          asio::execution::outstanding_work.tracked))>;
  using lock = std::unique_lock<short_mutex>;

  /// The context itself, for its timer: a thread of the context calls what it is given. A handler's
  /// own executor would not do: it may be a busy strand, count as work for as long as it is kept,
  /// or belong to a context that goes first.
  struct context_executor {
    asio::execution_context* of;
    [[nodiscard]] asio::execution_context& query(asio::execution::context_t) const noexcept {
      return *of;
    }
    template <class F>
    void execute(F&& function) const {
      std::forward<F>(function)();
    }
    bool operator==(context_executor const&) const noexcept = default;
  };
  using limit_timer =
      asio::basic_waitable_timer<wait_clock, asio::wait_traits<wait_clock>, context_executor>;

  void shutdown() override;
  void forget() noexcept;
  [[nodiscard]] asio::io_context& loop() noexcept;
  void link(queued_wait& wait, intrusive_list<queued_wait, turn_queue>& list) noexcept;
  void settle(queued_wait& wait, lock& hold) noexcept;
  void end_late(queued_wait& wait, lock& hold) noexcept;
  void arm(lock& hold) noexcept;
  void post_turn() noexcept;
  void defer_turn() noexcept;
  void run_turn();

  // turn_queue_hot.cpp
  /// A turn as its thread knows it.
  struct turn_here {
    turn_queue* queue = nullptr;
    std::uint64_t enough = 0;  ///< the time after which it polls no more; 0 when it is not hot
    bool found = false;        ///< poll_for() has waited for something that came
    int left = 0;              ///< of its budget
  };
  /// How looking has paid lately on the thread.
  struct look_luck {
    std::uint32_t misses = 0;
    std::uint32_t skip = 0;
  };
  static constinit thread_local turn_here here;
  static constinit thread_local look_luck luck;
  struct looks {
    std::uint64_t pause;  ///< between two of them
    std::uint64_t until;
  };
  [[nodiscard]] looks looks_here(std::uint64_t now) const noexcept;
  static bool looked(bool found) noexcept;
  [[nodiscard]] static std::uint64_t default_hot_ticks();
  [[nodiscard]] bool is_hot() const noexcept { return hot_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t begin_hot_turn() noexcept;
  [[nodiscard]] bool may_become_hot() const noexcept;
  [[nodiscard]] bool stay_hot() noexcept;
  void poll(lock& hold) noexcept;
  void note_completion() noexcept;
  void cool_down() noexcept;
  void set_timer();
  void rest_timer() noexcept;
  void on_timer() noexcept;

  short_mutex mutex_;
  intrusive_list<queued_wait, turn_queue> waiting_;
  intrusive_list<queued_wait, turn_queue> ready_;
  bool armed_ = false;
  bool down_ = false;
  std::size_t loop_waits_ = 0;     ///< in waiting_ or ready_, delivered by turns
  std::optional<loop_work> work_;  ///< kept for as long as there are any, and to the end of a turn

  deadline_heap<queued_wait, &queued_wait::heap_place_> limits_;
  std::optional<limit_timer> timer_;
  wait_clock::time_point timer_at_ = no_wait_limit;
  /// Threads that post to the context. release as the last access of each, acquire in shutdown().
  std::atomic<int> posters_{0};
  std::atomic<bool> has_loop_{false};  ///< the context is known to be an io_context

  // Being hot; see turn_queue_hot.cpp. Written under the mutex.
  hot_drain hot_policy_ = hot_drain::automatic;
  bool polling_ = false;       ///< some thread is in poll()
  bool foreign_ = false;       ///< another thread has completed a wait since the last look
  bool found_ = false;         ///< the same, in this spell
  std::uint32_t pause_ = 0;    ///< spells to leave out
  std::uint32_t useless_ = 0;  ///< spells in a row that found nothing
  std::uint64_t hot_ticks_;
  std::uint64_t hot_until_ = 0;
  std::uint64_t spell_end_ = 0;
  std::atomic<bool> hot_{false};
  std::atomic<bool> any_ready_{false};  ///< a hint to who polls

  static constexpr std::size_t reserve_size = 256;
  alignas(block_alignment) std::byte reserve_[reserve_size];
};

}  // namespace tokengate::detail
