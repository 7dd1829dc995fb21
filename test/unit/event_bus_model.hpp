// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tokengate/detail/subject.hpp"
#include "tokengate/event_bus_options.hpp"

// What an event bus is supposed to do, as plainly as it can be written: no locks, no tries, no
// counting of references. Events are numbers.

namespace tokengate::detail::test {

struct model_event {
  enum class wants { nothing, accepted, handled } until = wants::nothing;
  bool waiting = false;  ///< its publisher waits
  bool decided = false;
  std::size_t accepted = 0, holding = 0, outstanding = 0;
  std::size_t handled = 0, failed = 0, dropped = 0, undelivered = 0;

  void decide() {
    if (!waiting) return;
    if (until == wants::accepted ? holding != 0 : outstanding != 0) return;
    waiting = false;
    decided = true;
  }
};

struct model_subscriber {
  std::string pattern;
  full_policy policy;
  std::size_t capacity;
  std::size_t concurrency;  ///< 0: a stream
  bool closed = false, ended = false, disconnected = false, scheduled = false;
  std::deque<int> queue{}, held{}, running{};
  std::deque<int> readers{};  ///< by their numbers
  std::map<int, int> read{};  ///< reader to event, -1 for the end of the stream; not told yet
  std::map<int, std::size_t> fetched{};  ///< event to its turn among those that readers got
  std::size_t idle_waiters = 0;
  std::size_t offered = 0, handled = 0, failed = 0, dropped = 0, undelivered = 0;

  [[nodiscard]] bool over() const { return closed && queue.empty() && running.empty(); }
};

class bus_model {
 public:
  std::vector<model_subscriber> subscribers;
  std::map<int, model_event> events;
  std::map<std::string, int> last;  ///< of sticky topics; -1 for none
  bool closed = false;

  /// Sticky from now on.
  void stick(std::string const& subject) { last.try_emplace(subject, -1); }
  void forget(std::string const& subject) {
    if (auto const at = last.find(subject); at != last.end()) at->second = -1;
  }

  model_subscriber& subscribe(std::string const& pattern, full_policy policy, std::size_t capacity,
                              std::size_t concurrency) {
    subscribers.push_back(
        {pattern, policy, policy == full_policy::latest ? 1 : capacity, concurrency});
    return subscribers.back();
  }
  /// In the order in which the real one gives them to the newcomer.
  void give_last(model_subscriber& to, std::vector<int> const& order) {
    for (int const each : order)
      if (to.closed) {
        end_delivery(each, &model_event::dropped);
      } else if (offer(to, each) == answer::full) {
        ++to.offered;
        drop(to, each);
      }
  }

  /// False: nobody takes anything, as a subscriber would hold it back.
  bool try_publish(std::string const& subject, int event) {
    for (auto const& each : subscribers)
      if (!each.closed && matches(each.pattern, subject) && each.policy == full_policy::wait &&
          (each.queue.size() >= each.capacity || !each.held.empty()))
        return false;
    publish(subject, event, false);
    return true;
  }
  void publish(std::string const& subject, int event, bool waits) {
    for (auto& each : subscribers) {
      if (each.closed || !matches(each.pattern, subject)) continue;
      ++events[event].outstanding;
      if (offer(each, event) == answer::full) {
        ++each.offered;
        ++events[event].holding;
        each.held.push_back(event);
      }
    }
    if (auto const at = last.find(subject); at != last.end()) at->second = event;
    events[event].waiting = waits;
    events[event].decide();
  }
  void give_up(int event) {
    events[event].waiting = false;
    for (auto& each : subscribers)
      if (auto const at = std::ranges::find(each.held, event); at != each.held.end()) {
        each.held.erase(at);
        let_go(each, event);
      }
  }

  /// -1: there is none.
  int take(model_subscriber& from) {
    if (from.ended || from.queue.empty() || from.running.size() >= from.concurrency) {
      from.scheduled = false;
      return -1;
    }
    int const event = pop(from);
    from.running.push_back(event);
    return event;
  }
  void finish(model_subscriber& of, int event, bool well) {
    of.running.erase(std::ranges::find(of.running, event));
    ++(well ? of.handled : of.failed);
    end_delivery(event, well ? &model_event::handled : &model_event::failed);
    schedule(of);
  }
  void rest(model_subscriber& of) {
    of.scheduled = false;
    schedule(of);
  }

