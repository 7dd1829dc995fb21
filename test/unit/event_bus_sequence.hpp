// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tokengate/detail/bus_core.hpp"
#include "tokengate/error.hpp"
#include "unit/event_bus_model.hpp"

// A sequence of operations on the bus below its shell and on a plain model of it, compared after
// every step. Whoever drives it plays publishers, loops and workers. The random test and the fuzz
// target do.

namespace tokengate::detail::test {

struct test_event : event_base {
  explicit test_event(int id) : event_base(&free), id(id) { ++live(); }
  ~test_event() { --live(); }
  static void free(event_base* gone) noexcept { delete static_cast<test_event*>(gone); }
  static int& live() {
    static int count = 0;
    return count;
  }
  int const id;
};
inline int id_of(event_base const* event) {
  return event == nullptr ? -1 : static_cast<test_event const&>(*event).id;
}

template <class Base>
struct test_waiter : Base {
  test_waiter() : Base([](waiter& self) noexcept { ++static_cast<test_waiter&>(self).resumed; }) {}
  int resumed = 0;
};

struct test_subscriber : subscriber {
  test_subscriber(subscription_options const& options, std::uint32_t concurrency)
      : subscriber(options, {"test", concurrency}) {}
  void wake() noexcept override {
    ++wakes;
    runner = ref<subscriber>::adopt(this);
  }
  int wakes = 0;
  ref<subscriber> runner;
};

inline void holds(bool truth, char const* text) {
  if (!truth) throw std::runtime_error(std::string("does not hold: ") + text);
}
#define TOKENGATE_HOLDS(condition) holds(static_cast<bool>(condition), #condition)

/// One sequence. `choices` decides every step: pick(n) gives a number below n, ended() whether
/// there is nothing more to decide by.
template <class Choices>
class event_bus_sequence {
 public:
  explicit event_bus_sequence(Choices& choices) : choices_(choices), core_(limits()) {}

  void run(std::size_t steps) {
    for (at_ = 0; at_ != steps && !choices_.ended(); ++at_) {
      step(pick(100));
      compare();
    }
    finish();
  }
  std::size_t at_ = 0;

 private:
  struct party {
    ref<subscriber> who;
    std::vector<event_base*> running{};
    std::vector<std::unique_ptr<test_waiter<stream_reader>>> readers{};
    std::vector<std::unique_ptr<test_waiter<waiter>>> idle{};
    bool idle_at_once = false;
    test_subscriber& real() const { return static_cast<test_subscriber&>(*who); }
  };
  struct publisher {
    event_ref event;
    test_waiter<waiter> wait{};
    bool at_once = false;
    bool given_up = false;
  };

  static event_bus_options limits() {
    event_bus_options few;
    few.cached_topics = 2;  // so that topics are forgotten and made again
    return few;
  }
  std::size_t pick(std::size_t below) { return choices_.pick(below); }

  void step(std::size_t dice) {
    if (dice < 30) return publish();
    if (dice < 38) return try_publish();
    if (dice < 46) return subscribe();
    if (dice < 50) return open_topic();
    if (dice < 53) return drop_topic();
    if (parties_.empty()) return;
    std::size_t const at = pick(parties_.size());
    party& one = parties_[at];
    model_subscriber& as = model_.subscribers[at];
    if (as.concurrency == 0 && dice < 85) return read(one, as, dice);
    if (dice < 72) return take(one, as);
    if (dice < 85) return finish_one(one, as);
    if (dice < 90) return give_up();
    if (dice < 94) return end(one, as);
    if (dice < 96) return wait_idle(one, as);
    if (dice < 97) return close_all();
    forget();
  }

  std::string subject() {
    static constexpr std::array<char const*, 6> all{"", "a", "b", "a.a", "a.b", "b.a"};
    return all[pick(all.size())];
  }

