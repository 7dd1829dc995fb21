// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <type_traits>

#include "tokengate/token_options.hpp"

namespace tokengate {

/// What the failure of a child means for the other children of its scope.
enum class on_child_error : std::uint8_t {
  cancel_rest,  ///< the first one cancels the others; what has not started is withdrawn
  collect       ///< they go on
};

/// How a task scope treats its children. Trivially destructible, see token_options.
struct scope_options {
  on_child_error on_error = on_child_error::cancel_rest;
  /// Counted from the making of the scope. Then the children are cancelled, and the join gives
  /// error::deadline_passed unless all of them succeeded all the same.
  std::chrono::nanoseconds deadline = no_deadline;
  /// The most children that run at once; the others wait in the order of their spawning. 0: all.
  std::size_t max_concurrency = 0;
};

static_assert(std::is_trivially_destructible_v<scope_options>);

/// How one child ended: with a value, or with an error.
template <class T>
struct scope_result {
  std::size_t index = 0;  ///< in the order of spawning, from 0 after each join
  std::exception_ptr error{};
  std::optional<T> value{};
};
template <>
struct scope_result<void> {
  std::size_t index = 0;
  std::exception_ptr error{};
};

/// A scope at one moment.
struct scope_snapshot {
  std::uint64_t spawned = 0;  ///< since the beginning
  std::uint64_t failed = 0;   ///< of these, ended with an error or never started
  std::uint64_t refused = 0;  ///< came after the cancellation
  std::size_t live = 0;       ///< spawned and not ended
  std::size_t running = 0;
  std::size_t waiting = 0;  ///< for others to end
  bool cancelled = false;
};

}  // namespace tokengate
