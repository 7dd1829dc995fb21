// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "workload.hpp"

namespace perf {

/// One figure of the result.
struct row {
  std::string workload;
  std::string variant;
  std::string metric;
  double median = 0;
  double mad = 0;
  std::size_t runs = 0;
  std::string unit;
  /// How many times better than the best stock idiom of the same run; nothing where there is none,
  /// where better has no meaning, or where one of the two is 0.
  std::optional<double> ratio_to_best_stock;
};

/// The samples of one variant, one per run.
struct record {
  variant const* who;
  std::vector<sample> runs;
};

/// Medians, dispersions and ratios of one workload.
std::vector<row> summarise(workload const& what, std::vector<record> const& records);

/// Those of one workload.
std::vector<row> rows_of(std::string const& workload, std::vector<row> const& all);

/// For people: a line per variant, a column per metric.
void print_table(std::ostream& to, workload const& what, std::vector<row> const& rows);

/// The figure as people like it: fewer digits for larger ones.
std::string readable(double value);

/// For machines: a list of rows.
void write_json(std::ostream& to, std::vector<row> const& rows);

/// Reads such a list. Throws std::runtime_error with file and place unless it is whole and well
/// formed.
std::vector<row> read_json(std::string const& file);

}  // namespace perf
