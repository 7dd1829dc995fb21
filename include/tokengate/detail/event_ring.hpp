// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>
#include <memory>

#include "tokengate/detail/event_base.hpp"

namespace tokengate::detail {

/// A FIFO of events that grows by doubling up to a bound, and then stays as it is: a subscription
/// that is never behind costs little. Owns no reference; not thread-safe.
class event_ring {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] event_base& front() const noexcept { return *slots_[first_]; }

  /// Makes room for one more. False: no memory.
  [[nodiscard]] bool make_room() noexcept {
    if (size_ != places_) return true;
    std::size_t const wider = places_ == 0 ? 8 : places_ * 2;
    std::unique_ptr<event_base*[]> next(new (std::nothrow) event_base*[wider]);
    if (next == nullptr) return false;
    for (std::size_t i = 0; i != size_; ++i) next[i] = slots_[(first_ + i) & (places_ - 1)];
    slots_ = std::move(next);
    places_ = wider;
    first_ = 0;
    return true;
  }
  /// There is room.
  void push(event_base& event) noexcept {
    assert(size_ != places_);
    slots_[(first_ + size_++) & (places_ - 1)] = &event;
  }
  /// It is not empty.
  event_base& pop() noexcept {
    assert(size_ != 0);
    event_base& event = *slots_[first_];
    first_ = (first_ + 1) & (places_ - 1);
    --size_;
    return event;
  }

 private:
  std::unique_ptr<event_base*[]> slots_;
  std::size_t places_ = 0;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace tokengate::detail
