// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <utility>

#include "gate_core.hpp"

namespace tokengate::detail {

/// One turn of the loop with this gate. Takes the tokens that its handlers issue into the books
/// ahead, and the tokens that it ended out of them at the end.
class gate_core::turn {
 public:
  explicit turn(gate_core& gate) noexcept;
  ~turn();

  /// Before the handlers of a batch run, inside the combiner.
  void prepare(std::size_t handlers) noexcept;
  /// Outside of it. What is left of the batch when a handler throws, or at `until`, comes first in
  /// the next turn.
  void deliver(intrusive_list<token_base>& batch, std::uint64_t now, std::uint64_t until);

 private:
  gate_core& gate_;
  delivery const outer_;  ///< of a handler that runs its loop inside itself
  std::uint64_t ended_ = 0;
};

}  // namespace tokengate::detail
