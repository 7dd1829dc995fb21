// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/dispatch.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "tokengate/detail/fault_point.hpp"
#include "tokengate/impl/actor_mailbox.hpp"

/// @file
/// The inside of an actor: its state, and the turns in which messages are handled. What becomes of
/// a turn that does not run is in impl/actor_issue.hpp.
///
/// Invariants
///  - lost_, gone_ and turns_ are touched under mutex_, like the members of actor_mailbox.
///  - turns_ may be more than 1: a turn that has handed over may still be on its way out. The last
///    one to leave makes the end that lost_ asks for.
///  - state_, in_handle_, dropped_, in_place_ and stale_ are touched by the turn that is out, or by
///    who stands in for one that failed to run. A turn hands over to the next one through mutex_.

namespace tokengate::detail {

void report_failed_actor(char const* name, std::size_t length, char const* what) noexcept;

template <class State>
class actor_state : public actor_mailbox<State>,
                    public std::enable_shared_from_this<actor_state<State>> {
  using base = actor_mailbox<State>;
  using base::core_;
  using base::current_;
  using base::error_;
  using base::mutex_;
  using typename base::message;

 public:
  using factory = std::function<void(std::optional<State>&)>;

  actor_state(asio::any_io_executor executor, actor_options const& options, factory make)
      : base(std::move(executor), options), options_(options), make_(std::move(make)) {}
  virtual ~actor_state() = default;

  /// Whether handlers may be coroutines; they run on executor() then.
  [[nodiscard]] virtual bool has_coroutines() const noexcept = 0;

  /// One turn. True: another one has to follow. False: nothing is left, or a coroutine goes on.
  [[nodiscard]] bool run_turn() noexcept {
    {
      std::lock_guard hold(mutex_);
      if (gone_) return false;
      ++turns_;
    }
    bool const again = handle_batch();
    TOKENGATE_FAULT_POINT("actor turn handed over");
    std::exception_ptr lost;
    {
      std::lock_guard hold(mutex_);
      if (--turns_ == 0) lost = std::exchange(lost_, nullptr);
      gone_ |= lost != nullptr;
    }
    if (!lost) return again;
    end_with(std::move(lost));
    return false;
  }
  // impl/actor_issue.hpp
  void turn_lost(std::exception_ptr why) noexcept;
  template <class Issue>
  void issue_turn(Issue issue) noexcept;

  /// On the actor's executor.
  void coroutine_ended(std::exception_ptr failed) noexcept {
    std::unique_ptr<message> ended;
    {
      std::lock_guard hold(mutex_);
      ended.reset(current_);
    }
    if (after(std::move(ended), std::move(failed)) && run_turn()) this->start_turn();
  }
  /// Its context goes; or it could not be started, and handle() is about to tell.
  void coroutine_dropped() noexcept {
    if (in_handle_) {
      dropped_ = true;
      return;
    }
    auto const why = make_exception(error::broken_promise);
    std::unique_ptr<message> ended;
    message_waiter<State>* to = nullptr;
    {
      std::lock_guard hold(mutex_);
      ended.reset(std::exchange(current_, nullptr));
      core_.handled();
      to = this->part(*ended);
    }
    this->refuse(to, why);
    end_with(why);
  }

  /// The end, by a failure or because a turn could not run. On the turn, or in place of it.
  void end_with(std::exception_ptr why) noexcept {
    message_list left;
    woken_list woken;
    state_.reset();
    {
      std::lock_guard hold(mutex_);
      if (core_.is_ended()) return;
      static_cast<void>(core_.close());
      core_.clear(left);
      error_ = why;
      this->ended(woken);
    }
    this->give_up(left, make_exception(error::stopped));
    resume_all(woken);
  }

 private:
  [[nodiscard]] bool handle_batch() noexcept {
    if (std::exchange(stale_, false)) state_.reset();
    for (std::size_t i = 0; i < options_.batch || i == 0; ++i) {
      if (!state_ && !build()) return false;
      TOKENGATE_FAULT_POINT("actor state looked for");
      std::unique_ptr<message> next = take();
      if (!next) break;
      if (next->until != no_wait_limit && wait_clock::now() > next->until) {
        skip(std::move(next));
        continue;
      }
      std::exception_ptr failed;
      bool ended = true;
      in_handle_ = true;
      try {
        ended = next->handle(*state_, *this);
      } catch (...) {
        failed = std::current_exception();
      }
      in_handle_ = false;
      if (std::exchange(dropped_, false) && !failed) {
        failed = make_exception(error::broken_promise);
        ended = true;
      }
      if (!ended) {
        static_cast<void>(next.release());  // coroutine_ended() takes it back
        return false;
      }
      if (!after(std::move(next), std::move(failed))) return false;
    }
    return end_turn();
  }

  [[nodiscard]] std::unique_ptr<message> take() noexcept {
    woken_list woken;
    std::unique_ptr<message> next;
    {
      std::lock_guard hold(mutex_);
      // A message that came after build() had seen none waits for a turn that builds the state.
      if (lost_ || !state_) return nullptr;
      next = take_front(woken);
      current_ = next.get();
    }
    resume_all(woken);
    return next;
  }
  /// Under the lock.
  [[nodiscard]] std::unique_ptr<message> take_front(woken_list& woken) noexcept {
    actor_message* admitted = nullptr;
    std::unique_ptr<message> next(static_cast<message*>(core_.take(admitted)));
    this->has_place(admitted, woken);
    return next;
  }

  [[nodiscard]] bool turn_refused(std::exception_ptr const& why) noexcept;

  /// Whether the state is there, or there is nothing to build it for.
  [[nodiscard]] bool build() noexcept {
    while (!state_) {
      {
        std::lock_guard hold(mutex_);
        if (core_.queued() == 0) return true;
      }
      try {
        make_(state_);
      } catch (...) {
        auto const failed = std::current_exception();
        if (!go_on(failed, true)) return false;
      }
    }
    return true;
  }

  /// After a message. False: the actor has ended.
  [[nodiscard]] bool after(std::unique_ptr<message> handled, std::exception_ptr failed) noexcept {
    bool const counts = failed && (handled->may_be_dropped() || options_.failed_ask_counts);
    message_waiter<State>* to = nullptr;
    {
      std::lock_guard hold(mutex_);
      current_ = nullptr;
      if (!counts) core_.handled();
      to = this->part(*handled);
    }
    bool const goes_on = !counts || go_on(failed, false);
    if (to != nullptr && !failed) handled->give(*to);
    handled.reset();  // its arguments go before the answer arrives
    if (failed)
      this->refuse(to, std::move(failed));  // who waits for it destroys it
    else if (to != nullptr)
      to->resume();
    return goes_on;
  }

  /// What a failure leads to. False: the actor has ended.
  [[nodiscard]] bool go_on(std::exception_ptr const& failed, bool without_state) noexcept {
    auto const now = static_cast<std::uint64_t>(
        std::chrono::nanoseconds(wait_clock::now().time_since_epoch()).count());
    actor_core::after what;
    {
      std::lock_guard hold(mutex_);
      what = core_.failed(now);
    }
    if (what == actor_core::after::go_on && !without_state) return true;
    report(failed);
    if (what == actor_core::after::restart) {
      if (in_place_)
        stale_ = true;
      else
        state_.reset();
      return true;
    }
    end_with(what == actor_core::after::stop ? nullptr : failed);
    return false;
  }
  void report(std::exception_ptr const& failed) const noexcept {
    try {
      std::rethrow_exception(failed);
    } catch (std::exception const& caught) {
      report_failed_actor(options_.name.data(), options_.name.size(), caught.what());
    } catch (...) {
      report_failed_actor(options_.name.data(), options_.name.size(), "failed");
    }
  }

  void skip(std::unique_ptr<message> late) noexcept {
    message_waiter<State>* to = nullptr;
    {
      std::lock_guard hold(mutex_);
      current_ = nullptr;
      core_.skipped();
      to = this->part(*late);
    }
    if (to == nullptr) return;
    to->outcome = wait_outcome::timed_out;
    to->resume();
  }
  [[nodiscard]] bool end_turn() noexcept {
    {
      std::lock_guard hold(mutex_);
      if (!core_.to_be_ended()) return core_.end_turn();
    }
    state_.reset();
    woken_list woken;
    {
      std::lock_guard hold(mutex_);
      this->ended(woken);
    }
    resume_all(woken);
    return false;
  }

  void stop_running() noexcept override {
    auto const self = this->shared_from_this();
    std::stop_source stop(std::nostopstate);
    {
      std::lock_guard hold(mutex_);
      if (current_ == nullptr) return;
      stop = current_->stopper();
    }
    stop.request_stop();  // not under the mutex: its callbacks are the user's
    if (!has_coroutines()) return;
    try {
      asio::dispatch(this->executor(), [self] {
        message* running = nullptr;
        {
          std::lock_guard hold(self->mutex_);
          running = self->current_;
        }
        // On the executor on which its coroutine runs, so it stays there meanwhile.
        if (running != nullptr) running->stop_coroutine();
      });
    } catch (...) {
      // Without memory for the message it ends by itself.
    }
  }

  actor_options const options_;
  int turns_ = 0;            ///< inside run_turn()
  bool gone_ = false;        ///< a turn that has not started must not
  std::exception_ptr lost_;  ///< the running turn is the last one
  bool in_handle_ = false;   ///< of the turn
  bool dropped_ = false;     ///< of the turn: the coroutine's handler was, in handle()
  bool in_place_ = false;    ///< of who stands in for a turn: the state is not touched there
  bool stale_ = false;       ///< the next turn begins with a restart
  factory const make_;
  std::optional<State> state_;
};

}  // namespace tokengate::detail