  void publish() {
    auto const to = subject();
    auto const until = static_cast<model_event::wants>(pick(3));
    publisher& one = *publishers_.emplace_back(std::make_unique<publisher>());
    int const id = ++events_;
    one.event = event_ref(new test_event(id));
    using real = delivery_ledger::until;
    bool const waits = until != model_event::wants::nothing;
    if (waits)
      TOKENGATE_HOLDS(one.event->ledger.watch(
          one.wait, until == model_event::wants::accepted ? real::accepted : real::handled));
    model_.events[id].until = until;
    auto const result = core_.publish(space_, to, *one.event);
    TOKENGATE_HOLDS((result.is == publish_result::state::closed) == model_.closed);
    one.at_once = one.event->ledger.offered(result.accepted) == delivery_ledger::verdict::decided;
    if (model_.closed)
      model_.events[id].decided = waits;
    else
      model_.publish(to, id, waits);
  }
  void try_publish() {
    auto const to = subject();
    int const id = ++events_;
    event_ref const event(new test_event(id));
    auto const result = core_.try_publish(space_, to, *event);
    if (model_.closed) return TOKENGATE_HOLDS(result.is == publish_result::state::closed);
    bool const taken = model_.try_publish(to, id);
    TOKENGATE_HOLDS(taken == (result.is == publish_result::state::done));
    TOKENGATE_HOLDS(result.held == 0 && result.accepted == model_.events[id].accepted);
  }
  void give_up() {
    if (publishers_.empty()) return;
    publisher& one = *publishers_[pick(publishers_.size())];
    int const id = id_of(one.event.get());
    bool const waited = one.event->ledger.give_up(one.wait);
    TOKENGATE_HOLDS(waited == model_.events[id].waiting);
    if (!waited) return;
    one.given_up = true;
    bus_core::withdraw(*one.event);
    model_.give_up(id);
  }

  void open_topic() {
    auto const name = subject();
    bool const sticky = pick(2) == 0;
    topics_.push_back(core_.open(space_, name, sticky));
    if (sticky) model_.stick(name);
  }
  void drop_topic() {
    if (topics_.empty()) return;
    auto const at = topics_.begin() + static_cast<std::ptrdiff_t>(pick(topics_.size()));
    core_.drop_handle(space_, **at);
    topics_.erase(at);
  }
  void forget() {
    if (topics_.empty()) return;
    topic_record& topic = *topics_[pick(topics_.size())];
    core_.forget(space_, topic);
    model_.forget(topic.name->text);
  }

  void subscribe() {
    static constexpr std::array<char const*, 8> patterns{"",  "a",   "a.a", "*",
                                                         ">", "a.*", "*.a", "a.>"};
    std::string const pattern = patterns[pick(patterns.size())];
    subscription_options options;
    options.when_full = static_cast<full_policy>(pick(5));
    options.capacity = 1 + pick(3);
    auto const concurrency = static_cast<std::uint32_t>(pick(3));
    party& one = parties_.emplace_back();
    one.who = ref<subscriber>(new test_subscriber(options, concurrency));
    model_subscriber& as =
        model_.subscribe(pattern, options.when_full, options.capacity, concurrency);
    core_.subscribe(space_, one.who, pattern);
    if (model_.closed) return model_.end(as);
    // Which of several sticky topics comes first is not promised.
    std::vector<int> order;
    one.who->memberships.for_each([&](membership& each) {
      if (each.topic->last) order.push_back(id_of(each.topic->last.get()));
    });
    std::vector<int> expected;
    for (auto const& [name, id] : model_.last)
      if (id != -1 && matches(pattern, name)) expected.push_back(id);
    auto sorted = order;
    std::ranges::sort(sorted);
    std::ranges::sort(expected);
    TOKENGATE_HOLDS(sorted == expected);
    // The deliveries of a last value are not those its publisher waited for.
    for (int const each : order) ++model_.events[each].outstanding;
    model_.give_last(as, order);
  }

