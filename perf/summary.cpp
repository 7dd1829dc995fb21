// Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// The short table: a line per question, our figure, the best of the stock idioms of the same run,
// and the ratio in words.
#include <cstdio>
#include <optional>

#include "tables.hpp"
#include "workload.hpp"

namespace perf {
namespace {

struct entry {
  std::string label;
  std::string workload;
  std::string metric;
  std::string variant = "tokengate";
};

std::vector<entry> const& entries() {
  static std::vector<entry> const all{
      {"warm round trip, p50", "round_trip_warm", "p50"},
      {"its p99", "round_trip_warm", "p99"},
      {"p50 with `hot_drain::off`", "round_trip_warm", "p50", "tokengate_no_hot"},
      {"cold round trip, both sides asleep, p50", "round_trip_cold", "p50"},
      {"warm round trip, workers on every core, nothing else pinned, p50", "round_trip_every_core",
       "p50"},
      {"an empty token, callback, 32 outstanding", "throughput_callback_32", "ns_per_token"},
      {"256 outstanding", "throughput_callback_256", "ns_per_token"},
      {"4096 outstanding", "throughput_callback_4096", "ns_per_token"},
      {"CPU time of it", "throughput_callback_4096", "cpu_ns_per_token"},
      {"awaited by `deferred`, 256 outstanding", "throughput_deferred_256", "ns_per_token"},
      {"CPU time of it", "throughput_deferred_256", "cpu_ns_per_token"},
      {"what functions of 1 us get of a core", "efficiency_1us", "efficiency"},
      {"of 10 us", "efficiency_10us", "efficiency"},
      {"of 100 us", "efficiency_100us", "efficiency"},
      {"burst of 8 ms functions, CPU work / (wall x cores)", "burst", "efficiency"},
      {"4 s of mixed work, the same", "window", "efficiency"},
      {"p99 of the 1 ms functions in it", "window", "light_p99"},
      {"p99 of its 30 ms functions", "window", "heavy_p99"},
      {"p99 of 1 ms functions that arrive by themselves", "window_open", "light_p99"},
      {"twice the load: work done in time / capacity", "overload_2x", "goodput"},
      {"allocations per token, once warm", "memory", "allocations_per_token"},
      {"bytes per outstanding token", "memory", "bytes_per_token"},
      {"a byte answered by the busy loop, p99", "loop_echo", "p99"},
      {"idle", "idle", "cpu_percent"},
      {"an item through a channel between two loops", "channel_two_loops", "ns_per_item",
       "tokengate_one_to_one"},
      {"a section that coroutines of two loops want", "lock_two_loops", "ns_per_item"},
      {"a child of a scope", "scope_spawn_join", "ns_per_item"},
      {"an event to 8 subscribers on a worker, each", "bus_lane_8", "ns_per_item"},
      {"an event to 1 on the same loop, each awaited", "bus_one_loop_1", "ns_per_item"},
      {"a question to an actor on a worker", "actor_ask_lane", "ns_per_item"}};
  return all;
}

std::string shown(row const& from) {
  return with_unit(readable(from.median), from.unit);
}

std::string rounded(double ratio) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, ratio < 1.3 ? "%.2f" : ratio < 10 ? "%.1f" : "%.0f", ratio);
  return buffer;
}

std::string in_words(double ratio, better direction) {
  if (ratio > 0.95 && ratio < 1.05) return "level";
  auto const wins = ratio > 1;
  auto const less = (direction == better::less) == wins;
  auto const words = rounded(wins ? ratio : 1 / ratio) + " times " + (less ? "less" : "more");
  return wins ? words : "**" + words + "**";
}

/// One line of the table; nothing when a figure is missing.
std::optional<std::string> line(entry const& what, std::vector<workload> const& all,
                                std::vector<row> const& rows) {
  auto const* const ours = find_row(rows, what.workload, what.variant, what.metric);
  if (ours == nullptr) return {};
  for (auto const& each : all) {
    if (each.name != what.workload) continue;
    for (auto const& figure : each.metrics) {
      if (figure.name != what.metric) continue;
      auto const* const best = best_stock_row(each, figure, rows);
      auto const ratio = ours->ratio_to_best_stock;
      return "| " + what.label + " | " + shown(*ours) + " | " +
             (best != nullptr ? shown(*best) + " (" + best->variant + ")" : "") + " | " +
             (ratio ? in_words(*ratio, figure.direction) : "") + " |\n";
    }
  }
  return {};
}

}  // namespace

std::string summary_block(std::vector<row> const& rows, std::string const& stamp) {
  auto const all = all_workloads();
  auto text = machine(stamp) +
              ".\nOf each line both sides were measured in one run; compare within a line only.\n" +
              "\n| | TokenGate | best stock idiom | |\n| --- | --- | --- | --- |\n";
  for (auto const& each : entries()) {
    auto const one = line(each, all, rows);
    if (!one) return {};
    text += *one;
  }
  return text;
}

}  // namespace perf
