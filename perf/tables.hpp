// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <string>
#include <vector>

#include "report.hpp"

namespace perf {

/// Puts the rows into a document of Markdown, between its markers
///     <!-- figures:begin NAME -->  and  <!-- figures:end NAME -->
///
/// A block of tables takes the workloads that belong there (figure_blocks below); a table that is
/// there already and has no new rows stays. `machine` tells what it was measured on; a block
/// without a name, or named `summary`, gets the short table of all, if all its rows are there.
/// Blocks with other names, and all text outside, are left alone.
///
/// `stamp` is put beside each table: date and commit. Gives the names of the blocks that it wrote.
/// Throws std::runtime_error for a file that cannot be read or written, or a block without an end.
std::vector<std::string> refresh_tables(std::string const& file, std::vector<row> const& rows,
                                        std::string const& stamp);

/// The tables of a block and its plot, if that is in `plot/` of the document's folder; `earlier` is
/// what the block holds now. Empty when there is nothing new, or no such block.
std::string table_block(std::string const& name, std::string const& earlier,
                        std::string const& folder, std::vector<row> const& rows,
                        std::string const& stamp);
/// The short table; empty when rows are missing.
std::string summary_block(std::vector<row> const& rows, std::string const& stamp);
/// Processor, system, compiler, libraries.
std::string machine_block(std::string const& stamp);

}  // namespace perf
