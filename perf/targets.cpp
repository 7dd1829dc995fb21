// Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// What the library aims at, beside what it reached. A ratio and an absolute figure are judged each
// by itself: the one depends on what a wake-up costs on the machine, the other on its clock rate.
#include <optional>

#include "tables.hpp"
#include "workload.hpp"

namespace perf {
namespace {

struct aim {
  std::string label;
  std::string workload;
  std::string metric;
  std::optional<double> ratio;   ///< at least so many times better than the best stock idiom
  std::optional<double> figure;  ///< at most so much, or at least where more is better
  double counts_as_zero = 0;     ///< what lies below is noise, for an aim of 0
};

std::vector<aim> const& aims() {
  constexpr std::nullopt_t none = std::nullopt;
  static std::vector<aim> const all{
      {"warm round trip, p50", "round_trip_warm", "p50", 60, 1.1},
      {"its p99", "round_trip_warm", "p99", none, 3.5},
      {"cold round trip, p50, at most 1.05 of stock", "round_trip_cold", "p50", 1 / 1.05, none},
      {"round trip with one side awake, p50", "round_trip_one_awake", "p50", 3.3, none},
      {"token by callback, 32 out", "throughput_callback_32", "ns_per_token", 18, 110},
      {"256 out", "throughput_callback_256", "ns_per_token", 4.2, 80},
      {"4096 out", "throughput_callback_4096", "ns_per_token", 3.5, 60},
      {"by `deferred`, 32 out", "throughput_deferred_32", "ns_per_token", 18, 99},
      {"256 out", "throughput_deferred_256", "ns_per_token", 4, 72},
      {"4096 out", "throughput_deferred_4096", "ns_per_token", 2.5, 76},
      {"by `use_awaitable`, 32 out", "throughput_use_awaitable_32", "ns_per_token", 15, 108},
      {"256 out", "throughput_use_awaitable_256", "ns_per_token", 3, 100},
      {"4096 out", "throughput_use_awaitable_4096", "ns_per_token", 1.7, 126},
      {"efficiency, functions of 1 us", "efficiency_1us", "efficiency", none, 0.80},
      {"of 10 us", "efficiency_10us", "efficiency", none, 0.95},
      {"of 100 us", "efficiency_100us", "efficiency", none, 0.985},
      {"efficiency of a burst", "burst", "efficiency", none, 0.985},
      {"of a window", "window", "efficiency", none, 0.98},
      {"light functions in the window, p50", "window", "light_p50", 10, none},
      {"p99", "window", "light_p99", 10, none},
      {"that arrive by themselves, p50", "window_open", "light_p50", 10, none},
      {"p99", "window_open", "light_p99", 10, none},
      {"allocations per token", "memory", "allocations_per_token", none, 0},
      {"bytes per outstanding token", "memory", "bytes_per_token", none, 128},
      {"a refusal", "refusal", "ns_per_token", none, 100},
      {"two gates, share of the sum", "two_gates", "share_of_sum", none, 0.9},
      {"a million out, time per token by that of an eighth", "million_outstanding",
       "times_an_eighth", none, 1.1},
      {"a byte answered by the busy loop, by that of an idle one", "loop_echo", "times_idle", none,
       1.2},
      {"idle", "idle", "cpu_percent", none, 0, 0.05},
      {"wake-ups when idle", "idle", "wakeups_per_second", none, 0}};
  return all;
}

better direction_of(aim const& what, std::vector<workload> const& all) {
  for (auto const& each : all)
    if (each.name == what.workload)
      for (auto const& figure : each.metrics)
        if (figure.name == what.metric) return figure.direction;
  return better::neither;
}

std::string answer(bool met) {
  return met ? "yes" : "**no**";
}

std::string times(double ratio) {
  return readable(ratio) + "x";
}

/// How many were met, of how many.
struct score {
  int met = 0;
  int all = 0;

  bool count(bool is) {
    met += is ? 1 : 0;
    ++all;
    return is;
  }
  [[nodiscard]] std::string words() const {
    return std::to_string(met) + " of " + std::to_string(all);
  }
};

std::string ratio_cells(aim const& what, row const& reached, score& ratios) {
  auto const ratio = reached.ratio_to_best_stock;
  auto const shown = ratio ? times(*ratio) : std::string{};
  if (!what.ratio) return " | " + shown + " |";
  return times(*what.ratio) + " | " + shown + " | " +
         answer(ratios.count(ratio && *ratio >= *what.ratio));
}

std::string figure_cells(aim const& what, row const& reached, better direction, score& figures) {
  auto const shown =
      with_unit(readable(reached.median) + " \u00b1 " + readable(reached.mad), reached.unit);
  if (!what.figure) return " | " + shown + " |";
  auto const more = direction == better::more;
  auto const met = more ? reached.median >= *what.figure
                        : reached.median <= *what.figure || reached.median < what.counts_as_zero;
  return with_unit(readable(*what.figure), reached.unit) + " | " + shown + " | " +
         answer(figures.count(met));
}

}  // namespace

std::string targets_block(std::vector<row> const& rows) {
  auto const all = all_workloads();
  score ratios;
  score figures;
  std::string text =
      "| | ratio aimed at | reached | ratio met | figure aimed at | reached | "
      "figure met |\n| --- | --- | --- | --- | --- | --- | --- |\n";
  for (auto const& each : aims()) {
    auto const* const reached = find_row(rows, each.workload, "tokengate", each.metric);
    if (reached == nullptr) return {};
    text += "| " + each.label + " | " + ratio_cells(each, *reached, ratios) + " | " +
            figure_cells(each, *reached, direction_of(each, all), figures) + " |\n";
  }
  return text + "\nRatios met: " + ratios.words() + "; figures met: " + figures.words() + ".\n";
}

}  // namespace perf
