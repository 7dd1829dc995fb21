// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/topic_record.hpp"

#include <cassert>
#include <mutex>

#include "tokengate/detail/fault_point.hpp"
#include "tokengate/detail/tick_clock.hpp"

namespace tokengate::detail {

subscriber::~subscriber() {
  assert(core.queued() == 0 && core.held() == 0 && memberships.empty());
}

topic_record::~topic_record() {
  assert(members.empty());
}

void publish_round::wake(subscriber& one) noexcept {
  one.add_ref();
  one.next_in_round = nullptr;
  *wake_end_ = &one;
  wake_end_ = &one.next_in_round;
}

void publish_round::disconnected(subscriber& one) noexcept {
  one.add_ref();
  one.next_disconnected = disconnected_;
  disconnected_ = &one;
}

ref<subscriber> publish_round::take_disconnected() noexcept {
  subscriber* const one = disconnected_;
  if (one != nullptr) disconnected_ = one->next_disconnected;
  return ref<subscriber>::adopt(one);
}

void publish_round::run() noexcept {
  while (to_wake_ != nullptr) to_wake_ = to_wake_->wake_some();
  wake_end_ = &to_wake_;
  while (take_disconnected()) {
  }
  after.run();
}

void topic_record::offer_to(membership& one, event_base& event, publish_round& round,
                            publish_result& sum, std::uint32_t& unused, bool may_hold) noexcept {
  using taken = subscriber_core::taken;
  subscriber& to = *one.who;
  bool const tracked = event.ledger.tracks_ends();
  if (tracked) event.ledger.expect();
  subscriber_core::offer_result result;
  {
    std::lock_guard hold(to.mutex);
    result = to.core.offer(event, std::exchange(one.reserved, false), round.after);
    if (result.what == taken::full && may_hold) {
      try {
        held_delivery& publisher = event.make_held();
        event.ledger.held(publisher.owner, &to);
        to.core.hold(publisher);
        ++sum.held;
      } catch (...) {
        to.core.refuse();
        sum.no_memory = true;
        result.what = taken::dropped;
      }
    }
  }
  TOKENGATE_FAULT_POINT("bus: offered");
  if (result.wake) round.wake(to);
  switch (result.what) {
    case taken::accepted:
      ++sum.accepted;
      return;
    case taken::full:
      if (may_hold) return;
      sum.is = publish_result::state::full;
      ++unused;
      return;
    case taken::disconnected:
      round.disconnected(to);
      [[fallthrough]];
    case taken::dropped:
      ++unused;
      if (tracked) round.after.wake(event.ledger.ended(delivery_end::dropped, nullptr));
      return;
    case taken::closed:
      ++unused;
      if (tracked) event.ledger.expect_not();
      return;
  }
}

/// A topic with one subscriber needs no reservations: that one has a place or not.
publish_result topic_record::try_only(event_base& event, publish_round& round) noexcept {
  publish_result sum;
  std::uint32_t unused = 0;
  event.add_refs();
  offer_to(*members.front(), event, round, sum, unused, false);
  if (unused != 0) round.after.release(event, unused);
  if (sum.is == publish_result::state::done) note_published(event, round);
  return sum;
}

void topic_record::stamp(event_base& event) noexcept {
  event.subject = name;
  event.published_at = tick_clock::now();
}

void topic_record::note_published(event_base& event, publish_round& round) noexcept {
  ++published;
  if (sticky) {
    event.add_refs();
    if (event_base* const before = last.release()) round.after.release(*before);
    last = event_ref(&event);
  }
}

publish_result topic_record::offer(event_base& event, publish_round& round) noexcept {
  publish_result sum;
  note_published(event, round);
  // All references at once; those that nobody took are given back below.
  auto const count = static_cast<std::uint32_t>(members.size());
  if (count == 0) return sum;
  event.add_refs(count);
  std::uint32_t unused = 0;
  members.for_each([&](membership& one) { offer_to(one, event, round, sum, unused, true); });
  if (unused != 0) round.after.release(event, unused);
  return sum;
}

publish_result topic_record::publish(event_base& event, publish_round& round) noexcept {
  std::lock_guard hold(mutex);
  if (detached) return {publish_result::state::detached};
  if (closed) return {publish_result::state::closed};
  stamp(event);
  return offer(event, round);
}

publish_result topic_record::try_publish(event_base& event, publish_round& round) noexcept {
  std::lock_guard hold(mutex);
  if (detached) return {publish_result::state::detached};
  if (closed) return {publish_result::state::closed};
  stamp(event);
  if (members.size() == 1) return try_only(event, round);
  if (!reserve_all(round)) return {publish_result::state::full};
  return offer(event, round);
}

bool topic_record::reserve_all(publish_round& round) noexcept {
  using reservation = subscriber_core::reservation;
  bool full = false;
  members.for_each([&](membership& one) {
    if (full || one.who->core.when_full() != full_policy::wait) return;
    std::lock_guard hold(one.who->mutex);
    auto const got = one.who->core.reserve();
    one.reserved = got == reservation::made;
    full = got == reservation::full;
  });
  if (!full) return true;
  members.for_each([&](membership& one) {
    if (!one.reserved) return;
    one.reserved = false;
    bool wake = false;
    {
      std::lock_guard hold(one.who->mutex);
      wake = one.who->core.unreserve(round.after);
    }
    if (wake) round.wake(*one.who);
  });
  return false;
}

}  // namespace tokengate::detail
