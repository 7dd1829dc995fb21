// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <array>
#include <bit>
#include <boost/lockfree/spsc_queue.hpp>
#include <cstdint>

#include "tokengate/detail/sync.hpp"
#include "tokengate/detail/token_base.hpp"

/// @file
/// Where the handlers of one turn leave what they issue, so that the gate admits and publishes it
/// in batches and not one by one.
///
/// Invariants
///  - A stage has one producer: the thread whose turn took it, until it gives it back, empty.
///  - Its consumer is whoever holds the gate's combiner. So any thread that enters admits what lies
///    in the stages of all others, before what it came for: tokens keep their order, and nobody
///    depends on the thread that staged a token.
///
/// Model: test/model/stage_test.cpp.

namespace tokengate::detail {

/// The ring of a turn.
struct alignas(cache_line) issue_stage {
  /// Producer. False when it is full.
  [[nodiscard]] bool push(token_base& token) noexcept { return ring_.push(&token); }
  /// Holder of the combiner.
  template <class Visitor>
  void consume(Visitor visit) {
    ring_.consume_all([&](token_base* token) { visit(*token); });
  }

 private:
  boost::lockfree::spsc_queue<token_base*, boost::lockfree::capacity<64>> ring_;
};

/// The stages of a gate: as many turns at a time may have one. A turn without one issues directly.
template <class Sync, class Stage, std::size_t count>
class basic_issue_stages {
 public:
  [[nodiscard]] Stage* take() noexcept {
    for (std::uint32_t bit = 1; bit != 1u << count; bit <<= 1)
      // acquire: what the last producer did with the stage comes before.
      if ((in_use_.load(std::memory_order_relaxed) & bit) == 0 &&
          (in_use_.fetch_or(bit, std::memory_order_acquire) & bit) == 0)
        return &stages_[index_of(bit)];
    return nullptr;
  }
  /// It must be empty.
  void give_back(Stage* stage) noexcept {
    // release: pairs with take().
    in_use_.fetch_and(~(1u << (stage - stages_.data())), std::memory_order_release);
  }

  /// Holder of the combiner: visits what lies in all stages, oldest first in each. Whoever must see
  /// a token here has it from its issuer, hence sees the bit of its stage too: relaxed.
  template <class Visitor>
  void consume(Visitor visit) {
    for (auto used = in_use_.load(std::memory_order_relaxed); used != 0; used &= used - 1)
      stages_[index_of(used)].consume(visit);
  }

 private:
  [[nodiscard]] static std::size_t index_of(std::uint32_t bits) noexcept {
    return static_cast<std::size_t>(std::countr_zero(bits));
  }

  typename Sync::template atomic<std::uint32_t> in_use_{0};
  std::array<Stage, count> stages_;
};
using issue_stages = basic_issue_stages<std_sync, issue_stage, 4>;

}  // namespace tokengate::detail
