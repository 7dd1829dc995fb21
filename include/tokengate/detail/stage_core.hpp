// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

/// @file
/// One stage of a pipeline: how many items it may hold, and which result leaves next.
///
/// Invariants: an item occupies one slot from take() to sent(). At most `parallel` of them are in
/// work and at most `window` in the stage at all, so that a slow head keeps a bounded number of
/// results waiting behind it. At most one result is on its way out at a time, hence results leave
/// in the order in which next() named them.

namespace tokengate::detail {

/// The state machine of a stage. Not locked. Items are named by their slot, 0 to window - 1.
class stage_core {
 public:
  /// `ordered`: results leave in the order in which their items were taken, else as they come.
  stage_core(std::size_t parallel, std::size_t window, bool ordered)
      : parallel_(parallel == 0 ? 1 : parallel),
        ordered_(ordered),
        slots_(window < parallel_ ? parallel_ : window) {
    if (!ordered_) {
      free_.reserve(slots_.size());
      for (std::size_t i = slots_.size(); i != 0; --i) free_.push_back(i - 1);
    }
  }

  [[nodiscard]] std::size_t window() const noexcept { return slots_.size(); }

  /// Whether another item may be taken from the input now.
  [[nodiscard]] bool may_take() const noexcept {
    return !input_ended_ && in_work_ < parallel_ && held_ < slots_.size();
  }
  /// Takes one. It is in work.
  [[nodiscard]] std::size_t take() noexcept {
    assert(may_take());
    std::size_t const slot = ordered_ ? tail_ : free_.back();
    if (ordered_)
      tail_ = next_of(tail_);
    else
      free_.pop_back();
    assert(slots_[slot].at == state::empty);
    slots_[slot].at = state::in_work;
    ++in_work_;
    ++held_;
    return slot;
  }

  /// The result of a slot is there.
  void done(std::size_t slot) noexcept {
    assert(slots_[slot].at == state::in_work);
    slots_[slot].at = state::ready;
    --in_work_;
    if (ordered_) return;
    // A queue through the slots, oldest result first.
    slots_[slot].next = none;
    if (head_ready_ == none)
      head_ready_ = slot;
    else
      slots_[last_ready_].next = slot;
    last_ready_ = slot;
  }

  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  /// The slot whose result has to be sent now; none: no result may leave yet, or one is on its way.
  [[nodiscard]] std::size_t next() noexcept {
    if (sending_) return none;
    std::size_t const slot = ordered_ ? head_ : head_ready_;
    if (slot == none || slots_[slot].at != state::ready) return none;
    sending_ = true;
    return slot;
  }
  /// The result that next() named has left.
  void sent(std::size_t slot) noexcept {
    assert(sending_ && slots_[slot].at == state::ready);
    sending_ = false;
    slots_[slot].at = state::empty;
    --held_;
    if (ordered_) {
      head_ = next_of(head_);
    } else {
      head_ready_ = slots_[slot].next;
      free_.push_back(slot);  // reserved
    }
  }

  /// No more items will come, or be taken.
  void end_input() noexcept { input_ended_ = true; }
  [[nodiscard]] bool input_ended() const noexcept { return input_ended_; }
  [[nodiscard]] bool finished() const noexcept { return input_ended_ && held_ == 0; }

  [[nodiscard]] std::size_t in_work() const noexcept { return in_work_; }
  [[nodiscard]] std::size_t held() const noexcept { return held_; }

 private:
  enum class state : std::uint8_t { empty, in_work, ready };
  struct slot_state {
    state at = state::empty;
    std::size_t next = none;
  };

  [[nodiscard]] std::size_t next_of(std::size_t slot) const noexcept {
    return slot + 1 == slots_.size() ? 0 : slot + 1;
  }

  std::size_t const parallel_;
  bool const ordered_;
  bool input_ended_ = false;
  bool sending_ = false;
  std::size_t in_work_ = 0;
  std::size_t held_ = 0;
  std::size_t head_ = 0;  ///< ordered: the oldest item, and the next free slot
  std::size_t tail_ = 0;
  std::size_t head_ready_ = none;  ///< not ordered: results by their age
  std::size_t last_ready_ = none;
  std::vector<slot_state> slots_;
  std::vector<std::size_t> free_;
};

}  // namespace tokengate::detail
