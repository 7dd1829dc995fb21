// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tables.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "statistics_cost.hpp"
#include "workload.hpp"

namespace perf {
namespace {

/// A block of the document and what its workloads' names begin with.
struct block {
  std::string name;
  std::vector<std::string> beginnings;
  std::vector<std::string> plots;
};

std::vector<block> const& blocks() {
  static std::vector<block> const all{
      {"round_trip", {"round_trip_"}, {"round_trip"}},
      {"throughput", {"throughput_", "instructions"}, {"throughput", "throughput_cpu"}},
      {"efficiency", {"efficiency_"}, {"efficiency"}},
      {"parallelism", {"burst", "window"}, {}},
      {"overload", {"overload_", "refusal"}, {}},
      {"loops", {"two_gates", "loop_echo"}, {}},
      {"memory", {"memory", "million_"}, {}},
      {"idle", {"idle"}, {}},
      {"statistics", {"statistics_"}, {}},
      {"communication",
       {"channel_", "bus_", "lock_", "semaphore_", "scope_", "actor_", "pipeline_"},
       {}}};
  return all;
}

bool belongs(block const& to, std::string const& workload) {
  return std::any_of(to.beginnings.begin(), to.beginnings.end(),
                     [&](std::string const& begin) { return workload.starts_with(begin); });
}

std::vector<workload> const& known() {
  static auto const all = [] {
    auto measured = all_workloads();
    auto others = statistics_workloads();
    measured.insert(measured.end(), others.begin(), others.end());
    return measured;
  }();
  return all;
}

/// A column of a table; rates in millions where there are some.
struct column {
  metric const* what;
  double unit = 1;
  std::string unit_name;
};

std::vector<column> columns(workload const& of, std::vector<row> const& rows) {
  std::vector<column> all;
  for (auto const& figure : of.metrics) {
    if (!figure.in_table) continue;
    bool any = false;
    double most = 0;
    for (auto const& each : rows)
      if (each.workload == of.name && each.metric == figure.name) {
        any = true;
        most = std::max(most, each.median);
      }
    bool const millions = figure.unit == "1/s" && most >= 1e6;
    if (any) all.push_back({&figure, millions ? 1e6 : 1, millions ? "million/s" : figure.unit});
  }
  return all;
}

std::string cell(row const& from, column const& of) {
  auto shown = with_unit(
      readable(from.median / of.unit) + " \u00b1 " + readable(from.mad / of.unit), of.unit_name);
  if (from.ratio_to_best_stock) shown += " (" + readable(*from.ratio_to_best_stock) + "x)";
  return shown;
}

std::string line(variant const& who, workload const& what, std::vector<column> const& metrics,
                 std::vector<row> const& rows) {
  std::string cells;
  bool any = false;
  for (auto const& each : metrics) {
    auto const* const figure = find_row(rows, what.name, who.name, each.what->name);
    cells += " | " + (figure != nullptr ? cell(*figure, each) : std::string{});
    any = any || figure != nullptr;
  }
  return any ? "| " + who.name + cells + " |\n" : std::string{};
}

std::string table(workload const& what, std::vector<row> const& rows, std::string const& stamp) {
  auto const metrics = columns(what, rows);
  if (metrics.empty()) return {};
  auto const runs = rows_of(what.name, rows).front().runs;
  std::ostringstream to;
  to << '`' << what.name << "`: " << what.question << " (" << stamp << ", " << runs
     << (runs == 1 ? " run" : " runs") << ")\n\n|";
  for (auto const& each : metrics) to << " | " << each.what->name;
  to << " |\n|";
  for (std::size_t at = 0; at <= metrics.size(); ++at) to << " --- |";
  to << '\n';
  for (auto const& who : what.variants) to << line(who, what, metrics, rows);
  return to.str();
}

std::string plots_of(block const& from, std::string const& folder) {
  std::string text;
  for (auto const& each : from.plots) {
    auto const plot = "plot/" + each + ".svg";
    if (std::filesystem::exists(folder + "/" + plot)) text += "![" + each + "](" + plot + ")\n";
  }
  return text;
}

/// The tables of a block as it is, by workload.
std::vector<std::pair<std::string, std::string>> split(std::string const& text) {
  std::vector<std::pair<std::string, std::string>> parts;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    auto const end = line.starts_with('`') ? line.find('`', 1) : std::string::npos;
    if (end != std::string::npos) parts.emplace_back(line.substr(1, end - 1), "");
    if (!parts.empty()) parts.back().second += line + '\n';
  }
  return parts;
}

std::string whole(std::string const& file) {
  std::ifstream from{file};
  if (!from) throw std::runtime_error("cannot read " + file);
  return {std::istreambuf_iterator<char>{from}, {}};
}

std::string block_of(std::string const& name, std::string const& earlier, std::string const& folder,
                     results const& from) {
  if (name == "machine") return machine_block(from.stamp);
  if (name == "summary") return summary_block(from.rows, from.stamp);
  if (name == "targets") return targets_block(from.rows);
  if (name == "losses") return losses_block(from.rows);
  return table_block(name, earlier, folder, from);
}

}  // namespace

std::string table_block(std::string const& name, std::string const& earlier,
                        std::string const& folder, results const& from) {
  auto const& all = blocks();
  auto const which =
      std::find_if(all.begin(), all.end(), [&](block const& each) { return each.name == name; });
  if (which == all.end()) return {};
  auto const old = split(earlier);
  auto text = plots_of(*which, folder);
  bool fresh = false;
  for (auto const& each : known()) {
    if (!belongs(*which, each.name)) continue;
    auto part = table(each, from.fresh, from.stamp);
    fresh = fresh || !part.empty();
    if (part.empty())
      for (auto const& [workload, lines] : old)
        if (workload == each.name) part = lines.substr(0, lines.find_last_not_of('\n') + 1) + '\n';
    if (part.empty()) continue;
    if (!text.empty()) text += '\n';
    text += part;
  }
  return fresh ? text : std::string{};
}

std::vector<std::string> refresh_tables(std::string const& file, results const& from) {
  std::string const begin = "<!-- figures:begin";
  std::string const end = "<!-- figures:end";
  auto text = whole(file);
  auto const parent = std::filesystem::path{file}.parent_path().string();
  auto const folder = parent.empty() ? std::string{"."} : parent;
  std::vector<std::string> written;
  for (auto at = text.find(begin); at != std::string::npos; at = text.find(begin, at + 1)) {
    auto const line_end = text.find('\n', at);
    auto const stop = text.find(end, at);
    if (line_end == std::string::npos || stop == std::string::npos || stop < line_end)
      throw std::runtime_error(file + ": a block of figures without an end");
    std::istringstream words{text.substr(at + begin.size(), line_end - at - begin.size())};
    std::string name;
    words >> name;
    if (name == "-->") name = "summary";
    auto const first = line_end + 1;
    auto const fresh = block_of(name, text.substr(first, stop - first), folder, from);
    if (fresh.empty()) continue;
    text.replace(first, stop - first, fresh);
    written.push_back(name);
  }
  std::ofstream to{file};
  to << text;
  to.close();
  if (!to) throw std::runtime_error("cannot write " + file);
  return written;
}

}  // namespace perf
