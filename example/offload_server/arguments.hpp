// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#pragma once

#include <cstddef>
#include <string>

#include "proof.hpp"
#include "session.hpp"

namespace offload_server {

struct arguments {
  bool help = false;
  bool proof = false;
  proof_settings proving;
  server_options serving;
  std::size_t max_cores = 0;
};

/// Reads the command line. Throws std::invalid_argument, with a message for people, for anything
/// it does not know.
arguments parse(int count, const char* const* values);

extern const char* const usage;

}  // namespace offload_server
