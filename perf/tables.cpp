// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tables.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "workload.hpp"

namespace perf {
namespace {

/// A block of the document and what its workloads' names begin with.
struct block {
  std::string name;
  std::vector<std::string> beginnings;
  std::string plot;
};

std::vector<block> const& blocks() {
  static std::vector<block> const all{
      {"round_trip", {"round_trip_"}, "round_trip"},
      {"throughput", {"throughput_"}, "throughput"},
      {"efficiency", {"efficiency_"}, "efficiency"},
      {"parallelism", {"burst", "window"}, ""},
      {"overload", {"overload_", "refusal"}, ""},
      {"loops", {"two_gates", "loop_echo"}, ""},
      {"memory", {"memory", "million_"}, ""},
      {"idle", {"idle"}, ""},
      {"communication",
       {"channel_", "bus_", "lock_", "semaphore_", "scope_", "actor_", "pipeline_"},
       ""}};
  return all;
}

bool belongs(block const& to, std::string const& workload) {
  return std::any_of(to.beginnings.begin(), to.beginnings.end(),
                     [&](std::string const& begin) { return workload.starts_with(begin); });
}

std::string cell(row const& from) {
  auto shown = readable(from.median) + " \u00b1 " + readable(from.mad);
  if (from.unit != "count" && from.unit != "ratio") shown += " " + from.unit;
  if (from.ratio_to_best_stock) shown += " (" + readable(*from.ratio_to_best_stock) + "x)";
  return shown;
}

row const* find(std::vector<row> const& rows, std::string const& workload,
                std::string const& variant, std::string const& metric) {
  for (auto const& each : rows)
    if (each.workload == workload && each.variant == variant && each.metric == metric) return &each;
  return nullptr;
}

std::string table(workload const& what, std::vector<row> const& rows, std::string const& stamp) {
  std::vector<std::string> metrics;
  std::size_t runs = 0;
  for (auto const& figure : what.metrics)
    for (auto const& each : rows)
      if (figure.in_table && each.workload == what.name && each.metric == figure.name) {
        metrics.push_back(figure.name);
        runs = each.runs;
        break;
      }
  if (metrics.empty()) return {};
  std::ostringstream to;
  to << '`' << what.name << "`: " << what.question << " (" << stamp << ", " << runs
     << (runs == 1 ? " run" : " runs") << ")\n\n|";
  for (auto const& metric : metrics) to << " | " << metric;
  to << " |\n|";
  for (std::size_t column = 0; column <= metrics.size(); ++column) to << " --- |";
  to << '\n';
  for (auto const& who : what.variants) {
    std::string cells;
    bool any = false;
    for (auto const& metric : metrics) {
      auto const* const figure = find(rows, what.name, who.name, metric);
      cells += " | " + (figure != nullptr ? cell(*figure) : std::string{});
      any = any || figure != nullptr;
    }
    if (any) to << "| " << who.name << cells << " |\n";
  }
  return to.str();
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

}  // namespace

std::string table_block(std::string const& name, std::string const& earlier,
                        std::string const& folder, std::vector<row> const& rows,
                        std::string const& stamp) {
  auto const& all = blocks();
  auto const which =
      std::find_if(all.begin(), all.end(), [&](block const& each) { return each.name == name; });
  if (which == all.end()) return {};
  auto const old = split(earlier);
  std::string text;
  bool fresh = false;
  auto const plot = "plot/" + which->plot + ".svg";
  if (!which->plot.empty() && std::filesystem::exists(folder + "/" + plot))
    text = "![" + which->plot + "](" + plot + ")\n";
  for (auto const& each : all_workloads()) {
    if (!belongs(*which, each.name)) continue;
    auto part = table(each, rows, stamp);
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

std::vector<std::string> refresh_tables(std::string const& file, std::vector<row> const& rows,
                                        std::string const& stamp) {
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
    auto const fresh = name == "machine"   ? machine_block(stamp)
                       : name == "summary" ? summary_block(rows, stamp)
                                           : table_block(name, text.substr(first, stop - first),
                                                         folder, rows, stamp);
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
