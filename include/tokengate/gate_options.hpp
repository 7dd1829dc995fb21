// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace tokengate {

/// Whether a gate keeps its loop awake while tokens are out, polling for their results instead of
/// letting the loop sleep. Saves the worker the cost of waking the loop and the token the time of
/// it; costs the loop's core meanwhile. Sockets get their turn between two polls.
enum class hot_drain : std::uint8_t {
  automatic,  ///< while results are expected within `hot_limit` and a usable core is left for it
  off,        ///< never: every result wakes the loop
  always      ///< while tokens are out, whatever the cores
};

/// Bounds and policies of one gate. Trivially destructible, see token_options.
struct gate_options {
  /// Admitted tokens that may wait for a worker, per lane.
  std::size_t backlog = 4096;
  /// Tokens that may wait for a place in the backlog, per lane. Beyond it they are rejected; those
  /// in which actors, subscriptions and pipelines do their work wait all the same, as they are
  /// bounded there.
  std::size_t waiting = 65536;
  /// Handlers delivered in one turn of the loop, and the time after which the rest is left to the
  /// next turn (or to another thread that runs the loop).
  unsigned drain_budget = 64;
  std::chrono::nanoseconds drain_time = std::chrono::microseconds(200);
  hot_drain hot = hot_drain::automatic;
  /// The longest the loop stays hot without a result.
  std::chrono::nanoseconds hot_limit = std::chrono::microseconds(300);
};

static_assert(std::is_trivially_destructible_v<gate_options>);

}  // namespace tokengate
