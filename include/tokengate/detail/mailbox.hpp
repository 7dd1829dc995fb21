// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <array>
#include <atomic>
#include <boost/lockfree/spsc_queue.hpp>
#include <cstdint>
#include <memory>

#include "tokengate/detail/parking.hpp"
#include "tokengate/detail/sync.hpp"

/// @file
/// What connects one gate with one worker: a mailbox ring, a return ring, and the slots that travel
/// on them.
///
/// Invariants
///  - A slot is the gate's while it is on neither ring, the worker's from the mailbox push to the
///    return push. The number of slots is the number of credits; each ring holds them all, so that
///    neither side ever waits for room in a ring.
///  - `slot::claim` alone decides who gets the token of a slot: the worker that starts it, or the
///  gate
///    that pulls it back (withdrawal, expiry, another worker is idle). Whoever exchanges the
///    pointer out owns the token. A slot that comes to its worker empty is a husk and goes straight
///    back.
///  - Slots return in the order in which they were sent.

namespace tokengate::detail {

struct token_base;

struct slot {
  std::atomic<token_base*> claim{nullptr};
  /// Written before the mailbox push: the function is expected to be brief, so that results before
  /// it may be published together with its own.
  bool brief = false;
};

/// The side of a gate that a worker sees: where to say that results lie in a return ring.
struct return_bell {
  parking_word<> parking{parking_word<>::parked};
  /// Where its loop ran when it last looked: the dense index of a core of the pool. A hint.
  std::atomic<std::uint32_t> loop_core{~std::uint32_t{0}};

  /// Called by a worker that found the drain parked: has to get it scheduled.
  virtual void ring() noexcept = 0;

  /// The pool is being stopped: everything that has not started is to be withdrawn.
  virtual void pool_stopping() noexcept = 0;

 protected:
  ~return_bell() = default;
};

/// One gate and one worker. Shared by both, so that either may go first.
struct link {
  static constexpr std::size_t capacity = 64;
  using ring = boost::lockfree::spsc_queue<slot*, boost::lockfree::capacity<capacity>>;

  explicit link(std::shared_ptr<return_bell> gate, std::size_t position, std::size_t core,
                std::uint8_t lane) noexcept
      : bell(std::move(gate)), position(position), core(core), lane(lane) {}

  // Shared, written by the gate's combiner holder / by the worker respectively.
  alignas(cache_line) ring mailbox;
  alignas(cache_line) ring returns;
  alignas(cache_line) std::array<slot, capacity> slots{};

  // Constant after construction.
  alignas(cache_line) std::shared_ptr<return_bell> bell;
  std::size_t position;  ///< index of the worker in its pool
  std::size_t core;      ///< dense index of its core in the pool
  std::uint8_t lane;

  /// Set by the gate when nothing of it is in flight and nothing will be: the worker lets go.
  std::atomic<bool> closed{false};
  /// Set by the worker when it parks instead of spinning, because a loop is busy on its core: to
  /// wake it takes that core from the loop. A hint.
  std::atomic<bool> crowded{false};
  /// Set by the worker when it has ended and returned every slot: the gate routes nothing here.
  std::atomic<bool> dead{false};
};

}  // namespace tokengate::detail
