// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#pragma once

#include <chrono>
#include <cstddef>

namespace offload_server {

struct proof_settings {
  std::size_t max_cores = 0;            ///< 0 = all that this process may use
  std::chrono::seconds per_mode{4};     ///< of HTTP load, for each of the three modes
  std::chrono::seconds for_window{10};  ///< of the sustained window, for each contender
};

/// Shows the server at work, in figures. Returns true if every answer was right.
bool run_proof(const proof_settings& settings);

}  // namespace offload_server
