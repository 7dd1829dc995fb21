// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <array>
#include <cstdint>

#include "mc/sync.hpp"

namespace tokengate::mc {

/// What matters of a single-producer ring for the protocols around it: entries are plain, and the
/// index that publishes them is stored with release and loaded with acquire. It never wraps.
class test_ring {
 public:
  void push(int value) {
    entries_.at(written_) = value;
    written_ = written_ + 1;
    tail_.store(written_, std::memory_order_release);
  }

  /// Consumer: calls visit(value) for what is there, at most `budget`; how many.
  template <class Visit>
  unsigned consume(unsigned budget, Visit visit) {
    const std::uint32_t tail = tail_.load(std::memory_order_acquire);
    unsigned count = 0;
    while (read_ != tail && count < budget) {
      visit(static_cast<int>(entries_.at(read_)));
      read_ = read_ + 1;
      ++count;
    }
    return count;
  }

 private:
  std::array<var<int>, 4> entries_;
  var<std::uint32_t> written_{0U};  ///< producer
  var<std::uint32_t> read_{0U};     ///< consumer
  atomic<std::uint32_t> tail_{0U};
};

}  // namespace tokengate::mc
