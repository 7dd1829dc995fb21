// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <string>
#include <vector>

#include "report.hpp"

namespace perf {

/// What documents are refreshed from.
struct results {
  std::vector<row> rows;   ///< all there is
  std::vector<row> fresh;  ///< those of them that were measured just now
  std::string stamp;       ///< put beside each table of these: date and commit
};

/// Puts the results into a document of Markdown, between its markers
///     <!-- figures:begin NAME -->  and  <!-- figures:end NAME -->
///
/// A block of tables takes the workloads that belong there (blocks() in tables.cpp); a table that
/// is there already and has no fresh rows stays. `machine` tells what it was measured on. A block
/// without a name, or named `summary`, gets the short table of all; `targets` what was aimed at
/// beside what was reached; `losses` where a stock idiom is better: each if all its rows are there.
/// Blocks with other names, and all text outside, are left alone.
///
/// Gives the names of the blocks that it wrote. Throws std::runtime_error for a file that cannot be
/// read or written, or a block without an end.
std::vector<std::string> refresh_tables(std::string const& file, results const& from);

/// The tables of a block and its plots, as far as they are in `plot/` of the document's folder;
/// `earlier` is what the block holds now. Empty when there is nothing new, or no such block.
std::string table_block(std::string const& name, std::string const& earlier,
                        std::string const& folder, results const& from);
/// The three lists over all workloads; empty when rows are missing.
std::string summary_block(std::vector<row> const& rows, std::string const& stamp);
std::string targets_block(std::vector<row> const& rows);
std::string losses_block(std::vector<row> const& rows);
/// Processor, system, compiler, libraries, and when.
std::string machine(std::string const& stamp);
std::string machine_block(std::string const& stamp);

}  // namespace perf
