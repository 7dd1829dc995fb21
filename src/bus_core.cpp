// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/bus_core.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace tokengate::detail {

bus_core::~bus_core() {
  stop();
}

type_space& bus_core::space_of(std::type_index type) {
  std::lock_guard hold(mutex_);
  auto& space = spaces_[type];
  if (space == nullptr) {
    space = std::make_unique<type_space>(type);
    space->closed = closed();
    space->next = std::exchange(first_, space.get());
  }
  return *space;
}

// -- topics ---------------------------------------------------------------------------------------

/// Under the mutex of the space: a new topic, without handles, with all who match it.
topic_record& bus_core::make(type_space& space, std::string_view subject) {
  ref<topic_record> made(new topic_record(subject));
  made->closed = space.closed;
  try {
    std::vector<subscriber*> all;
    space.patterns.match(subject, [&](subscriber* each) { all.push_back(each); });
    std::ranges::sort(all, {}, &subscriber::number);
    for (subscriber* each : all) {
      membership* const one = membership::make(*made, *each);
      made->members.push_back(*one);
      each->memberships.push_back(*one);
    }
    space.topics.emplace(made->name->text, made);
  } catch (...) {
    detach(space, *made);
    throw;
  }
  return *made;
}

/// Under the mutex of the space: a topic that is remembered, and now in use; else an empty ref.
ref<topic_record> bus_core::look_up(type_space& space, std::string_view subject) noexcept {
  auto const found = space.topics.find(subject);
  if (found == space.topics.end()) return {};
  topic_record& topic = *found->second;
  if (topic.linked()) {
    space.cached.remove(topic);
    space.cached.push_back(topic);
  }
  return found->second;
}

ref<topic_record> bus_core::known(type_space& space, std::string_view subject) noexcept {
  std::lock_guard hold(space.mutex);
  return look_up(space, subject);
}

ref<topic_record> bus_core::find(type_space& space, std::string_view subject) {
  std::lock_guard hold(space.mutex);
  if (auto found = look_up(space, subject)) return found;
  ref<topic_record> made(&make(space, subject));
  space.cached.push_back(*made);
  trim(space);
  return made;
}

ref<topic_record> bus_core::open(type_space& space, std::string_view subject, bool sticky) {
  std::lock_guard hold(space.mutex);
  auto const found = space.topics.find(subject);
  bool const known = found != space.topics.end();
  if (sticky && !(known && found->second->sticky)) {
    if (space.sticky_topics == options_.sticky_topics)
      throw std::length_error("tokengate: too many sticky topics");
  }
  ref<topic_record> topic = known ? found->second : ref<topic_record>(&make(space, subject));
  if (topic->linked()) space.cached.remove(*topic);
  ++topic->handles;
  if (sticky && !topic->sticky) {
    ++space.sticky_topics;
    std::lock_guard also(topic->mutex);
    topic->sticky = true;
  }
  return topic;
}

void bus_core::add_handle(type_space& space, topic_record& topic) noexcept {
  std::lock_guard hold(space.mutex);
  ++topic.handles;
}

void bus_core::drop_handle(type_space& space, topic_record& topic) noexcept {
  std::lock_guard hold(space.mutex);
  if (--topic.handles != 0 || topic.sticky || topic.detached) return;
  space.cached.push_back(topic);
  trim(space);
}

void bus_core::forget(type_space& space, topic_record& topic) noexcept {
  event_ref gone;  // ends outside the locks
  std::lock_guard hold(space.mutex);
  std::lock_guard also(topic.mutex);
  std::swap(gone, topic.last);
}

/// Under the mutex of the space.
void bus_core::trim(type_space& space) noexcept {
  // One at least: the topic that was just asked for.
  while (space.cached.size() > std::max<std::size_t>(options_.cached_topics, 1)) {
    ref<topic_record> const gone(space.cached.pop_front());
    space.topics.erase(gone->name->text);
    detach(space, *gone);
  }
}

/// Under the mutex of the space: takes all members out of a topic that is forgotten.
void bus_core::detach(type_space&, topic_record& topic) noexcept {
  std::lock_guard hold(topic.mutex);
  topic.detached = true;
  while (membership* const one = topic.members.pop_front()) {
    one->who->memberships.remove(*one);
    membership::free(one);
  }
}

// -- publishing -----------------------------------------------------------------------------------

void bus_core::run(publish_round& round) noexcept {
  while (ref<subscriber> const gone = round.take_disconnected()) {
    std::lock_guard hold(gone->space->mutex);
    unroute(*gone->space, *gone);
  }
  round.run();
}

publish_result bus_core::publish(topic_record& topic, event_base& event) noexcept {
  publish_round round;
  auto const result = topic.publish(event, round);
  run(round);
  return result;
}

publish_result bus_core::try_publish(topic_record& topic, event_base& event) noexcept {
  publish_round round;
  auto const result = topic.try_publish(event, round);
  run(round);
  return result;
}

publish_result bus_core::publish(type_space& space, std::string_view subject, event_base& event) {
  for (;;) {
    auto const topic = find(space, subject);
    auto const result = publish(*topic, event);
    if (result.is != publish_result::state::detached) return result;
  }
}

publish_result bus_core::try_publish(type_space& space, std::string_view subject,
                                     event_base& event) {
  for (;;) {
    auto const topic = find(space, subject);
    auto const result = try_publish(*topic, event);
    if (result.is != publish_result::state::detached) return result;
  }
}

void bus_core::withdraw(event_base& event) noexcept {
  for (held_delivery* each = event.held(); each != nullptr; each = each->next) {
    ref<subscriber> owner;
    event.ledger.locked([&] { owner = ref<subscriber>(static_cast<subscriber*>(each->owner)); });
    if (!owner) continue;
    aftermath after;
    std::lock_guard hold(owner->mutex);
    (void)owner->core.cancel(*each, after);
  }
}

// -- the end --------------------------------------------------------------------------------------

void bus_core::close() noexcept {
  {
    std::lock_guard hold(mutex_);
    closed_ = true;
  }
  for_each_space([&](type_space& space) {
    publish_round round;
    std::lock_guard hold(space.mutex);
    space.closed = true;
    for (auto const& [subject, topic] : space.topics) {
      std::lock_guard also(topic->mutex);
      topic->closed = true;
    }
    for (subscriber* each : space.listed) {
      std::lock_guard also(each->mutex);
      each->core.close(round.after);
    }
  });
}

void bus_core::stop() noexcept {
  close();
  for_each_space([&](type_space& space) {
    for (;;) {
      ref<subscriber> next;
      {
        std::lock_guard hold(space.mutex);
        if (space.listed.empty()) break;
        next = ref<subscriber>(space.listed.back());
      }
      end(space, *next);
    }
    aftermath after;  // destructors of the user run outside the locks
    std::lock_guard hold(space.mutex);
    for (auto const& [subject, topic] : space.topics) {
      std::lock_guard also(topic->mutex);
      if (event_base* const last = topic->last.release()) after.release(*last);
    }
  });
}

}  // namespace tokengate::detail
