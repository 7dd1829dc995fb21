// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "tokengate/detail/parking.hpp"
#include "tokengate/detail/sync.hpp"

/// @file
/// What connects one gate with one worker: a ring of slots that are the mailbox on the way there
/// and bring the results on the way back, and how far each side has come with them.
///
/// Invariants
///  - Slots are sent and come back in their order, round and round. A slot is the worker's from the
///    moment in which `sent` passes it until `returned` does, and the gate's else. The number of
///    slots is the number of credits, so that neither side ever waits for room in the ring.
///  - The word of a slot alone decides who gets its token: the worker that starts it, or the gate
///    that pulls it back (withdrawal, expiry, another worker is idle). Whoever exchanges it out
///    owns the token. A slot that comes to its worker empty is a husk and goes straight back.

namespace tokengate::detail {

struct token_base;

/// How long a function is expected to take.
enum class run_length : std::uint8_t {
  brief,  ///< so little that results before it may be published together with its own
  medium,
  lengthy  ///< a hand-over or more, or nobody knows: other gates send their tokens elsewhere
};

/// One word, since it travels: the address of the token, and in its lowest bits how long the
/// function is expected to take.
template <class Token, class Sync>
class basic_slot {
 public:
  /// Gate. relaxed: handing the slot over publishes it.
  void put(Token& token, run_length expected) noexcept {
    word_.store(reinterpret_cast<std::uintptr_t>(&token) | static_cast<std::uintptr_t>(expected),
                std::memory_order_relaxed);
  }
  /// Worker: the token is its own from now on. Null when the gate has pulled it back.
  /// acq_rel: whoever loses must see what the winner did with the token before. See claim.pml.
  /// seq_cst: before the worker looks whether the drain has parked, see was_taken().
  [[nodiscard]] Token* take() noexcept {
    return token_in(word_.exchange(0, std::memory_order_seq_cst));
  }
  /// Gate: true when the token is its own again. Orders as in take().
  [[nodiscard]] bool pull_back() noexcept {
    // relaxed: only the gate puts tokens here, so it is the one that it knows, or none.
    std::uintptr_t seen = word_.load(std::memory_order_relaxed);
    return seen != 0 && word_.compare_exchange_strong(seen, 0, std::memory_order_acq_rel);
  }

  /// A look, which may be late: the token that has not been taken.
  [[nodiscard]] Token const* look() const noexcept {
    return token_in(word_.load(std::memory_order_relaxed));
  }
  /// Gate, of a slot that it has not pulled back: its worker has come so far, so it is done with
  /// all slots before. acquire: what was written to their tokens is visible. seq_cst: after the
  /// drain has parked, so that either it sees here what the worker holds back, or the worker sees
  /// it parked.
  [[nodiscard]] bool was_taken() const noexcept {
    return word_.load(std::memory_order_seq_cst) == 0;
  }
  [[nodiscard]] run_length expected() const noexcept {
    return static_cast<run_length>(word_.load(std::memory_order_relaxed) & length_bits);
  }

 private:
  static constexpr std::uintptr_t length_bits = 3;

  [[nodiscard]] static Token* token_in(std::uintptr_t word) noexcept {
    static_assert(alignof(Token) > length_bits);
    return reinterpret_cast<Token*>(word & ~length_bits);
  }

  typename Sync::template atomic<std::uintptr_t> word_{0};
};
struct slot : basic_slot<token_base, std_sync> {};

/// How many slots one side has handed over to the other so far.
template <class Sync>
class basic_slot_count {
 public:
  /// Its only writer. release: what lies in the slots goes with them.
  void hand_over(std::uint64_t count) noexcept { count_.store(count, std::memory_order_release); }
  /// The other side. acquire: pairs with hand_over().
  [[nodiscard]] std::uint64_t handed_over() const noexcept {
    return count_.load(std::memory_order_acquire);
  }

 private:
  typename Sync::template atomic<std::uint64_t> count_{0};
};
using slot_count = basic_slot_count<std_sync>;

/// The side of a gate that a worker sees: where to say that results have been returned.
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

/// The side of a worker that all its gates see.
struct worker_front {
  alignas(cache_line) parking_word<> parking{};  ///< gates write it with each batch
  /// It runs a lengthy function, of whatever gate. A hint, given where a worker has several gates.
  alignas(cache_line) std::atomic<bool> occupied{false};
};

/// One gate and one worker. Shared by both, so that either may go first.
struct link {
  static constexpr std::size_t capacity = 64;

  explicit link(std::shared_ptr<return_bell> gate, std::size_t position, std::size_t core,
                std::uint8_t lane) noexcept
      : bell(std::move(gate)), position(position), core(core), lane(lane) {}

  alignas(cache_line) slot_count sent;  ///< written by the holder of the gate's combiner
  /// Beside it: the token in the first of the slots that were sent last. Only for asking for its
  /// memory while the slot itself is on its way.
  std::atomic<token_base const*> first{nullptr};
  alignas(cache_line) slot_count returned;  ///< written by the worker
  alignas(cache_line) std::array<slot, capacity> slots{};
  [[nodiscard]] slot& at(std::uint64_t count) noexcept { return slots[count % capacity]; }

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
