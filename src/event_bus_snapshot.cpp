// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/event_bus_snapshot.hpp"

#include <mutex>

#include "json_writer.hpp"
#include "tokengate/detail/bus_core.hpp"
#include "tokengate/detail/tick_clock.hpp"

namespace tokengate {

std::string_view to_string(full_policy policy) noexcept {
  switch (policy) {
    case full_policy::wait:
      return "wait";
    case full_policy::drop_oldest:
      return "drop_oldest";
    case full_policy::drop_newest:
      return "drop_newest";
    case full_policy::latest:
      return "latest";
    case full_policy::disconnect:
      return "disconnect";
  }
  return "unknown";
}

namespace detail {
namespace {

void write(json_writer& out, subscription_snapshot const& one) {
  out.object([&] {
    out.field("name", one.name);
    out.field("pattern", one.pattern);
    out.field("kind", one.kind);
    out.field("when_full", to_string(one.when_full));
    out.field("capacity", one.capacity);
    out.field("offered", one.offered);
    out.field("handled", one.handled);
    out.field("failed", one.failed);
    out.field("dropped", one.dropped);
    out.field("undelivered", one.undelivered);
    out.field("queued", one.queued);
    out.field("held_back", one.held_back);
    out.field("running", one.running);
    out.field("behind_ns", one.behind_ns);
    out.field("lag_mean_ns", one.lag_mean_ns);
    out.field("lag_max_ns", one.lag_max_ns);
    out.field("handler_mean_ns", one.handler_mean_ns);
    out.field("handler_max_ns", one.handler_max_ns);
    out.field("closed", one.closed);
    out.field("disconnected", one.disconnected);
  });
}

void write(json_writer& out, topic_snapshot const& one) {
  out.object([&] {
    out.field("type", one.type);
    out.field("subject", one.subject);
    out.field("published", one.published);
    out.field("subscribers", one.subscribers);
    out.field("sticky", one.sticky);
    out.field("has_last", one.has_last);
  });
}

double mean(std::uint64_t sum, std::uint64_t count) noexcept {
  return count == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(count);
}

}  // namespace

subscription_snapshot snapshot_of(subscriber const& who, std::string_view pattern) {
  subscription_snapshot one;
  one.name = who.name;
  one.pattern = pattern;
  one.kind = who.kind;
  double const tick = tick_clock::ns_per_tick();
  std::lock_guard hold(who.mutex);
  subscriber_core const& core = who.core;
  subscriber_counts const& counts = core.counts();
  one.when_full = core.when_full();
  one.capacity = core.capacity();
  one.offered = counts.offered;
  one.handled = counts.handled;
  one.failed = counts.failed;
  one.dropped = counts.dropped;
  one.undelivered = counts.undelivered;
  one.queued = core.queued();
  one.held_back = core.held();
  one.running = core.running();
  if (event_base const* oldest = core.oldest())
    one.behind_ns =
        tick * static_cast<double>(tick_clock::elapsed(who.due(*oldest), tick_clock::now()));
  one.lag_mean_ns = tick * mean(counts.lag_sum, counts.calls);
  one.lag_max_ns = tick * static_cast<double>(counts.lag_max);
  one.handler_mean_ns = tick * mean(counts.run_sum, counts.calls);
  one.handler_max_ns = tick * static_cast<double>(counts.run_max);
  one.closed = core.closed();
  one.disconnected = core.disconnected();
  return one;
}

void bus_core::read_into(event_bus_snapshot& all) {
  all.closed = closed();
  for_each_space([&](type_space& space) {
    std::lock_guard hold(space.mutex);
    for (auto const& [subject, topic] : space.topics) {
      topic_snapshot& one = all.topics.emplace_back();
      one.type = space.type.name();
      one.subject = subject;
      std::lock_guard also(topic->mutex);
      one.published = topic->published;
      one.subscribers = topic->members.size();
      one.sticky = topic->sticky;
      one.has_last = static_cast<bool>(topic->last);
    }
    for (subscriber const* each : space.listed)
      all.subscriptions.push_back(snapshot_of(*each, each->pattern));
  });
}

}  // namespace detail

std::string to_json(event_bus_snapshot const& snapshot) {
  detail::json_writer out;
  out.object([&] {
    out.field("closed", snapshot.closed);
    out.key("topics").array([&] {
      for (auto const& each : snapshot.topics) detail::write(out, each);
    });
    out.key("subscriptions").array([&] {
      for (auto const& each : snapshot.subscriptions) detail::write(out, each);
    });
  });
  return std::move(out).take();
}

std::string to_json(subscription_snapshot const& snapshot) {
  detail::json_writer out;
  detail::write(out, snapshot);
  return std::move(out).take();
}

}  // namespace tokengate
