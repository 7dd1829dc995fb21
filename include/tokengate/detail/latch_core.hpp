// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>

#include "tokengate/detail/event_core.hpp"

namespace tokengate::detail {

/// A door that opens once, when a count has come down to 0.
class latch_core : public event_core {
 public:
  explicit latch_core(std::size_t count) noexcept : event_core(count == 0), count_(count) {}

  /// Never below 0.
  void count_down(std::size_t by, woken_list& woken) noexcept {
    if (count_ == 0) return;
    count_ -= by < count_ ? by : count_;
    if (count_ == 0) open(woken);
  }

  [[nodiscard]] std::size_t count() const noexcept { return count_; }

 private:
  using event_core::open;
  using event_core::shut;
  std::size_t count_;
};

}  // namespace tokengate::detail
