// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <string>
#include <vector>

#include "contest.hpp"

namespace perf {

/// A way to place the threads that is not the usual one of this suite.
struct setting {
  std::string name;
  std::string question;
  setup how;
  entrants who;
  double cores;       ///< so many its functions could use
  std::string share;  ///< these, in words
};

/// What a user has who pins nothing: workers on every core, one anywhere, a container.
std::vector<setting> other_settings();

}  // namespace perf
