// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <mutex>
#include <utility>

#include "tokengate/detail/block_pool.hpp"
#include "tokengate/detail/bus_core.hpp"
#include "tokengate/detail/tick_clock.hpp"

namespace tokengate::detail {

membership* membership::make(topic_record& topic, subscriber& who) {
  return ::new (block_allocator<membership>{}.allocate(1)) membership(topic, who);
}
void membership::free(membership* gone) noexcept {
  gone->~membership();
  block_allocator<membership>{}.deallocate(gone, 1);
}

void bus_core::subscribe(type_space& space, ref<subscriber> who, std::string_view pattern) {
  publish_round round;  // ends outside the lock
  std::lock_guard hold(space.mutex);
  who->space = &space;
  who->pattern = pattern;
  who->since = tick_clock::now();
  who->number = ++space.subscriptions;
  if (space.closed) {
    std::lock_guard also(who->mutex);
    return who->core.end(round.after);
  }
  intrusive_list<membership, type_space> joins;
  auto const join = [&](topic_record& topic) { joins.push_back(*membership::make(topic, *who)); };
  try {
    space.listed.reserve(space.listed.size() + 1);
    if (is_literal(pattern)) {
      if (auto const found = space.topics.find(pattern); found != space.topics.end())
        join(*found->second);
    } else {
      for (auto const& [subject, topic] : space.topics)
        if (matches(pattern, subject)) join(*topic);
    }
    space.patterns.insert(pattern, who.get());
  } catch (...) {
    while (membership* const one = joins.pop_front()) membership::free(one);
    throw;
  }
  who->memberships.splice_back(joins);
  who->memberships.for_each([&](membership& one) {
    std::lock_guard also(one.topic->mutex);
    one.topic->members.push_back(one);
    event_base* const last = one.topic->last.get();
    if (last == nullptr) return;
    std::lock_guard own(who->mutex);
    last->add_refs();
    if (last->ledger.tracks_ends()) last->ledger.expect();
    auto const result = who->core.offer(*last, false, round.after);
    if (result.what == subscriber_core::taken::full) who->core.refuse();
    if (result.what != subscriber_core::taken::accepted)
      round.after.settle(*last, delivery_end::dropped);
    if (result.wake) round.wake(*who);
  });
  who->routed = who->listed = true;
  space.listed.push_back(who.release());
}

/// Under the mutex of the space.
void bus_core::unroute(type_space& space, subscriber& who) noexcept {
  if (!std::exchange(who.routed, false)) return;
  space.patterns.remove(who.pattern, &who);
  while (membership* const one = who.memberships.pop_front()) {
    {
      std::lock_guard hold(one->topic->mutex);
      one->topic->members.remove(*one);
    }
    membership::free(one);
  }
}

void bus_core::end(type_space& space, subscriber& who) noexcept {
  publish_round round;
  {
    std::lock_guard hold(who.mutex);
    who.core.end(round.after);
  }
  ref<subscriber> own;
  {
    std::lock_guard hold(space.mutex);
    unroute(space, who);
    if (std::exchange(who.listed, false)) {
      std::erase(space.listed, &who);
      own = ref<subscriber>::adopt(&who);
    }
  }
  who.left();
  run(round);
}

}  // namespace tokengate::detail
