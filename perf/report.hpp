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

/// The rows with those of a later run, which replace all of the same workload.
std::vector<row> merged(std::vector<row> earlier, std::vector<row> const& later);

/// One of them, or null.
row const* find_row(std::vector<row> const& rows, std::string const& workload,
                    std::string const& variant, std::string const& metric);

/// The best of the stock idioms; null where none took part, or there is no better.
row const* best_stock_row(workload const& what, metric const& figure, std::vector<row> const& rows);

/// For people: a line per variant, a column per metric.
void print_table(std::ostream& to, workload const& what, std::vector<row> const& rows);

/// The figure as people like it: fewer digits for larger ones.
std::string readable(double value);

/// The same with its unit, where that is worth saying.
std::string with_unit(std::string const& figure, std::string const& unit);

/// For machines: a list of rows.
void write_json(std::ostream& to, std::vector<row> const& rows);

/// Reads such a list. Throws std::runtime_error with file and place unless it is whole and well
/// formed.
std::vector<row> read_json(std::string const& file);

}  // namespace perf
