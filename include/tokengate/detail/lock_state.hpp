// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "tokengate/detail/block_pool.hpp"
#include "tokengate/detail/lock_graph.hpp"
#include "tokengate/detail/permit_core.hpp"
#include "tokengate/detail/short_mutex.hpp"
#include "tokengate/lock_owner.hpp"
#include "tokengate/lock_snapshot.hpp"

/// @file
/// What the locks share: permits, and who holds and wants them.
///
/// Invariants
/// - mutex_ guards core_ and node_.holders. The graph's mutex is taken inside it, and only for
/// locks
///   that are checked; it guards all else of node_ (lock_graph.hpp).
/// - A request or a hold has a stake if it was made with an owner, or if the lock is checked. The
///   stake is its own; it is linked exactly while the request waits in the graph, or the permits
///   are held.
/// - Permits that were granted belong to the request until complete() moves them into a guard. A
///   request that is destroyed gives them back.
/// - Nobody is resumed, and no report is made, under a mutex.

namespace tokengate::detail {

class lock_request;

struct owner_access {
  static std::shared_ptr<owner_node> const& node(lock_owner const& of) noexcept { return of.node_; }
  static lock_owner make(std::shared_ptr<owner_node> node) noexcept {
    return lock_owner(std::move(node));
  }
};

struct stake_deleter {
  void operator()(stake* of) const noexcept {
    of->~stake();
    free_block(of, sizeof(stake));
  }
};
using stake_ptr = std::unique_ptr<stake, stake_deleter>;

class lock_state {
 public:
  /// `most`: permits that there can ever be; `initially` that there are at first.
  lock_state(std::string name, std::size_t most, std::size_t initially);
  lock_state(lock_state const&) = delete;
  lock_state& operator=(lock_state const&) = delete;

  // As impl/async_wait.hpp wants them.
  [[nodiscard]] bool try_start(lock_request& one) noexcept;
  [[nodiscard]] bool start(lock_request& one) noexcept;
  [[nodiscard]] bool cancel(lock_request& one) noexcept;

  /// As start(), but who would have to wait is not decided: false. With its condition, if any.
  [[nodiscard]] bool try_decide(lock_request& one) noexcept;
  [[nodiscard]] bool try_take(std::size_t permits, stake* mine) noexcept;
  /// Gives permits back that were held.
  void put(std::size_t permits, stake* mine) noexcept;
  /// Keeps one of them.
  void put_all_but_one(std::size_t permits, stake* mine) noexcept;
  /// What was held exists no more.
  void forget(std::size_t permits, stake* mine) noexcept;
  /// Makes new ones, up to the most that there may be; how many that are.
  std::size_t add(std::size_t permits) noexcept;

  void cancel_all() noexcept;
  void close() noexcept;

  [[nodiscard]] lock_snapshot snapshot() const;
  [[nodiscard]] std::string const& name() const noexcept { return node_.name; }
  [[nodiscard]] std::size_t free() const noexcept;

  /// Null where none is needed. May throw bad_alloc.
  [[nodiscard]] stake_ptr make_stake(lock_owner const& owner, std::size_t permits);

 private:
  struct noted {
    explicit noted(lock_state& by) noexcept : of(by) {}
    void push_back(permit_waiter& one) noexcept;
    lock_state& of;
    woken_list list{};
  };

  void guess() noexcept {
    crowded_.store(core_.free() == 0 || !core_.waiting().empty(), std::memory_order_relaxed);
  }
  void change_total(std::size_t total) noexcept;
  void take_note(stake* of) noexcept;
  void strike(stake* of) noexcept;

  short_mutex mutable mutex_;
  permit_core core_;
  lock_node node_;
  std::size_t const most_;
  bool const checked_;
  /// Whether it is worth while to try without waiting. Written under mutex_; read without, as a
  /// guess: relaxed, nothing hangs on it.
  std::atomic<bool> crowded_{false};
};

/// A wait for permits, and they themselves once they are granted.
class lock_request : public permit_waiter {
 public:
  lock_request(resume_function resume, std::shared_ptr<lock_state> state, lock_owner const& owner,
               std::size_t wanted, condition when = nullptr)
      : permit_waiter(resume, wanted, when),
        stake_(state->make_stake(owner, wanted)),
        state_(std::move(state)),
        conditional_(when != nullptr) {}

 protected:
  ~lock_request() {
    if (granted() != 0) state_->put(take_granted(), stake_.get());
  }

 private:
  friend class lock_hold;
  friend class lock_state;
  stake_ptr stake_;
  std::shared_ptr<lock_state> state_;
  bool const conditional_;
};

/// Permits in somebody's hand: what the guards are made of. Given back at the end.
class lock_hold {
 public:
  lock_hold() = default;
  /// What was granted to a request.
  explicit lock_hold(lock_request& from) noexcept
      : state_(std::move(from.state_)),
        stake_(std::move(from.stake_)),
        permits_(from.take_granted()) {}
  /// What can be had without waiting; empty if nothing can.
  lock_hold(std::shared_ptr<lock_state> const& state, lock_owner const& owner,
            std::size_t permits) {
    auto mine = state->make_stake(owner, permits);
    if (!state->try_take(permits, mine.get())) return;
    state_ = state;
    stake_ = std::move(mine);
    permits_ = permits;
  }
  lock_hold(lock_hold&& other) noexcept
      : state_(std::move(other.state_)),
        stake_(std::move(other.stake_)),
        permits_(std::exchange(other.permits_, 0)) {}
  lock_hold& operator=(lock_hold&& other) noexcept {
    if (this != &other) {
      release();
      state_ = std::move(other.state_);
      stake_ = std::move(other.stake_);
      permits_ = std::exchange(other.permits_, 0);
    }
    return *this;
  }
  ~lock_hold() { release(); }

  [[nodiscard]] bool holds() const noexcept { return state_ != nullptr; }
  [[nodiscard]] std::size_t permits() const noexcept { return permits_; }
  [[nodiscard]] lock_owner owner() const noexcept {
    return stake_ ? owner_access::make(stake_->owner) : lock_owner();
  }
  [[nodiscard]] std::shared_ptr<lock_state> const& state() const noexcept { return state_; }

  void release() noexcept {
    if (auto const state = std::move(state_)) state->put(std::exchange(permits_, 0), stake_.get());
    stake_.reset();
  }
  void forget() noexcept {
    if (auto const state = std::move(state_))
      state->forget(std::exchange(permits_, 0), stake_.get());
    stake_.reset();
  }
  void keep_one() noexcept {
    state_->put_all_but_one(permits_, stake_.get());
    permits_ = 1;
  }

 private:
  std::shared_ptr<lock_state> state_;
  stake_ptr stake_;
  std::size_t permits_ = 0;
};

}  // namespace tokengate::detail
