// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "tokengate/impl/actor_state.hpp"
#include "tokengate/impl/issuing.hpp"

/// @file
/// Turns of an actor that cannot be issued, or that are issued and lost.

namespace tokengate::detail {

/// The turn that is out will not report its end, as its loop has gone. It may be running all the
/// same, or never start.
template <class State>
void actor_state<State>::turn_lost(std::exception_ptr why) noexcept {
  {
    std::lock_guard hold(mutex_);
    if (turns_ != 0) {
      lost_ = std::move(why);
      return;
    }
    gone_ = true;
  }
  end_with(std::move(why));
}

/// Issues a turn. Each try that finds no memory stands for a failure of the message at the front.
/// But a strand may throw when it has taken the turn already, and is locked for good then: such a
/// turn still lives, and is lost.
template <class State>
template <class Issue>
void actor_state<State>::issue_turn(Issue issue) noexcept {
  for (;;) {
    issuing here(this);
    try {
      issue();
      if (here.lost()) turn_lost(make_exception(error::broken_promise));
      return;
    } catch (...) {
      if (!here.lost()) return turn_lost(std::current_exception());
      if (!turn_refused(std::current_exception())) return;
    }
  }
}

/// In place of a turn that there was no memory for. True: one is needed still.
template <class State>
bool actor_state<State>::turn_refused(std::exception_ptr const& why) noexcept {
  woken_list woken;
  std::unique_ptr<message> next;
  {
    std::lock_guard hold(mutex_);
    next = take_front(woken);
  }
  resume_all(woken);
  if (!next) return end_turn();  // the end, if that is what it was for, has to be made here
  in_place_ = true;
  bool const goes_on = after(std::move(next), why);
  in_place_ = false;
  if (!goes_on) return false;
  std::lock_guard hold(mutex_);
  return core_.end_turn();
}

}  // namespace tokengate::detail
