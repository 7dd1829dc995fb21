// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "tokengate/weight.hpp"

namespace tokengate {

/// What happens to a message that finds the mailbox of an actor full.
enum class full_mailbox : std::uint8_t {
  wait,        ///< async_tell and ask wait for a place, in order; tell returns false
  reject,      ///< it is refused: error::backlog_full, or false from tell
  drop_oldest  ///< the oldest message that nobody waits for is dropped and counted; if there is
               ///< none, it is refused
};

/// What happens to an actor when the handler of a message throws.
enum class on_actor_failure : std::uint8_t {
  restart,  ///< the state is destroyed and built anew; the mailbox is kept. More than max_restarts
            ///< in restart_period: as escalate
  resume,   ///< the state is kept as the handler left it
  stop,     ///< the actor ends; its join completes without an error
  escalate  ///< the actor ends; its join gives the exception to the supervisor
};

/// How an actor lives. Trivially destructible, see token_options.
struct actor_options {
  /// The name in statistics and logs: of a kind of actor, not of each one, since on a gate it is
  /// that of an operation, see gate::define(). Only viewed: a string literal always lives long
  /// enough.
  std::string_view name{"actor"};
  /// The lane of its turns, for an actor on a gate.
  tokengate::weight weight = tokengate::weight::light;
  /// Messages that wait in the mailbox, and what happens beyond.
  std::size_t mailbox = 1024;
  full_mailbox when_full = full_mailbox::wait;
  on_actor_failure on_failure = on_actor_failure::restart;
  /// Restarts within restart_period before the actor gives up; more than 4096: it never does.
  std::size_t max_restarts = 5;
  std::chrono::nanoseconds restart_period = std::chrono::seconds(10);
  /// An exception from an ask is an answer: it goes to who asked, and the state is kept. With this
  /// it counts as a failure of the actor as well.
  bool failed_ask_counts = false;
  /// Messages handled in one turn before the lane, or the loop, is given to others.
  std::size_t batch = 64;
};

static_assert(std::is_trivially_destructible_v<actor_options>);

/// The books of an actor at one moment.
/// accepted = handled + dropped + withdrawn + queued + (running ? 1 : 0)
struct actor_snapshot {
  std::uint64_t accepted = 0;   ///< messages that entered the mailbox
  std::uint64_t handled = 0;    ///< their handler was called and returned or threw
  std::uint64_t failed = 0;     ///< failures: of handlers, and of building the state
  std::uint64_t dropped = 0;    ///< accepted, and given up for a newer one or by the actor's end
  std::uint64_t withdrawn = 0;  ///< asks that were cancelled, or too late, before their turn
  std::uint64_t rejected = 0;   ///< never accepted; not those that came after close() or stop()
  std::uint64_t restarts = 0;
  std::uint64_t queued = 0;
  std::uint64_t waiting = 0;  ///< for a place in the mailbox
  std::uint64_t most_queued = 0;
  bool running = false;  ///< a handler is running
  bool closed = false;
  bool ended = false;  ///< the state is destroyed
};

}  // namespace tokengate
