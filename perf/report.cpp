// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "report.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "statistics.hpp"

namespace perf {
namespace {

std::string text(char const* format, double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, format, value);
  return buffer;
}

std::string pad(std::string const& word, std::size_t width) {
  return word + std::string(word.size() < width ? width - word.size() : 0, ' ');
}

std::vector<double> column(record const& from, std::size_t metric) {
  std::vector<double> values;
  for (auto const& run : from.runs) values.push_back(run.at(metric));
  return values;
}

std::optional<double> best_stock(std::vector<record> const& records, std::size_t index,
                                 better direction) {
  std::optional<double> best;
  for (auto const& each : records) {
    if (!each.who->stock || each.runs.empty()) continue;
    auto const value = median(column(each, index));
    if (std::isnan(value)) continue;
    if (!best || (direction == better::less ? value < *best : value > *best)) best = value;
  }
  return best;
}

std::optional<double> ratio(double ours, std::optional<double> stock, better direction) {
  if (!stock || direction == better::neither || ours <= 0 || *stock <= 0) return {};
  return direction == better::less ? *stock / ours : ours / *stock;
}

std::string cell(row const& from) {
  auto shown = readable(from.median) + " \u00b1" + readable(from.mad);
  if (from.ratio_to_best_stock) shown += " (" + text("%.2f", *from.ratio_to_best_stock) + "x)";
  return shown;
}

}  // namespace

std::string readable(double value) {
  if (value == 0) return "0";
  auto const size = std::abs(value);
  return text(size >= 100 ? "%.0f" : size >= 10 ? "%.1f" : "%.3f", value);
}

std::string with_unit(std::string const& figure, std::string const& unit) {
  return unit == "count" || unit == "ratio" ? figure : figure + " " + unit;
}

std::vector<row> summarise(workload const& what, std::vector<record> const& records) {
  std::vector<row> rows;
  for (std::size_t index = 0; index < what.metrics.size(); ++index) {
    auto const& figure = what.metrics[index];
    auto const stock = best_stock(records, index, figure.direction);
    for (auto const& each : records) {
      if (each.runs.empty()) continue;
      auto const values = column(each, index);
      if (std::any_of(values.begin(), values.end(), [](double value) { return std::isnan(value); }))
        continue;
      auto const middle = median(values);
      rows.push_back({what.name, each.who->name, figure.name, middle, median_deviation(values),
                      values.size(), figure.unit, ratio(middle, stock, figure.direction)});
    }
  }
  return rows;
}

std::vector<row> rows_of(std::string const& workload, std::vector<row> const& all) {
  std::vector<row> some;
  for (auto const& each : all)
    if (each.workload == workload) some.push_back(each);
  return some;
}

std::vector<row> merged(std::vector<row> earlier, std::vector<row> const& later) {
  auto const replaced = [&later](row const& old) {
    return std::any_of(later.begin(), later.end(),
                       [&old](row const& each) { return each.workload == old.workload; });
  };
  earlier.erase(std::remove_if(earlier.begin(), earlier.end(), replaced), earlier.end());
  earlier.insert(earlier.end(), later.begin(), later.end());
  return earlier;
}

row const* find_row(std::vector<row> const& rows, std::string const& workload,
                    std::string const& variant, std::string const& metric) {
  for (auto const& each : rows)
    if (each.workload == workload && each.variant == variant && each.metric == metric) return &each;
  return nullptr;
}

row const* best_stock_row(workload const& what, metric const& figure,
                          std::vector<row> const& rows) {
  row const* best = nullptr;
  for (auto const& who : what.variants) {
    auto const* const one = who.stock ? find_row(rows, what.name, who.name, figure.name) : nullptr;
    if (one == nullptr) continue;
    auto const more = figure.direction == better::more;
    if (best == nullptr || (more ? one->median > best->median : one->median < best->median))
      best = one;
  }
  return best;
}

void print_table(std::ostream& to, workload const& what, std::vector<row> const& rows) {
  constexpr std::size_t width = 28;
  auto const put = [&to](std::string const& line) {
    to << line.substr(0, line.find_last_not_of(' ') + 1) << '\n';
  };
  if (rows.empty()) return;
  to << '\n' << what.name << ": " << what.question << '\n';
  std::string head = pad("", width);
  for (auto const& figure : what.metrics)
    if (figure.in_table) head += pad(figure.name + " [" + figure.unit + "]", width);
  put(head);
  for (auto const& who : what.variants) {
    std::string cells;
    for (auto const& figure : what.metrics)
      for (auto const& each : rows)
        // The sign of dispersion is two bytes wide, but one column.
        if (figure.in_table && each.variant == who.name && each.metric == figure.name)
          cells += pad(cell(each), width + 1);
    if (!cells.empty()) put(pad(who.name, width) + cells);
  }
  to << std::flush;
}

void write_json(std::ostream& to, std::vector<row> const& rows) {
  auto const quoted = [](std::string const& word) { return '"' + word + '"'; };
  auto const number = [](double value) {
    return std::isfinite(value) ? text("%.9g", value) : std::string{"null"};
  };
  to << '[';
  for (std::size_t index = 0; index < rows.size(); ++index) {
    auto const& each = rows[index];
    to << (index == 0 ? "\n" : ",\n") << "  {\"workload\": " << quoted(each.workload)
       << ", \"variant\": " << quoted(each.variant) << ", \"metric\": " << quoted(each.metric)
       << ", \"median\": " << number(each.median) << ", \"mad\": " << number(each.mad)
       << ", \"runs\": " << each.runs << ", \"unit\": " << quoted(each.unit)
       << ", \"ratio_to_best_stock\": "
       << (each.ratio_to_best_stock ? number(*each.ratio_to_best_stock) : "null") << '}';
  }
  to << "\n]\n";
}

}  // namespace perf
