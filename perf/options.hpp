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
  std::vector<std::string> read;     ///< files of rows, instead of measuring
  std::vector<std::string> fresh;    ///< those of `read` that are new; empty means all
  std::vector<std::string> with;     ///< runs of the library as it is, and
  std::vector<std::string> without;  ///< without its statistics: what is the difference?
  std::string plot;                  ///< folder for the plots
  std::vector<std::string> tables;   ///< documents whose tables are refreshed
  std::string stamp;                 ///< put beside the tables
  std::size_t repeat = 10;
  double scale = 1;
  std::size_t tokens = 20'000;
  unsigned seed = 1;
};

/// Reads the command line; throws std::invalid_argument with a message for the user.
options read_options(int argc, char** argv);

std::string usage_text();

}  // namespace perf
