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
#include "tokengate/detail/waiter.hpp"
#include "tokengate/fwd.hpp"

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
  void run_turn();
  void set_timer();
  void rest_timer() noexcept;
  void on_timer() noexcept;

  short_mutex mutex_;
  intrusive_list<queued_wait, turn_queue> waiting_;
  intrusive_list<queued_wait, turn_queue> ready_;
  bool armed_ = false;
  bool down_ = false;
  std::size_t loop_waits_ = 0;  ///< in waiting_ or ready_, delivered by turns
  std::optional<loop_work> work_;
  deadline_heap<queued_wait, &queued_wait::heap_place_> limits_;
  std::optional<limit_timer> timer_;
  wait_clock::time_point timer_at_ = no_wait_limit;
  /// Threads that post to the context. release as the last access of each, acquire in shutdown().
  std::atomic<int> posters_{0};
  std::atomic<bool> has_loop_{false};  ///< the context is known to be an io_context

  static constexpr std::size_t reserve_size = 256;
  alignas(block_alignment) std::byte reserve_[reserve_size];
};

}  // namespace tokengate::detail
