// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <memory>
#include <mutex>
#include <stop_token>
#include <utility>

#include "tokengate/detail/short_mutex.hpp"
#include "tokengate/impl/actor_message.hpp"
#include "tokengate/impl/async_wait.hpp"
#include "tokengate/impl/context_member.hpp"

/// @file
/// The outside of an actor: its mailbox, those who wait for a place or for an answer, and those who
/// wait for its end. See impl/actor_state.hpp for the inside.
///
/// Invariants
///  - core_, joins_, error_ and current_ are touched under mutex_. Under it nothing of Asio or of
///    the user is called, and of a message only what copies its stop source.
///  - A message is owned by the queue, then by the turn; who unlinks one that is not handled frees
///    it.

namespace tokengate::detail {

class actor_join : public waiter {
 public:
  explicit actor_join(resume_function resume) noexcept : waiter(resume) {}
  template <class F>
  void complete(F&& finish) {
    auto failed = std::move(failed_with);
    if (outcome == wait_outcome::cancelled) failed = make_exception(error::cancelled);
    if (outcome == wait_outcome::timed_out) failed = make_exception(error::timed_out);
    std::move(finish)(std::move(failed));
  }
  std::exception_ptr failed_with{};
};

template <class State>
class actor_mailbox : public context_member {
 protected:
  using message = message_of<State>;

 public:
  actor_mailbox(asio::any_io_executor executor, actor_options const& options)
      : context_member(std::move(executor)), core_(options) {}
  actor_mailbox(actor_mailbox const&) = delete;
  actor_mailbox& operator=(actor_mailbox const&) = delete;

  /// False: the message was not taken.
  [[nodiscard]] bool tell(std::unique_ptr<message> what) noexcept {
    std::unique_ptr<message> dropped;
    actor_core::offered result;
    {
      std::lock_guard hold(mutex_);
      result = core_.offer(*what, false);
      dropped.reset(static_cast<message*>(result.dropped));
      if (result.how == actor_core::entry::accepted) static_cast<void>(what.release());
    }
    if (result.start_turn) start_turn();
    return result.how == actor_core::entry::accepted;
  }

  // For async_wait().
  bool start(message_waiter<State>& wait) noexcept {
    std::unique_ptr<message> dropped;
    actor_core::offered result;
    bool decided = true;
    {
      std::lock_guard hold(mutex_);
      message& what = *wait.message;
      result = core_.offer(what, true);
      dropped.reset(static_cast<message*>(result.dropped));
      switch (result.how) {
        case actor_core::entry::accepted:
          decided = what.may_be_dropped();
          break;
        case actor_core::entry::waits:
          decided = false;
          break;
        default:
          wait.outcome = wait_outcome::refused;
          wait.error = make_exception(result.how == actor_core::entry::full ? error::backlog_full
                                                                            : error::closed);
      }
      if (wait.outcome != wait_outcome::refused) static_cast<void>(wait.message.release());
      if (!decided) {
        what.from = &wait;
        wait.at = &what;
      }
    }
    if (result.start_turn) start_turn();
    return decided;
  }
  bool cancel(message_waiter<State>& wait) noexcept {
    std::unique_ptr<message> withdrawn;
    std::stop_source running(std::nostopstate);
    woken_list woken;
    {
      std::lock_guard hold(mutex_);
      if (wait.at == nullptr) return false;
      message* const what = wait.at;
      part(*what);
      actor_message* admitted = nullptr;
      if (core_.withdraw(*what, admitted))
        withdrawn.reset(what);
      else
        running = what->stopper();
      has_place(admitted, woken);
    }
    running.request_stop();
    resume_all(woken);
    return true;
  }
  bool start(actor_join& wait) noexcept {
    std::lock_guard hold(mutex_);
    wait.failed_with = error_;
    if (core_.is_ended()) return true;
    joins_.push_back(wait);
    return false;
  }
  bool cancel(actor_join& wait) noexcept {
    std::lock_guard hold(mutex_);
    if (!wait.linked()) return false;
    joins_.remove(wait);
    return true;
  }

  /// Nothing more is accepted; what was, is handled.
  void close() noexcept {
    bool need_turn = false;
    {
      std::lock_guard hold(mutex_);
      need_turn = core_.close();
    }
    if (need_turn) start_turn();
  }
  /// And what is queued is given up.
  void stop() noexcept {
    message_list left;
    bool need_turn = false;
    {
      std::lock_guard hold(mutex_);
      need_turn = core_.close();
      core_.clear(left);
    }
    give_up(left, make_exception(error::stopped));
    if (need_turn) start_turn();
    stop_running();  // last: a stop callback may drop the actor
  }

  [[nodiscard]] actor_snapshot snapshot() const noexcept {
    actor_snapshot now;
    std::lock_guard hold(mutex_);
    core_.report(now);
    return now;
  }

 protected:
  ~actor_mailbox() = default;

  /// Has a turn run. Must not throw: what fails ends the actor.
  virtual void start_turn() noexcept = 0;
  /// Asks what is handled now to stop.
  virtual void stop_running() noexcept = 0;

  void give_up(message_list& left, std::exception_ptr const& why) noexcept {
    while (actor_message* const each = left.pop_front()) {
      std::unique_ptr<message> own(static_cast<message*>(each));
      message_waiter<State>* to = nullptr;
      {
        std::lock_guard hold(mutex_);
        to = part(*own);
      }
      refuse(to, why);
    }
  }
  static void refuse(message_waiter<State>* to, std::exception_ptr why) noexcept {
    if (to == nullptr) return;
    to->outcome = wait_outcome::refused;
    to->error = std::move(why);
    to->resume();
  }

  // Under the lock.
  message_waiter<State>* part(message& from) noexcept {
    message_waiter<State>* const to = std::exchange(from.from, nullptr);
    if (to != nullptr) to->at = nullptr;
    return to;
  }
  void has_place(actor_message* admitted, woken_list& woken) noexcept {
    if (admitted == nullptr || !admitted->may_be_dropped()) return;
    if (auto* const to = part(static_cast<message&>(*admitted))) woken.push_back(*to);
  }
  void ended(woken_list& woken) noexcept {
    core_.ended();
    static_cast<void>(core_.end_turn());
    while (waiter* const each = joins_.pop_front()) {
      static_cast<actor_join&>(*each).failed_with = error_;
      woken.push_back(*each);
    }
  }

  mutable short_mutex mutex_;
  actor_core core_;
  wait_list joins_;
  std::exception_ptr error_;
  message* current_ = nullptr;  ///< what is handled now
};

}  // namespace tokengate::detail