  void take(party& one, model_subscriber& as) {
    if (!as.scheduled) return;
    if (pick(8) == 0 && as.running.empty()) {
      model_.rest(as);
      std::unique_lock hold(one.who->mutex);
      bool const wake = one.who->core.rest();
      hold.unlock();
      return TOKENGATE_HOLDS(wake == as.scheduled);
    }
    aftermath after;
    std::unique_lock hold(one.who->mutex);
    event_base* const event = one.who->core.take(after);
    hold.unlock();
    after.run();
    TOKENGATE_HOLDS(id_of(event) == model_.take(as));
    if (event != nullptr) one.running.push_back(event);
    if (event == nullptr) one.real().runner = {};
  }
  void finish_one(party& one, model_subscriber& as) {
    if (one.running.empty()) return;
    auto const at = one.running.begin() + static_cast<std::ptrdiff_t>(pick(one.running.size()));
    event_base& event = **at;
    int const id = id_of(&event);
    one.running.erase(at);
    bool const well = pick(4) != 0;
    bool const before = as.scheduled;
    model_.finish(as, id, well);
    aftermath after;
    std::unique_lock hold(one.who->mutex);
    bool const wake = one.who->core.finish(event, well, well ? nullptr : make_error(), 1, 1, after);
    hold.unlock();
    TOKENGATE_HOLDS(wake == (as.scheduled && !before));
  }
  static std::exception_ptr make_error() {
    static auto const one = std::make_exception_ptr(std::runtime_error("as it should"));
    return one;
  }

  void read(party& one, model_subscriber& as, std::size_t dice) {
    aftermath after;
    std::unique_lock hold(one.who->mutex);
    if (dice < 58) {
      event_ref const got(one.who->core.try_read(after));
      hold.unlock();
      TOKENGATE_HOLDS(id_of(got.get()) == model_.try_read(as));
    } else if (dice < 70) {
      auto& reader = *one.readers.emplace_back(std::make_unique<test_waiter<stream_reader>>());
      if (one.who->core.read(reader, after)) reader.resumed = 1;
      hold.unlock();
      model_.read(as, static_cast<int>(one.readers.size()) - 1);
    } else if (dice < 75 && !one.readers.empty()) {
      auto const at = pick(one.readers.size());
      bool const waited = one.who->core.cancel(*one.readers[at]);
      hold.unlock();
      TOKENGATE_HOLDS(waited == (std::erase(as.readers, static_cast<int>(at)) == 1));
    } else if (dice >= 75 && !as.read.empty()) {
      auto which = as.read.begin();
      std::advance(which, static_cast<std::ptrdiff_t>(pick(as.read.size())));
      int const at = which->first;
      auto& reader = *one.readers[static_cast<std::size_t>(at)];
      if (dice >= 81) {
        hold.unlock();
        return tell(reader, as, at);
      }
      bool const gave = one.who->core.retract(reader, after);
      hold.unlock();
      TOKENGATE_HOLDS(gave == model_.give_back(as, at));
    }
  }
  /// Its handler runs.
  void tell(stream_reader& reader, model_subscriber& as, int at) {
    event_ref const got = reader.take();
    TOKENGATE_HOLDS(id_of(got.get()) == as.read[at]);
    model_.tell(as, at);
  }

  void end(party& one, model_subscriber& as) {
    bus_core::end(space_, *one.who);
    model_.end(as);
  }
  void wait_idle(party& one, model_subscriber& as) {
    if (as.concurrency == 0) return;  // a stream ends when its readers do
    auto& wait = *one.idle.emplace_back(std::make_unique<test_waiter<waiter>>());
    std::lock_guard hold(one.who->mutex);
    if (one.who->core.when_idle(wait)) wait.resumed = 1;
    TOKENGATE_HOLDS((wait.resumed == 1) == as.over());
  }
  void close_all() {
    if (pick(4) != 0) return;
    core_.close();
    model_.closed = true;
    for (auto& each : model_.subscribers) model_.close(each);
  }