  void read(model_subscriber& from, int reader) {
    if (!from.ended && !from.queue.empty()) {
      from.read[reader] = read_now(from);
    } else if (from.closed) {
      from.read[reader] = -1;
    } else {
      from.readers.push_back(reader);
    }
  }
  int try_read(model_subscriber& from) {
    if (from.ended || from.queue.empty()) return -1;
    int const event = read_now(from);
    end_delivery(event, &model_event::handled);
    return event;
  }
  /// The handler of a reader runs.
  void tell(model_subscriber& of, int reader) {
    if (int const event = of.read[reader]; event != -1) end_delivery(event, &model_event::handled);
    of.read.erase(reader);
  }
  /// A reader that was not told gives its event back. False: it keeps it.
  bool give_back(model_subscriber& to, int reader) {
    int const event = to.read[reader];
    if (event == -1 || to.ended) return false;
    to.read.erase(reader);
    --to.handled;
    auto const fresh =
        std::ranges::find_if(to.queue, [&](int queued) { return !to.fetched.contains(queued); });
    if (!to.readers.empty()) {
      hand_to_reader(to, event);
    } else if (to.policy == full_policy::latest && !to.queue.empty()) {
      bool const older =
          fresh != to.queue.end() || to.fetched[to.queue.front()] > to.fetched[event];
      drop(to, older ? event : std::exchange(to.queue.front(), event));
    } else {
      auto const later = std::find_if(to.queue.begin(), fresh, [&](int queued) {
        return to.fetched[queued] > to.fetched[event];
      });
      to.queue.insert(later, event);
    }
    return true;
  }

  void close(model_subscriber& one) {
    if (one.closed) return;
    one.closed = true;
    for (; !one.held.empty(); one.held.pop_front()) let_go(one, one.held.front());
    for (int const each : one.readers) one.read[each] = -1;
    one.readers.clear();
  }
  void end(model_subscriber& one) {
    close(one);
    one.ended = true;
    for (; !one.queue.empty(); one.queue.pop_front()) {
      ++one.undelivered;
      end_delivery(one.queue.front(), &model_event::undelivered);
    }
  }

 private:
  enum class answer { taken, full };

  answer offer(model_subscriber& to, int event) {
    if (to.closed) return answer::taken;
    bool const full = to.queue.size() >= to.capacity;
    if (!to.readers.empty()) {
      ++to.offered;
      ++events[event].accepted;
      hand_to_reader(to, event);
      return answer::taken;
    }
    if (full && to.policy == full_policy::wait) return answer::full;
    if (!to.held.empty()) return answer::full;
    ++to.offered;
    if (full && to.policy == full_policy::drop_newest) {
      drop(to, event);
    } else if (full && to.policy == full_policy::disconnect) {
      drop(to, event);
      to.disconnected = true;
      close(to);
    } else {
      while (to.queue.size() >= to.capacity) {  // more often where some were given back
        int const oldest = to.queue.front();
        to.queue.pop_front();
        drop(to, oldest);
      }
      ++events[event].accepted;
      to.queue.push_back(event);
      schedule(to);
    }
    return answer::taken;
  }
  void drop(model_subscriber& of, int event) {
    ++of.dropped;
    end_delivery(event, &model_event::dropped);
  }
  void let_go(model_subscriber& of, int event) {
    ++of.undelivered;
    --events[event].holding;
    end_delivery(event, &model_event::undelivered);
  }
  void end_delivery(int event, std::size_t model_event::*how) {
    model_event& of = events[event];
    --of.outstanding;
    ++(of.*how);
    of.decide();
  }
  void hand_to_reader(model_subscriber& to, int event) {
    ++to.handled;
    to.fetched.try_emplace(event, to.fetched.size());
    to.read[to.readers.front()] = event;
    to.readers.pop_front();
  }
  int read_now(model_subscriber& from) {
    int const event = pop(from);
    ++from.handled;
    from.fetched.try_emplace(event, from.fetched.size());
    return event;
  }
  int pop(model_subscriber& from) {
    int const event = from.queue.front();
    from.queue.pop_front();
    while (!from.held.empty() && from.queue.size() < from.capacity) {
      int const next = from.held.front();
      from.held.pop_front();
      from.queue.push_back(next);
      ++events[next].accepted;
      --events[next].holding;
      events[next].decide();
    }
    return event;
  }
  void schedule(model_subscriber& of) {
    if (!of.ended && !of.queue.empty() && of.running.size() < of.concurrency) of.scheduled = true;
  }
};

}  // namespace tokengate::detail::test
