// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/subscriber_core.hpp"

#include <algorithm>
#include <utility>

namespace tokengate::detail {

auto subscriber_core::offer(event_base& event, bool reserved, aftermath& after) noexcept
    -> offer_result {
  if (reserved && reserved_ != 0) --reserved_;
  if (closed()) return {taken::closed};
  // A reader that waits takes it before the queue sees it.
  if (!has_room() && readers_.empty() && !reserved) {
    switch (when_full_) {
      case full_policy::wait:
        return {taken::full, schedule()};
      case full_policy::drop_newest:
        refuse();
        return {taken::dropped};
      case full_policy::disconnect:
        refuse();
        disconnected_ = true;
        close(after);
        return {taken::disconnected};
      case full_policy::drop_oldest:
      case full_policy::latest:
        if (queued() == 0) {  // all places are reserved
          ++counts_.offered;
          refuse();
          return {taken::dropped};
        }
        do {  // more than one, where readers have given some back
          ++counts_.dropped;
          after.settle(pop_oldest(), delivery_end::dropped);
        } while (!has_room() && queued() != 0);
    }
  } else if (!held_.empty() && !reserved) {
    return {taken::full, schedule()};
  }
  if (readers_.empty() && !queue_.make_room()) {
    refuse();
    if (reserved) admit_held(after);  // its place is free again
    return {taken::dropped, schedule()};
  }
  ++counts_.offered;
  push(event, after);
  if (reserved) admit_held(after);  // a reader may have taken it, and left the place free
  return {taken::accepted, schedule()};
}

void subscriber_core::hold(held_delivery& publisher) noexcept {
  ++counts_.offered;
  held_.push_back(publisher);
}

auto subscriber_core::reserve() noexcept -> reservation {
  if (closed() || when_full_ != full_policy::wait) return reservation::not_needed;
  if (!has_room() || !held_.empty()) return reservation::full;
  ++reserved_;
  return reservation::made;
}

bool subscriber_core::unreserve(aftermath& after) noexcept {
  if (reserved_ != 0) --reserved_;
  if (!closed()) admit_held(after);
  return schedule();
}

bool subscriber_core::cancel(held_delivery& publisher, aftermath& after) noexcept {
  if (!publisher.linked()) return false;
  held_.remove(publisher);
  let_go(publisher, after);
  return true;
}

event_base* subscriber_core::take(aftermath& after) noexcept {
  if (ended() || queue_.empty() || running_ >= concurrency_) {
    scheduled_ = false;
    return nullptr;
  }
  ++running_;
  return &pop(after);
}

bool subscriber_core::finish(event_base& event, bool well, std::exception_ptr error,
                             std::uint64_t lag, std::uint64_t run, aftermath& after) noexcept {
  --running_;
  ++(well ? counts_.handled : counts_.failed);
  ++counts_.calls;
  counts_.lag_sum += lag;
  counts_.lag_max = std::max(counts_.lag_max, lag);
  counts_.run_sum += run;
  counts_.run_max = std::max(counts_.run_max, run);
  after.settle(event, well ? delivery_end::handled : delivery_end::failed, std::move(error));
  wake_idle(after);
  return schedule();
}

bool subscriber_core::begin(event_base& event, aftermath& after) noexcept {
  if (!ended()) return true;
  --running_;
  ++counts_.undelivered;
  after.settle(event, delivery_end::undelivered);
  wake_idle(after);
  return false;
}

bool subscriber_core::rest() noexcept {
  scheduled_ = false;
  return schedule();
}

bool subscriber_core::schedule() noexcept {
  if (scheduled_ || ended() || queue_.empty() || running_ >= concurrency_) return false;
  return scheduled_ = true;
}

void subscriber_core::push(event_base& event, aftermath& after) noexcept {
  if (waiter* const next = readers_.pop_front()) {
    ++counts_.handled;
    return give(*next, event, ++fetched_, after);
  }
  queue_.push(event);
}

void subscriber_core::give(waiter& to, event_base& event, std::uint64_t ticket,
                           aftermath& after) noexcept {
  auto& reader = static_cast<stream_reader&>(to);
  reader.outcome = wait_outcome::done;
  reader.event = &event;
  reader.ticket = ticket;
  after.wake(&to);
}

event_base& subscriber_core::pop(aftermath& after) noexcept {
  event_base& event = pop_oldest();
  admit_held(after);
  return event;
}

void subscriber_core::admit_held(aftermath& after) noexcept {
  while (!held_.empty() && has_room()) {
    held_delivery& publisher = *held_.pop_front();
    event_base& event = *publisher.event;
    if (readers_.empty() && !queue_.make_room()) {
      let_go(publisher, after);
      continue;
    }
    // Before it is in the queue: then the event, and the publisher in it, may be gone.
    after.wake(event.ledger.admitted(publisher.owner));
    push(event, after);
  }
}

bool subscriber_core::read(stream_reader& reader, aftermath& after) noexcept {
  reader.event = fetch(reader.ticket, after);
  reader.outcome = wait_outcome::done;
  if (reader.event != nullptr) return true;
  if (closed()) {
    reader.outcome = wait_outcome::closed;
    return true;
  }
  readers_.push_back(reader);
  return false;
}

event_base* subscriber_core::try_read(aftermath& after) noexcept {
  std::uint64_t ticket = 0;
  event_base* const event = fetch(ticket, after);
  if (event != nullptr && event->ledger.tracks_ends())
    after.wake(event->ledger.ended(delivery_end::handled, nullptr));
  return event;
}

event_base* subscriber_core::fetch(std::uint64_t& ticket, aftermath& after) noexcept {
  if (ended() || queued() == 0) return nullptr;
  ticket = beside_ == 0 ? ++fetched_ : returned_.front_number();
  event_base& event = pop(after);
  ++counts_.handled;
  wake_idle(after);
  return &event;
}

bool subscriber_core::retract(stream_reader& reader, aftermath& after) noexcept {
  if (reader.linked() || reader.event == nullptr || ended()) return false;
  event_base& event = *reader.event;
  auto const is_older = [&] {
    return !queue_.empty() || (beside_ != 0 && returned_.front_number() > reader.ticket);
  };
  if (waiter* const next = readers_.pop_front()) {
    give(*next, event, reader.ticket, after);
  } else if (when_full_ == full_policy::latest && is_older()) {
    --counts_.handled;
    ++counts_.dropped;
    after.settle(event, delivery_end::dropped);
  } else {
    if (when_full_ == full_policy::latest && beside_ != 0) {
      ++counts_.dropped;
      after.settle(pop_oldest(), delivery_end::dropped);
    }
    if (!returned_.put(reader.ticket, &event)) return false;
    ++beside_;
    --counts_.handled;
  }
  reader.event = nullptr;
  return true;
}

bool subscriber_core::cancel(stream_reader& reader) noexcept {
  if (!reader.linked()) return false;
  readers_.remove(reader);
  return true;
}

void subscriber_core::let_go(held_delivery& publisher, aftermath& after) noexcept {
  ++counts_.undelivered;
  after.wake(publisher.event->ledger.let_go(publisher.owner));
  after.release(*publisher.event);
}

void subscriber_core::close(aftermath& after) noexcept {
  if (closed()) return;
  state_ = state::closing;
  while (held_delivery* const publisher = held_.pop_front()) let_go(*publisher, after);
  while (waiter* const reader = readers_.pop_front()) {
    reader->outcome = wait_outcome::closed;
    after.wake(reader);
  }
  wake_idle(after);
}

void subscriber_core::end(aftermath& after) noexcept {
  close(after);
  if (ended()) return;
  state_ = state::ended;
  counts_.undelivered += queued();
  while (queued() != 0) after.settle(pop_oldest(), delivery_end::undelivered);
  wake_idle(after);
}

bool subscriber_core::when_idle(waiter& by) noexcept {
  if (over()) return true;
  idle_waiters_.push_back(by);
  return false;
}

bool subscriber_core::cancel(waiter& by) noexcept {
  if (!by.linked()) return false;
  idle_waiters_.remove(by);
  return true;
}

}  // namespace tokengate::detail
