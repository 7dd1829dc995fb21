// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/lock_graph.hpp"

#include <new>
#include <string_view>

namespace tokengate {

namespace detail {
namespace {

std::string shown(std::string const& name) {
  return name.empty() ? "(unnamed)" : name;
}

bool waits(owner_node const& owner) {
  bool found = false;
  owner.stakes.for_each([&](stake const& each) { found |= !each.holds; });
  return found;
}

/// All locks that the fate of one depends on. Marks the owners among them that wait.
std::vector<lock_node*> reach(lock_node& from) {
  std::vector<lock_node*> reached;
  auto const add = [&](lock_node& lock) {
    if (lock.reached) return;
    reached.push_back(&lock);  // may throw; nothing was marked yet
    lock.reached = true;
  };
  auto const follow = [&](stake const& each) {
    each.owner->stuck = waits(*each.owner);
    each.owner->seen = false;
    each.owner->stakes.for_each([&](stake const& other) {
      if (!other.holds) add(*other.lock);
    });
  };
  try {
    add(from);
    for (std::size_t i = 0; i != reached.size(); ++i) {
      reached[i]->holders.for_each(follow);
      reached[i]->waiting.for_each(follow);
    }
  } catch (std::bad_alloc const&) {
    for (auto* lock : reached) lock->reached = false;
    throw;
  }
  return reached;
}

/// Lets every owner go on that can.
void reduce(std::vector<lock_node*> const& locks) {
  for (auto* lock : locks) {
    lock->spare = lock->most;
    lock->holders.for_each([&](stake const& each) {
      if (each.owner->stuck) lock->spare -= each.count;
    });
  }
  auto const go_on = [](owner_node& owner) {
    owner.stuck = false;
    owner.stakes.for_each([](stake const& each) {
      if (each.holds && each.lock->reached) each.lock->spare += each.count;
    });
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (auto* lock : locks) {
      bool served = true;
      lock->waiting.for_each([&](stake const& each) {
        if (!served || !each.owner->stuck) return;
        served = each.count <= lock->spare;
        if (!served) return;
        go_on(*each.owner);
        changed = true;
      });
    }
  }
}

/// From the owner along who keeps it, until the way closes.
lock_cycle trace(stake const& waiting) {
  lock_cycle cycle;
  stake const* at = &waiting;
  while (at != nullptr && !at->owner->seen) {
    at->owner->seen = true;
    stake const* before = nullptr;
    at->lock->holders.for_each([&](stake const& each) {
      if (before == nullptr && each.owner->stuck) before = &each;
    });
    if (before == nullptr) {
      bool passed = false;
      at->lock->waiting.for_each([&](stake const& each) {
        passed |= &each == at;
        if (!passed && each.owner->stuck) before = &each;
      });
    }
    if (before == nullptr) break;
    cycle.push_back(
        {shown(at->owner->name), shown(at->lock->name), shown(before->owner->name), before->holds});
    stake const* next = nullptr;
    before->owner->stakes.for_each([&](stake const& each) {
      if (next == nullptr && !each.holds) next = &each;
    });
    at = next;
  }
  return cycle;
}

}  // namespace

void wait_for(stake& wanted) noexcept {
  wanted.owner->stakes.push_back(wanted);
  wanted.lock->waiting.push_back(wanted);
}

void give(stake& wanted) noexcept {
  if (static_cast<list_hook<by_owner>&>(wanted).linked())
    wanted.lock->waiting.remove(wanted);
  else
    wanted.owner->stakes.push_back(wanted);
  give_unchecked(wanted);
}

void give_unchecked(stake& wanted) noexcept {
  wanted.lock->holders.push_back(wanted);
  wanted.holds = true;
}

void drop(stake& any) noexcept {
  if (static_cast<list_hook<by_lock>&>(any).linked())
    (any.holds ? any.lock->holders : any.lock->waiting).remove(any);
  if (static_cast<list_hook<by_owner>&>(any).linked()) any.owner->stakes.remove(any);
  any.holds = false;
}

lock_cycle find_cycle(stake const& waiting) noexcept {
  try {
    auto const locks = reach(*waiting.lock);
    reduce(locks);
    for (auto* lock : locks) lock->reached = false;
    return waiting.owner->stuck ? trace(waiting) : lock_cycle{};
  } catch (std::bad_alloc const&) {
    return {};
  }
}

}  // namespace detail

std::string to_string(lock_cycle const& cycle) {
  std::string text;
  for (auto const& step : cycle) {
    if (!text.empty()) text += "; ";
    text += step.owner + " waits for " + step.lock +
            (step.holds ? ", held by " : ", in the queue behind ") + step.holder;
  }
  return text;
}

}  // namespace tokengate