  void compare() {
    for (std::size_t i = 0; i != parties_.size(); ++i) compare(parties_[i], model_.subscribers[i]);
    for (auto const& each : publishers_) {
      model_event const& as = model_.events[id_of(each->event.get())];
      TOKENGATE_HOLDS(each->at_once + each->wait.resumed == (as.decided ? 1 : 0));
      auto const counts = each->event->ledger.counts();
      if (as.until == model_event::wants::handled && !each->given_up) {
        TOKENGATE_HOLDS(counts.handled == as.handled && counts.failed == as.failed);
        TOKENGATE_HOLDS(counts.dropped == as.dropped && counts.undelivered == as.undelivered);
        TOKENGATE_HOLDS(each->event->ledger.errors().size() == as.failed);
      }
    }
  }
  void compare(party const& one, model_subscriber const& as) {
    subscriber_core const& core = one.who->core;
    TOKENGATE_HOLDS(core.queued() == as.queue.size() && core.held() == as.held.size());
    TOKENGATE_HOLDS(core.running() == as.running.size());
    TOKENGATE_HOLDS(id_of(core.oldest()) == (as.queue.empty() ? -1 : as.queue.front()));
    TOKENGATE_HOLDS(core.scheduled() == as.scheduled);
    TOKENGATE_HOLDS(core.closed() == as.closed && core.ended() == as.ended);
    TOKENGATE_HOLDS(core.disconnected() == as.disconnected && core.over() == as.over());
    TOKENGATE_HOLDS(core.reading() == as.readers.size());
    subscriber_counts const& counts = core.counts();
    TOKENGATE_HOLDS(counts.offered == as.offered && counts.handled == as.handled);
    TOKENGATE_HOLDS(counts.failed == as.failed && counts.dropped == as.dropped);
    TOKENGATE_HOLDS(counts.undelivered == as.undelivered);
    TOKENGATE_HOLDS(counts.offered == counts.handled + counts.failed + counts.dropped +
                                          counts.undelivered + core.queued() + core.held() +
                                          core.running());
    for (auto const& [reader, event] : as.read) {
      auto const& real = *one.readers[static_cast<std::size_t>(reader)];
      TOKENGATE_HOLDS(real.resumed == 1);
      TOKENGATE_HOLDS((event == -1) == (real.outcome == wait_outcome::closed));
      TOKENGATE_HOLDS(id_of(real.event) == event);
    }
    for (auto const& each : one.idle) TOKENGATE_HOLDS((each->resumed == 1) == as.over());
  }

  /// Everything ends, and no event is left.
  void finish() {
    for (std::size_t i = 0; i != parties_.size(); ++i)
      while (!parties_[i].running.empty()) finish_one(parties_[i], model_.subscribers[i]);
    core_.stop();
    for (auto& each : model_.subscribers) {
      model_.close(each);
      model_.end(each);
    }
    model_.closed = true;
    compare();
    for (std::size_t i = 0; i != parties_.size(); ++i)
      while (!model_.subscribers[i].read.empty()) {
        int const at = model_.subscribers[i].read.begin()->first;
        tell(*parties_[i].readers[static_cast<std::size_t>(at)], model_.subscribers[i], at);
      }
    compare();
    for (auto& each : topics_) core_.drop_handle(space_, *each);
    for (auto& each : parties_) each.real().runner = {};
    publishers_.clear();
    TOKENGATE_HOLDS(test_event::live() == 0);
    TOKENGATE_HOLDS(space_.patterns.node_count() == 1);
  }

  Choices& choices_;
  bus_core core_;
  type_space& space_ = core_.space_of(typeid(test_event));
  bus_model model_;
  std::vector<party> parties_;
  std::vector<ref<topic_record>> topics_;
  std::vector<std::unique_ptr<publisher>> publishers_;
  int events_ = 0;
};

#undef TOKENGATE_HOLDS

}  // namespace tokengate::detail::test
