// Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// The list of all figures in which the best stock idiom is ahead by more than 5 %.
#include <algorithm>

#include "tables.hpp"
#include "workload.hpp"

namespace perf {
namespace {

constexpr double level = 0.95;

/// The plain variant; all of ours where there is none.
std::vector<row const*> ours(workload const& what, metric const& about,
                             std::vector<row> const& rows) {
  if (auto const* const plain = find_row(rows, what.name, "tokengate", about.name)) return {plain};
  std::vector<row const*> some;
  for (auto const& who : what.variants)
    if (auto const* const one = find_row(rows, what.name, who.name, about.name);
        one != nullptr && who.name.starts_with("tokengate"))
      some.push_back(one);
  return some;
}

bool whole(workload const& what, std::vector<row> const& rows) {
  return std::all_of(what.variants.begin(), what.variants.end(), [&](variant const& who) {
    return std::any_of(rows.begin(), rows.end(), [&](row const& each) {
      return each.workload == what.name && each.variant == who.name;
    });
  });
}

std::string figure(row const& from) {
  return with_unit(readable(from.median) + " \u00b1 " + readable(from.mad), from.unit);
}

std::string line(workload const& what, metric const& about, row const& one,
                 std::vector<row> const& rows) {
  auto const* const best = best_stock_row(what, about, rows);
  return "| `" + what.name + "` | " + about.name + " | " + readable(*one.ratio_to_best_stock) +
         "x | " + figure(one) + (one.variant == "tokengate" ? "" : " (" + one.variant + ")") +
         " | " + (best != nullptr ? figure(*best) + " (" + best->variant + ")" : "") + " |\n";
}

}  // namespace

std::string losses_block(std::vector<row> const& rows) {
  std::string text = "| workload | figure | ratio | TokenGate | best stock idiom |\n" +
                     std::string{"| --- | --- | --- | --- | --- |\n"};
  for (auto const& what : all_workloads()) {
    if (!what.on_request && !whole(what, rows)) return {};
    for (auto const& about : what.metrics)
      for (auto const* const one : ours(what, about, rows))
        if (one->ratio_to_best_stock && *one->ratio_to_best_stock < level)
          text += line(what, about, *one, rows);
  }
  return text;
}

}  // namespace perf
