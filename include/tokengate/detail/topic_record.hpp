// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tokengate/detail/subscriber.hpp"

namespace tokengate::detail {

/// What publishing leaves to be done without locks: runners to start, parties to wake, events to
/// destroy, subscriptions to take out of the topics.
class publish_round {
 public:
  publish_round() = default;
  publish_round(publish_round const&) = delete;
  publish_round& operator=(publish_round const&) = delete;
  ~publish_round() { run(); }

  void wake(subscriber& one) noexcept;
  void disconnected(subscriber& one) noexcept;
  void run() noexcept;
  /// The next subscription that was disconnected; empty when there is none. Before run().
  [[nodiscard]] ref<subscriber> take_disconnected() noexcept;

  aftermath after;

 private:
  subscriber* to_wake_ = nullptr;
  subscriber** wake_end_ = &to_wake_;
  subscriber* disconnected_ = nullptr;
};

/// What became of an offer to all subscribers of a topic.
struct publish_result {
  enum class state : std::uint8_t { done, full, closed, detached };
  state is = state::done;
  std::size_t accepted = 0;
  std::size_t held = 0;
  bool no_memory = false;  ///< a publisher could not be held back: the event was dropped there
};

/// One subject of one type: who gets its events, and the last one where it is sticky.
///
/// Invariants
///  - Under `mutex`: members, last, closed, detached, published. An event is offered to all members
///    under it, so all subscribers of a topic see its events in one order, and a subscriber that
///    comes later sees the last one and then all that follow.
///  - Under the mutex of the type space: handles, sticky (written under both), cached hook.
///  - Order of locks: type space, topic, subscriber, ledger of an event. Nothing of the user is
///    called under any of them.
struct topic_record : ref_counted, list_hook<> {
  explicit topic_record(std::string_view subject) : name(new subject_text(subject)) {}
  ~topic_record() override;

  /// Offers an event to all; a subscriber without a place holds it back.
  [[nodiscard]] publish_result publish(event_base& event, publish_round& round) noexcept;
  /// Offers an event to all, or to none when one would hold it back.
  [[nodiscard]] publish_result try_publish(event_base& event, publish_round& round) noexcept;

  ref<subject_text> const name;
  mutable short_mutex mutex;
  intrusive_list<membership, topic_record> members{};
  event_ref last{};
  std::uint64_t published = 0;
  std::size_t handles = 0;
  bool sticky = false;
  bool closed = false;
  bool detached = false;  ///< forgotten: who found it has to look again

 private:
  [[nodiscard]] bool reserve_all(publish_round& round) noexcept;
  void offer_to(membership& one, event_base& event, publish_round& round, publish_result& sum,
                std::uint32_t& unused, bool may_hold) noexcept;
  void stamp(event_base& event) noexcept;
  void note_published(event_base& event, publish_round& round) noexcept;
  [[nodiscard]] publish_result try_only(event_base& event, publish_round& round) noexcept;
  [[nodiscard]] publish_result offer(event_base& event, publish_round& round) noexcept;
};

}  // namespace tokengate::detail
