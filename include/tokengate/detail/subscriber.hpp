// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tokengate/detail/ref_counted.hpp"
#include "tokengate/detail/short_mutex.hpp"
#include "tokengate/detail/subscriber_core.hpp"

namespace tokengate::detail {

struct topic_record;
struct type_space;
class publish_round;

/// A subscriber in the list of one topic.
struct membership : list_hook<topic_record>, list_hook<type_space> {
  membership(topic_record& topic, class subscriber& who) noexcept : topic(&topic), who(&who) {}
  /// May throw bad_alloc.
  [[nodiscard]] static membership* make(topic_record& topic, class subscriber& who);
  static void free(membership* gone) noexcept;
  topic_record* topic;
  subscriber* who;
  bool reserved = false;  ///< under the topic's lock: a place was taken for an offer to come
};

/// A subscription: its core with its lock, and the way to its handler, which derived types know.
///
/// Invariants
///  - `core` is under `mutex`. The fields behind it are under the mutex of the type space.
///  - A runner that is scheduled holds a reference. It is added by whoever the core tells to wake
///    the subscriber, after the locks were let go, and given up by the derived type.
///  - It goes only after end(): then nothing is queued and nobody is held back in it.
class subscriber : public ref_counted {
 public:
  struct traits {
    std::string_view kind;      ///< for people; a literal
    std::uint32_t concurrency;  ///< handlers at a time; subscriber_core::no_handler for a stream
  };

  subscriber(subscription_options const& options, traits of)
      : core(options.capacity, options.when_full, of.concurrency),
        kind(of.kind),
        name(options.name) {}
  ~subscriber() override;

  /// The core told to run it. A reference comes with the call. No lock is held.
  virtual void wake() noexcept = 0;
  /// Wakes this one and, in one go, as many of those behind it in the round as it can. The first
  /// that is left.
  [[nodiscard]] virtual subscriber* wake_some() noexcept {
    subscriber* const rest = next_in_round;
    wake();
    return rest;
  }
  /// What runs it, where that may run others with it; else null.
  [[nodiscard]] virtual void const* turns() const noexcept { return nullptr; }
  /// The subscription has ended: gives up what ties it to a context. No lock is held; may be called
  /// again.
  virtual void left() noexcept {}

  /// From when on an event is late here: a sticky one may be older than the subscription.
  [[nodiscard]] std::uint64_t due(event_base const& event) const noexcept {
    return event.published_at > since ? event.published_at : since;
  }

  mutable short_mutex mutex;
  subscriber_core core;
  std::string_view const kind;
  std::string const name;

  type_space* space = nullptr;  ///< constant once subscribed
  std::uint64_t since = 0;      ///< ticks; so is the moment of subscription

  // Under the mutex of the type space.
  std::string pattern{};
  intrusive_list<membership, type_space> memberships{};
  std::uint64_t number = 0;  ///< in the order of subscription
  bool routed = false;       ///< in the trie and in the lists of topics
  bool listed = false;       ///< in the list of subscriptions, with a reference

  subscriber* next_in_round = nullptr;      ///< for whoever made it scheduled, until it runs
  subscriber* next_disconnected = nullptr;  ///< for whoever disconnected it
};

}  // namespace tokengate::detail
