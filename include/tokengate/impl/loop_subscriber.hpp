// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/post.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "tokengate/impl/bus_state.hpp"
#include "tokengate/impl/subscriber_handler.hpp"
#include "tokengate/impl/wait_node.hpp"

namespace tokengate::detail {

/// What ties a subscription to the context of its executor: a turn when there is something to
/// handle, and word of the context's end.
///
/// Invariants
///  - `tie_` is entered in the context's turn_queue from the beginning to left() or to the end of
///  the
///    context, whichever comes first, and holds a reference as long. state_ says which it was, and
///    is under port_mutex_, which is held while something is posted: so nothing is posted to a
///    context that has gone, and a context waits for what is being posted to it.
///  - `turn_` is entered while a runner is scheduled and has not begun; then it holds the runner's
///    reference. It may stand for others of the same queue that were made scheduled with it:
///    `followers_`, a chain through next_in_round, each with its reference. They are the turn's.
class loop_port : public subscriber {
 public:
  loop_port(subscription_options const& options, traits of, std::weak_ptr<bus_state> bus,
            turn_queue& queue, bool by_turns)
      : subscriber(options, of),
        bus_(std::move(bus)),
        tie_(tie_operations, queue, *this, false),
        turn_(turn_operations, queue, *this, by_turns) {}

  /// Before anything is published to it. False: the context is going.
  [[nodiscard]] bool tie() noexcept {
    add_ref();
    if (tie_.queue().enter(tie_)) return true;
    state_ = state::gone;
    return false;
  }

  /// Whether its context is there.
  [[nodiscard]] bool tied() noexcept {
    std::lock_guard hold(port_mutex_);
    return state_ == state::tied;
  }

  void left() noexcept final {
    {
      std::lock_guard hold(port_mutex_);
      if (state_ != state::tied) return;
      state_ = state::left;
    }
    tie_.queue().complete(tie_);
  }

  /// Those behind it that the same queue runs need no turns of their own.
  [[nodiscard]] subscriber* wake_some() noexcept final {
    subscriber* rest = next_in_round;
    if (turn_.by_turns()) {
      subscriber** end = &followers_;
      for (int i = 0; i != most_followers && rest != nullptr && rest->turns() == turns(); ++i) {
        *end = rest;
        end = &rest->next_in_round;
        rest = rest->next_in_round;
      }
      *end = nullptr;
    }
    wake();
    return rest;
  }
  [[nodiscard]] void const* turns() const noexcept final {
    return turn_.by_turns() ? &turn_.queue() : nullptr;
  }

  void wake() noexcept final {
    // The tie's reference keeps *this until the lock was let go.
    std::unique_lock hold(port_mutex_);
    if (state_ == state::tied) {
      if (turn_.by_turns()) return turn_.queue().enter_decided(turn_);
      if (post_turn()) return;
      std::lock_guard also(mutex);
      core.unschedule();  // no memory: the next event tries again
    }
    hold.unlock();
    subscriber* next = std::exchange(followers_, nullptr);
    drop_ref();
    while (next != nullptr) std::exchange(next, next->next_in_round)->wake();
  }

 protected:
  /// Runs handlers, on the executor; the runner's reference comes with it. How many it ran.
  virtual int run(ref<subscriber> self) noexcept = 0;
  /// Takes a turn through another executor than an io_context's. False: no memory.
  [[nodiscard]] virtual bool post_turn() noexcept = 0;
  /// The context goes, and the subscription may outlive it: a strand may not.
  virtual void drop_executor() noexcept = 0;

  /// Handlers that one turn runs, of one subscription.
  static constexpr int budget = 16;

 private:
  enum class state : std::uint8_t { tied, left, gone };

  struct node : queued_wait {
    node(operations const& ops, turn_queue& queue, loop_port& of, bool by_turns) noexcept
        : queued_wait(ops, queue, by_turns), of(&of) {}
    loop_port* of;
  };
  static loop_port& self(queued_wait& wait) noexcept { return *static_cast<node&>(wait).of; }

  static constexpr int most_followers = 31;

