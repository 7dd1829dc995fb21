// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "plots.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>

#include "svg.hpp"

namespace perf {
namespace {

/// A line per variant, or none at all while anybody lacks a point: the figure `metric` of each
/// `workload` at its x.
struct point {
  double x;
  std::string workload;
  std::string metric;
};

std::vector<series> lines(std::vector<row> const& rows, std::vector<point> const& points) {
  std::vector<series> all;
  for (auto const& at : points)
    for (auto const& each : rows) {
      if (each.workload != at.workload || each.metric != at.metric) continue;
      auto same = std::find_if(all.begin(), all.end(),
                               [&](series const& line) { return line.name == each.variant; });
      if (same == all.end())
        same = all.insert(all.end(), {each.variant, {}, each.variant == "tokengate"});
      same->points.emplace_back(at.x, each.median);
    }
  auto const whole = [&](series const& line) { return line.points.size() == points.size(); };
  if (!std::all_of(all.begin(), all.end(), whole)) return {};
  return all;
}

/// Powers of ten around all values.
std::vector<tick> decades(std::vector<series> const& lines) {
  double low = 1e300;
  double high = 0;
  for (auto const& each : lines)
    for (auto const& [x, y] : each.points) {
      low = std::min(low, y);
      high = std::max(high, y);
    }
  if (!(low > 0) || !(high > 0)) return {};
  std::vector<tick> ticks;
  auto const last = std::max(std::ceil(std::log10(high)), std::floor(std::log10(low)) + 1);
  for (auto power = std::floor(std::log10(low)); power <= last; ++power) {
    auto const value = std::pow(10.0, power);
    auto const in = [value](double unit) {
      return std::to_string(static_cast<long>(std::llround(value / unit)));
    };
    auto label = value < 1e3 ? in(1) : value < 1e6 ? in(1e3) + "k" : in(1e6) + "M";
    if (value < 1) label = "0." + std::string(static_cast<std::size_t>(-power - 1), '0') + "1";
    ticks.push_back({value, std::move(label)});
  }
  return ticks;
}

void draw(std::string const& folder, std::string const& name, chart what) {
  if (what.lines.empty()) return;
  if (what.y_ticks.empty()) what.y_ticks = decades(what.lines);
  std::ofstream to{folder + "/" + name + ".svg"};
  write_svg(to, what);
  to.close();
  if (!to) throw std::runtime_error("cannot write " + folder + "/" + name + ".svg");
}

chart latency(std::vector<row> const& rows) {
  // Each nine takes the same room.
  auto const nines = [](double p) { return -std::log10(1 - p / 100); };
  std::vector<point> points;
  std::vector<tick> ticks;
  for (auto const* p : {"10", "25", "50", "75", "90", "99", "99.9"}) {
    points.push_back({nines(std::stod(p)), "round_trip_warm", "p" + std::string{p}});
    if (std::string{p} != "25") ticks.push_back({points.back().x, p});
  }
  return {"Warm round trip: how many per cent take no longer",
          "per cent of the tokens",
          "microseconds",
          ticks,
          {},
          false,
          true,
          lines(rows, points)};
}

chart throughput(std::vector<row> const& rows, std::string const& metric,
                 std::string const& label) {
  std::vector<point> points;
  std::vector<tick> ticks;
  for (auto const* number : {"32", "256", "4096"}) {
    points.push_back({std::stod(number), "throughput_callback_" + std::string{number}, metric});
    ticks.push_back({points.back().x, number});
  }
  return {"Empty tokens by callback, loop and one worker",
          "tokens outstanding",
          label,
          ticks,
          {},
          true,
          true,
          lines(rows, points)};
}

chart efficiency(std::vector<row> const& rows) {
  std::vector<point> points;
  std::vector<tick> ticks;
  for (auto const* length : {"1", "10", "100"}) {
    points.push_back({std::stod(length), "efficiency_" + std::string{length} + "us", "efficiency"});
    ticks.push_back({points.back().x, length});
  }
  std::vector<tick> const parts{{0, "0"},     {0.2, "0.2"}, {0.4, "0.4"},
                                {0.6, "0.6"}, {0.8, "0.8"}, {1, "1"}};
  return {"What functions get of their worker's core, 64 outstanding",
          "length of the function, microseconds",
          "efficiency",
          ticks,
          parts,
          true,
          false,
          lines(rows, points)};
}

}  // namespace

void draw_plots(std::string const& folder, std::vector<row> const& rows) {
  std::filesystem::create_directories(folder);
  draw(folder, "round_trip", latency(rows));
  draw(folder, "throughput", throughput(rows, "tokens_per_second", "tokens per second"));
  draw(folder, "throughput_cpu",
       throughput(rows, "tokens_per_cpu_second", "tokens per second of CPU time"));
  draw(folder, "efficiency", efficiency(rows));
}

}  // namespace perf
