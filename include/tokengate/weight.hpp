// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tokengate {

/// How much CPU time an operation takes, and so which lane its tokens travel in.
///
/// A lane is a thread of its own on each core. The operating system preempts between lanes, so a
/// light token never waits for the end of a heavy one's function.
enum class weight : std::uint8_t {
  light,   ///< up to some tens of microseconds: parsing, a lookup, a small hash
  medium,  ///< up to a millisecond or so: rendering, compressing a page
  heavy,   ///< longer: password hashing, model scoring, archives
};

/// Number of lanes, one per weight.
inline constexpr std::size_t lane_count = 3;

/// Index of the lane in arrays of `lane_count` elements.
constexpr std::size_t lane_index(weight lane) noexcept {
  return static_cast<std::size_t>(lane);
}

/// Name of the weight as it appears in logs and snapshots.
constexpr std::string_view to_string(weight lane) noexcept {
  switch (lane) {
    case weight::light:
      return "light";
    case weight::medium:
      return "medium";
    case weight::heavy:
      return "heavy";
  }
  return "unknown";
}

}  // namespace tokengate