  static void let_go(queued_wait& wait) noexcept { self(wait).drop_ref(); }
  /// The context goes, and with it the followers, which are on the same.
  static void turn_gone(queued_wait& wait) noexcept {
    subscriber* next = std::exchange(self(wait).followers_, nullptr);
    self(wait).drop_ref();
    while (next != nullptr) std::exchange(next, next->next_in_round)->drop_ref();
  }
  static void deliver(queued_wait& wait) {
    loop_port& it = self(wait);
    subscriber* next = std::exchange(it.followers_, nullptr);
    int const first = it.run(ref<subscriber>::adopt(&it));
    int ran = first == 0 ? 0 : first - 1;  // one is counted already
    while (next != nullptr) {
      auto& follower = static_cast<loop_port&>(*std::exchange(next, next->next_in_round));
      if (!turn_queue::spend(ran)) {  // others of the loop get their turn
        follower.followers_ = next;
        return follower.wake();
      }
      ran = follower.run(ref<subscriber>::adopt(&follower));
    }
    (void)turn_queue::spend(ran);
  }
  static bool never(queued_wait&, wait_outcome) noexcept { return false; }
  /// The context goes: so does the subscription.
  static bool context_gone(queued_wait& wait, wait_outcome) noexcept {
    loop_port& it = self(wait);
    {
      std::lock_guard hold(it.port_mutex_);
      if (it.state_ != state::tied) return false;
      it.state_ = state::gone;
      it.drop_executor();
    }
    if (auto const bus = it.bus_.lock(); bus && it.space != nullptr) bus_core::end(*it.space, it);
    return true;
  }

  static constexpr queued_wait::operations tie_operations{nullptr, &let_go, &let_go, &context_gone,
                                                          nullptr};
  static constexpr queued_wait::operations turn_operations{&deliver, nullptr, &turn_gone, &never,
                                                           nullptr};

  std::weak_ptr<bus_state> bus_;
  short_mutex port_mutex_;
  state state_ = state::tied;
  subscriber* followers_ = nullptr;
  node tie_;
  node turn_;
};

/// With the executor's own type: posting through a type-erased one would allocate.
template <class Executor>
class executor_subscriber : public loop_port {
 public:
  executor_subscriber(Executor const& executor, subscription_options const& options, traits of,
                      std::weak_ptr<bus_state> bus)
      : executor_subscriber(loop_of(executor), executor, options, of, std::move(bus)) {}

 protected:
  /// On the executor only, or while the context is there.
  [[nodiscard]] Executor const& executor() const noexcept { return *executor_; }

 private:
  struct turn {
    using allocator_type = block_allocator<void>;
    ref<subscriber> of;
    [[nodiscard]] allocator_type get_allocator() const noexcept { return {}; }
    void operator()() {
      auto& it = static_cast<executor_subscriber&>(*of);
      (void)it.run(std::move(of));
    }
  };

  executor_subscriber(asio::io_context* loop, Executor const& executor,
                      subscription_options const& options, traits of, std::weak_ptr<bus_state> bus)
      : loop_port(options, of, std::move(bus),
                  turn_queue::of(loop != nullptr ? *loop : context_of(executor)), loop != nullptr),
        executor_(executor) {}

  bool post_turn() noexcept final {
    turn next{ref<subscriber>(this)};
    try {
      asio::post(*executor_, std::move(next));
      drop_ref();  // the turn has one of its own
      return true;
    } catch (...) {
      return false;
    }
  }

  void drop_executor() noexcept final { executor_.reset(); }

  std::optional<Executor> executor_;
};

/// Handlers that are plain functions.
template <class T, class Executor, class Handler, class Sink>
class loop_subscriber final
    : public handling_subscriber<T, executor_subscriber<Executor>, Handler, Sink> {
  using base = handling_subscriber<T, executor_subscriber<Executor>, Handler, Sink>;

 public:
  loop_subscriber(Handler&& handler, Sink&& sink, Executor const& executor,
                  subscription_options const& options, std::weak_ptr<bus_state> bus)
      : base(std::move(handler), std::move(sink), executor, options, subscriber::traits{"loop", 1},
             std::move(bus)) {}

 private:
  int run(ref<subscriber> self) noexcept override {
    int left = base::budget;
    for (handling one = take_next(*self); one;) {
      auto error = this->call(one.event());
      bool const well = error == nullptr;
      if (--left != 0) {
        one.finish_and_take(well, std::move(error));
        continue;
      }
      one.finish(well, std::move(error));
      self.release()->wake();  // others of the loop get their turn
      break;
    }
    return base::budget - left;
  }
};

}  // namespace tokengate::detail
