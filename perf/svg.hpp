// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace perf {

struct series {
  std::string name;
  std::vector<std::pair<double, double>> points;  ///< by growing x
  bool emphasised = false;
};

struct tick {
  double at;
  std::string label;
};

/// A plot of lines. What lies outside the axes is cut.
struct chart {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<tick> x_ticks;  ///< the first and the last of them are the ends of the axis
  std::vector<tick> y_ticks;
  bool log_x = false;
  bool log_y = false;
  std::vector<series> lines;
};

void write_svg(std::ostream& to, chart const& what);

}  // namespace perf
