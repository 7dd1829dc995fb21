// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/lock_state.hpp"

#include <algorithm>
#include <mutex>
#include <new>

#include "lock_checks.hpp"
#include "tokengate/detail/fault_point.hpp"

namespace tokengate::detail {
namespace {

// Never destroyed: a guard may be a static object. Not on the heap: nothing here may fail.
std::mutex& graph_mutex() noexcept {
  alignas(std::mutex) static unsigned char place[sizeof(std::mutex)];
  static std::mutex& only = *::new (static_cast<void*>(place)) std::mutex;
  return only;
}

}  // namespace

lock_state::lock_state(std::string name, std::size_t most, std::size_t initially)
    : core_(initially),
      node_(std::move(name), initially, most),
      most_(most),
      checked_(lock_checks()) {
  guess();
}

stake_ptr lock_state::make_stake(lock_owner const& owner, std::size_t permits) {
  auto node = owner_access::node(owner);
  if (node == nullptr) {
    if (!checked_) return nullptr;
    // Nobody in particular: stands for itself, so that its guard can.
    node = std::allocate_shared<owner_node>(block_allocator<owner_node>{}, std::string());
  }
  return stake_ptr(::new (allocate_block(sizeof(stake))) stake(std::move(node), node_, permits));
}

bool lock_state::try_start(lock_request& one) noexcept {
  if (one.conditional_ || crowded_.load(std::memory_order_relaxed)) return false;
  return one.take_at_once([&](std::size_t wanted) { return try_take(wanted, one.stake_.get()); });
}

bool lock_state::try_decide(lock_request& one) noexcept {
  std::lock_guard hold(mutex_);
  if (!core_.try_take(one)) return false;
  guess();
  if (one.granted() != 0) take_note(one.stake_.get());
  return true;
}

bool lock_state::try_take(std::size_t permits, stake* mine) noexcept {
  std::lock_guard hold(mutex_);
  if (!core_.try_take(permits)) return false;
  guess();
  take_note(mine);
  return true;
}

bool lock_state::start(lock_request& one) noexcept {
  lock_cycle cycle;
  noted woken(*this);
  {
    std::lock_guard hold(mutex_);
    if (one.wanted() > most_) {
      one.outcome = wait_outcome::refused;
      return true;
    }
    bool const decided = core_.take(one);
    guess();
    if (decided) {
      if (one.granted() != 0) take_note(one.stake_.get());
      return true;
    }
    // A condition may come true by whoever runs, so such a wait is in no cycle that can be proved.
    if (!checked_ || one.conditional_) return false;
    {
      std::lock_guard all(graph_mutex());
      wait_for(*one.stake_);
      cycle = find_cycle(*one.stake_);
      if (cycle.empty()) return false;
      drop(*one.stake_);
    }
    static_cast<void>(core_.cancel(one, woken));
    one.outcome = wait_outcome::refused;
  }
  resume_all(woken.list);
  report(cycle);
  return true;
}

bool lock_state::cancel(lock_request& one) noexcept {
  noted woken(*this);
  {
    std::lock_guard hold(mutex_);
    if (!core_.cancel(one, woken)) return false;
    guess();
    strike(one.stake_.get());
  }
  TOKENGATE_FAULT_POINT("lock_state decided");
  resume_all(woken.list);
  return true;
}

void lock_state::put(std::size_t permits, stake* mine) noexcept {
  noted woken(*this);
  {
    std::lock_guard hold(mutex_);
    strike(mine);
    core_.put(permits, woken);
    guess();
  }
  TOKENGATE_FAULT_POINT("lock_state decided");
  resume_all(woken.list);
}

void lock_state::put_all_but_one(std::size_t permits, stake* mine) noexcept {
  noted woken(*this);
  {
    std::lock_guard hold(mutex_);
    if (mine != nullptr) {
      strike(mine);
      mine->count = 1;
      take_note(mine);
    }
    core_.put(permits - 1, woken);
    guess();
  }
  TOKENGATE_FAULT_POINT("lock_state decided");
  resume_all(woken.list);
}

void lock_state::forget(std::size_t permits, stake* mine) noexcept {
  std::lock_guard hold(mutex_);
  strike(mine);
  change_total(node_.total - permits);
}

std::size_t lock_state::add(std::size_t permits) noexcept {
  noted woken(*this);
  {
    std::lock_guard hold(mutex_);
    permits = std::min(permits, most_ - node_.total);
    change_total(node_.total + permits);
    core_.put(permits, woken);
    guess();
  }
  TOKENGATE_FAULT_POINT("lock_state decided");
  resume_all(woken.list);
  return permits;
}

void lock_state::cancel_all() noexcept {
  noted woken(*this);
  {
    std::lock_guard hold(mutex_);
    core_.cancel_all(woken);
    guess();
  }
  TOKENGATE_FAULT_POINT("lock_state decided");
  resume_all(woken.list);
}

void lock_state::close() noexcept {
  noted woken(*this);
  {
    std::lock_guard hold(mutex_);
    core_.close(woken);
  }
  TOKENGATE_FAULT_POINT("lock_state decided");
  resume_all(woken.list);
}

std::size_t lock_state::free() const noexcept {
  std::lock_guard hold(mutex_);
  return core_.free();
}

lock_snapshot lock_state::snapshot() const {
  lock_snapshot seen;
  seen.name = node_.name;
  std::unique_lock hold(mutex_);
  seen.free = core_.free();
  seen.total = node_.total;
  seen.closed = core_.closed();
  auto unnamed = seen.total - seen.free;
  node_.holders.for_each([&](stake const& each) {
    unnamed -= each.count;
    seen.holders.push_back({each.owner->name, each.count, each.count == seen.total});
  });
  core_.waiting().for_each([&](waiter& each) {
    auto const& one = static_cast<lock_request&>(static_cast<permit_waiter&>(each));
    seen.waiters.push_back({one.stake_ ? one.stake_->owner->name : std::string(), one.wanted(),
                            one.wanted() == seen.total});
  });
  hold.unlock();
  if (unnamed != 0) seen.holders.push_back({std::string(), unnamed, unnamed == seen.total});
  return seen;
}

void lock_state::change_total(std::size_t total) noexcept {
  std::unique_lock all(graph_mutex(), std::defer_lock);
  if (checked_) all.lock();
  node_.total = total;
}

/// It holds what it wanted.
void lock_state::take_note(stake* of) noexcept {
  if (of == nullptr) return;
  if (!checked_) return give_unchecked(*of);
  std::lock_guard all(graph_mutex());
  give(*of);
}

/// What somebody else's call has decided is noted on the way to those who are resumed.
void lock_state::noted::push_back(permit_waiter& one) noexcept {
  auto const& decided = static_cast<lock_request&>(one);
  if (one.granted() != 0)
    of.take_note(decided.stake_.get());
  else
    of.strike(decided.stake_.get());
  list.push_back(one);
}

void lock_state::strike(stake* of) noexcept {
  if (of == nullptr) return;
  std::unique_lock all(graph_mutex(), std::defer_lock);
  if (checked_) all.lock();
  drop(*of);
}

}  // namespace tokengate::detail

namespace tokengate {

lock_owner::lock_owner(std::string name)
    : node_(std::make_shared<detail::owner_node>(std::move(name))) {}

std::string_view lock_owner::name() const noexcept {
  return node_ ? std::string_view(node_->name) : std::string_view();
}

}  // namespace tokengate
