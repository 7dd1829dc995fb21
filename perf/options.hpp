// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace perf {

struct options {
  bool help = false;
  bool list = false;
  std::vector<std::string> run;       ///< workloads; empty means all
  std::vector<std::string> variants;  ///< contenders; empty means all
  std::string json;
  std::size_t repeat = 10;
  double scale = 1;
  unsigned seed = 1;
};

/// Reads the command line; throws std::invalid_argument with a message for the user.
options read_options(int argc, char** argv);

std::string usage_text();

}  // namespace perf
