// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "tokengate/weight.hpp"

namespace tokengate {

/// What a subscription does with an event for which its queue has no place.
enum class full_policy : std::uint8_t {
  wait,         ///< the publisher is held back until there is a place; nothing is lost
  drop_oldest,  ///< the oldest event in the queue goes, the new one is taken
  drop_newest,  ///< the new event goes
  latest,       ///< the queue has one place, and the newest event is in it
  disconnect    ///< the new event goes, and the subscription ends once its queue is handled
};

[[nodiscard]] std::string_view to_string(full_policy policy) noexcept;

/// How a subscription takes its events. An aggregate for designated initialisers, trivially
/// destructible on purpose, see token_options.
struct subscription_options {
  /// For snapshots and logs; copied. On a gate, of a kind of subscription and not of each one: it
  /// is that of an operation there, see gate::define().
  std::string_view name{};

  /// The most events that wait in its queue; those that are being handled are not in it. At least
  /// one. Of no effect with full_policy::latest.
  std::size_t capacity = 256;

  full_policy when_full = full_policy::wait;

  /// On a gate only: the lane its handler runs on.
  tokengate::weight weight = tokengate::weight::medium;

  /// On a gate only: the most calls of the handler at a time. 0: one after another, in order; with
  /// by_key() that holds for the events of a key, and up to 64 keys run beside each other. More
  /// than one without a key gives the order up.
  std::uint32_t concurrency = 0;
};

/// How a topic treats its events.
struct topic_options {
  /// The topic keeps its last event, and gives it to each subscriber that comes later, first of
  /// all. It is kept until topic::forget() or the end of the bus, also when no handle to the topic
  /// is left.
  bool sticky = false;
};

/// Bounds of a bus.
struct event_bus_options {
  /// The most topics per type that are remembered although nobody holds a handle of theirs: a cache
  /// for publishing by subject.
  std::size_t cached_topics = 1024;

  /// The most sticky topics per type.
  std::size_t sticky_topics = 65536;
};

static_assert(std::is_trivially_destructible_v<subscription_options>);
static_assert(std::is_trivially_destructible_v<topic_options>);
static_assert(std::is_trivially_destructible_v<event_bus_options>);

}  // namespace tokengate
