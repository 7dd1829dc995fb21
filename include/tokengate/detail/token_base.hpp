// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>

#include "tokengate/detail/combiner.hpp"
#include "tokengate/detail/deadline_heap.hpp"
#include "tokengate/detail/intrusive_list.hpp"
#include "tokengate/error.hpp"
#include "tokengate/token_options.hpp"
#include "tokengate/token_state.hpp"

/// @file
/// The part of a token that dispatcher, gate and worker see without knowing its function, result or
/// handler.
///
/// Invariants: who may touch what, when
///  - Until it is admitted: the issuing thread, then the holder of the gate's combiner.
///  - From the moment its worker has claimed it until it comes back on the return ring it is the
///    worker's, except `flags`, which any thread may change, and the constant fields.
///  - After the pointer was handed on (note, mailbox, return ring, delivery) nothing of it is
///  touched.

namespace tokengate::detail {

/// A span of ticks in half the space: exact to 24 bits, for spans of any length.
using tick_span = float;

/// By way of signed numbers, for which there is an instruction each.
[[nodiscard]] inline tick_span span_of(std::uint64_t from, std::uint64_t to) noexcept {
  auto const ticks = static_cast<std::int64_t>(to - from);
  return ticks > 0 ? static_cast<tick_span>(ticks) : 0;
}
[[nodiscard]] inline std::uint64_t ticks_of(tick_span span) noexcept {
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(span));
}

struct operation_record;
struct key_record;
struct external_stop;
struct slot;
struct token_base;

/// What only some tokens need: deadline, key, cancellation, the token they were issued from.
struct token_extras {
  using time_point = std::chrono::steady_clock::time_point;

  time_point deadline = time_point::max();
  time_point admit_until = time_point::max();
  std::uint64_t key = 0;
  key_record* bound = nullptr;  ///< the live record of the key
  note stop_note;
  token_base* owner = nullptr;
  std::size_t heap_index = not_in_heap;
  std::uint64_t lead = 0;             ///< id of the token that issued this one, 0 for none
  std::uint32_t near_core = no_core;  ///< where the lead ran
  external_stop* external = nullptr;  ///< the caller's std::stop_token, if one was given
  bool has_key = false;
  bool granted = false;  ///< holds a place under its operation's max_concurrency
  bool note_worked_off = false;
  bool ask_later = false;      ///< its function is to be asked to stop once the note was worked off
  bool held_for_note = false;  ///< ended, waits for its stop note before it may be freed

  static constexpr std::uint32_t no_core = std::numeric_limits<std::uint32_t>::max();
};

/// How a token is ended on the issuing side.
enum class ending : std::uint8_t {
  deliver,  ///< invoke the handler on its executor
  destroy   ///< the context goes away: destroy the handler without invoking it
};

struct token_ops {
  /// Worker: runs the function, keeps value or exception in the token. True when it returned.
  bool (*run)(token_base&) noexcept;
  /// Issuing side, outside the combiner: frees the token, then invokes or destroys its handler. May
  /// throw what the handler throws; the token is gone in any case.
  void (*end)(token_base*, ending);
  /// Asks a function that takes a std::stop_token to stop. Any thread.
  void (*request_stop)(token_base&) noexcept;
  /// Destroys the handler of a token whose function is still running, and makes `end` skip it.
  void (*abandon)(token_base&) noexcept;
};

/// In two parts, so that one cache line of it travels to the worker and back, with the function and
/// its result right behind: blocks of the pool are aligned to a line.
struct token_base : list_hook<> {
  enum flag : std::uint8_t {
    stop_requested = 1,  ///< visible to the running function
    stop_noted = 2,      ///< a stop note was left, or is about to be
    ended = 4,           ///< the outcome is settled: a later stop request does nothing
    abandoned = 8,       ///< its handler was destroyed while the function runs
    leads = 16,          ///< it has issued others from inside its function
    timed = 32           ///< it has a deadline; constant from its issue on
  };
  enum class place : std::uint8_t {
    outside,
    waiting_room,  ///< not admitted: its lane's backlog is full
    backlog,
    limited,   ///< waits for max_concurrency of its operation
    follower,  ///< waits behind a limited token of the same key
    pinned,    ///< waits for a credit of the worker that its key is bound to
    slot,      ///< in a mailbox, or claimed by its worker
    ready      ///< ended, waits for delivery
  };

  token_base(const token_ops& ops, operation_record& operation) noexcept
      : operation(&operation), ops(&ops) {}

  /// From its admission on.
  struct admitted {
    std::uint64_t id = 0;
    union {
      detail::slot* slot = nullptr;  ///< while `where` is slot
      error why;                     ///< while it is ready, if its function did not run
    };
  };

  // -- a cache line, with the list's links, that a worker has no business in --
  operation_record* operation;
  token_extras* extras = nullptr;
  std::uint64_t issued = 0;  ///< ticks
  union on_the_way {
    on_the_way() noexcept : in() {}
    admitted in;
    detail::note note;  ///< while it is left with the holder of the combiner, before its admission
  } way;
  tick_span dispatched = 0;  ///< after `issued`
  place where = place::outside;
  std::uint8_t lane = 0;
  admission policy = admission::wait;
  bool simple = false;  ///< known when admitted: no extras, and no limit of its operation

  // -- the line that travels --
  const token_ops* ops;
  std::uint64_t started = 0;  ///< ticks
  tick_span ran = 0;          ///< after it was started
  std::atomic<std::uint8_t> flags{0};
  token_state outcome = token_state::created;

  [[nodiscard]] bool wants_stop() const noexcept {
    return (flags.load(std::memory_order_relaxed) & stop_requested) != 0;
  }
  [[nodiscard]] bool leads_others() const noexcept {
    return (flags.load(std::memory_order_relaxed) & leads) != 0;
  }
  /// Worker: leaves the gate's line alone where it can.
  [[nodiscard]] bool has_passed_deadline() const noexcept {
    return (flags.load(std::memory_order_relaxed) & timed) != 0 &&
           extras->deadline <= std::chrono::steady_clock::now();
  }
  [[nodiscard]] std::chrono::steady_clock::time_point deadline() const noexcept {
    return extras ? extras->deadline : token_extras::time_point::max();
  }
};

static_assert(sizeof(void*) != 8 || sizeof(token_base) == cache_line + 24);

}  // namespace tokengate::detail
