// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "tokengate/weight.hpp"

namespace tokengate {

/// How one stage of a pipeline works. Trivially destructible, see token_options.
struct stage_options {
  /// The name in statistics. Only viewed: a string literal always lives long enough.
  std::string_view name{"stage"};
  /// The lane of its tokens, if its function is not a coroutine.
  tokengate::weight weight = tokengate::weight::medium;
  /// Items that are worked on at once.
  std::size_t parallel = 1;
  /// Whether results leave in the order in which the items came, or as they come.
  bool ordered = true;
  /// Items in the stage, those included whose results wait for an older one or for room; 0: twice
  /// `parallel`.
  std::size_t window = 0;
  /// Results that may lie behind it, for the next stage or to be pulled.
  std::size_t capacity = 16;
};

static_assert(std::is_trivially_destructible_v<stage_options>);

struct stage_snapshot {
  std::string name{};
  std::uint64_t taken = 0;
  std::uint64_t left = 0;     ///< to the next stage; from a last stage without values: done
  std::uint64_t dropped = 0;  ///< after a failure or a cancellation; the one that failed, too
  std::size_t queued = 0;     ///< before the stage
};

/// A pipeline at one moment. pushed = completed + dropped + what is inside.
struct pipeline_snapshot {
  std::vector<stage_snapshot> stages{};
  std::uint64_t pushed = 0;
  std::uint64_t completed = 0;  ///< pulled, or done by a last stage without values
  std::uint64_t dropped = 0;
  bool failed = false;
  bool ended = false;  ///< no function runs, and none will
};

}  // namespace tokengate
