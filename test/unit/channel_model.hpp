// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <vector>

#include "tokengate/detail/waiter.hpp"

// What a channel is supposed to do, as plainly as it can be written. Items are numbers, in the
// order in which they were offered, and nobody is overtaken: so that is also the order in which
// they leave.

namespace tokengate::detail::test {

enum class channel_sort { any, ring, rendezvous };

class channel_model {
 public:
  struct offer {
    int item;
    std::size_t cost;
  };
  /// A party that waited and has its outcome; `items` of a receiver.
  struct told {
    bool sender;
    int who;  ///< a sender is called as its item
    wait_outcome outcome;
    std::vector<int> items{};
    friend bool operator==(told const&, told const&) = default;
  };
  enum class answer { done, closed, waits };

  channel_model(channel_sort sort, std::size_t capacity, std::size_t max_cost)
      : sort(sort), capacity(capacity), max_cost(max_cost) {}

  answer send(offer const& one, bool may_wait) {
    if (closed) return answer::closed;
    if (!receivers.empty()) {
      serve_first(one.item, one.cost);
      return answer::done;
    }
    if (!senders.empty() || !fits(one)) {
      if (may_wait) senders.push_back(one);
      return answer::waits;
    }
    inside[one.item] = one.cost;
    return answer::done;
  }
  answer receive(int who, std::size_t most, std::vector<int>& items, bool may_wait) {
    if (inside.empty() && (sort != channel_sort::rendezvous || senders.empty())) {
      if (closed) return answer::closed;
      if (may_wait) receivers.push_back(who);
      return answer::waits;
    }
    while (items.size() < most && !inside.empty()) {
      items.push_back(inside.begin()->first);
      costs[items.back()] = inside.begin()->second;
      returned.erase(items.back());
      inside.erase(inside.begin());
      if (sort == channel_sort::any) admit();
    }
    if (sort == channel_sort::ring) admit();  // the ring is looked at once
    while (sort == channel_sort::rendezvous && items.size() < most && !senders.empty()) {
      items.push_back(senders.front().item);
      costs[items.back()] = senders.front().cost;
      told_now.push_back({true, senders.front().item, wait_outcome::done});
      senders.pop_front();
    }
    return answer::done;
  }

  bool cancel_send(int item) {
    bool const waited = std::erase_if(senders, [&](auto& s) { return s.item == item; }) != 0;
    if (waited) admit();
    return waited;
  }
  bool cancel_receive(int who) { return std::erase(receivers, who) != 0; }
  /// It has that item, and has not been told.
  void give_back(int item) {
    if (!receivers.empty()) return serve_first(item, costs[item]);
    inside[item] = costs[item];
    returned.insert(item);
  }
  void end_waits(wait_outcome how) {
    if (how == wait_outcome::closed) closed = true;
    for (int const who : receivers) told_now.push_back({false, who, how});
    for (auto const& each : senders) told_now.push_back({true, each.item, how});
    receivers.clear();
    senders.clear();
  }

  [[nodiscard]] std::size_t cost() const {
    std::size_t all = 0;
    for (auto const& [item, cost] : inside) all += sort == channel_sort::any ? cost : 1;
    return all;
  }

  channel_sort const sort;
  std::size_t const capacity;
  std::size_t const max_cost;
  bool closed = false;
  std::map<int, std::size_t> inside{};  ///< item to cost
  std::set<int> returned{};             ///< of these
  std::deque<offer> senders{};          ///< that wait
  std::deque<int> receivers{};          ///< likewise
  std::map<int, std::size_t> costs{};   ///< of what was taken
  std::vector<told> told_now{};         ///< by the last step

 private:
  [[nodiscard]] bool fits(offer const& one) const {
    if (sort == channel_sort::rendezvous) return false;
    // What was given back to a ring lies beside it.
    if (sort == channel_sort::ring) return inside.size() - returned.size() < capacity;
    if (inside.size() >= capacity) return false;
    return inside.empty() || cost() + one.cost <= max_cost;
  }
  void admit() {
    for (; !senders.empty() && fits(senders.front()); senders.pop_front()) {
      inside[senders.front().item] = senders.front().cost;
      told_now.push_back({true, senders.front().item, wait_outcome::done});
    }
  }
  void serve_first(int item, std::size_t cost) {
    costs[item] = cost;
    told_now.push_back({false, receivers.front(), wait_outcome::done, {item}});
    receivers.pop_front();
  }
};

}  // namespace tokengate::detail::test
