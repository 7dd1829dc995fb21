// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace tokengate {

enum class channel_flavour : std::uint8_t {
  any_to_any,  ///< any number of senders and receivers, on any threads
  /// One sender and one receiver: calls of one end do not overlap in time, whichever threads they
  /// come from. A ring without a lock while nobody waits. close() and cancel() from anywhere.
  one_to_one
};

/// What a channel is made with. Trivially destructible, so that it may be written in braces inside
/// any expression.
template <class T>
struct channel_options {
  /// Items that may lie in it; beside them there may be, for a moment, what cancelled receives gave
  /// back. 0 makes a rendezvous: a send ends when a receiver has the item.
  std::size_t capacity = 64;
  channel_flavour flavour = channel_flavour::any_to_any;
  /// All that lies in it together costs no more than that; one item that costs more passes alone.
  /// Beside `capacity`, which is not 0 then, and for channel_flavour::any_to_any only: for another
  /// channel max_cost or cost is an error at its construction, std::invalid_argument.
  std::size_t max_cost = std::numeric_limits<std::size_t>::max();
  /// What an item costs, for instance its bytes; 1 without it. Must not throw, and must give the
  /// same for the same item.
  std::size_t (*cost)(T const&) = nullptr;
};

}  // namespace tokengate
