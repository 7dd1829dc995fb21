// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>

#include "tokengate/token_options.hpp"

namespace tokengate::detail {

/// What applies to one call, beside its operation.
struct terms {
  explicit terms(token_options const& from = {}) noexcept
      : deadline(from.deadline),
        admit_within(from.admit_within),
        policy(from.admission),
        lane(from.weight),
        limited(from.max_concurrency != 0) {}

  std::chrono::nanoseconds deadline;
  std::chrono::nanoseconds admit_within;
  std::uint64_t key = 0;
  std::stop_token stop{};
  bool has_key = false;
  admission policy;
  weight lane;
  bool limited;  ///< the operation has a max_concurrency
};

}  // namespace tokengate::detail
