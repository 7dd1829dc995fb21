// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tokengate/event_bus_options.hpp"

namespace tokengate {

/// The books of one subscription. offered = handled + failed + dropped + undelivered + queued +
/// held_back + running. Plain values, read under one short lock: they add up.
struct subscription_snapshot {
  std::string name{};
  std::string pattern{};  ///< empty for the topic of the type itself
  std::string kind{};     ///< "loop", "coroutine", "lane" or "stream"
  full_policy when_full = full_policy::wait;
  std::uint64_t capacity = 0;

  std::uint64_t offered = 0;  ///< events of matching topics while it was open
  std::uint64_t handled = 0;  ///< its handler returned, or its reader took it
  std::uint64_t failed = 0;   ///< its handler threw
  std::uint64_t dropped = 0;  ///< by its full_policy
  std::uint64_t undelivered =
      0;  ///< given up when it ended, or by the publisher that was held back
  std::uint64_t queued = 0;
  std::uint64_t held_back = 0;  ///< publishers that wait for a place in its queue
  std::uint64_t running = 0;    ///< calls of its handler that have not returned

  double behind_ns = 0;  ///< age of the oldest event in its queue
  // Of handlers; 0 for a stream, whose readers come for their events.
  double lag_mean_ns = 0;  ///< from publishing, or subscribing if that came later, to the handler
  double lag_max_ns = 0;
  double handler_mean_ns = 0;
  double handler_max_ns = 0;
  bool closed = false;        ///< takes no more events
  bool disconnected = false;  ///< by full_policy::disconnect
};

/// One topic that somebody has a handle of, that is sticky, or that was used of late.
struct topic_snapshot {
  std::string type{};     ///< as the compiler names it
  std::string subject{};  ///< empty for the topic of the type itself
  std::uint64_t published = 0;
  std::uint64_t subscribers = 0;
  bool sticky = false;
  bool has_last = false;  ///< sticky, and something was published
};

struct event_bus_snapshot {
  std::vector<topic_snapshot> topics{};
  std::vector<subscription_snapshot> subscriptions{};
  bool closed = false;
};

/// As to_json(gate_snapshot const&).
std::string to_json(event_bus_snapshot const& snapshot);
std::string to_json(subscription_snapshot const& snapshot);

}  // namespace tokengate
