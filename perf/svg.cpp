// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "svg.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace perf {
namespace {

constexpr double left = 70;
constexpr double top = 44;
constexpr double width = 520;
constexpr double height = 300;
constexpr double legend = 200;
constexpr std::array colours{"#d62728", "#ff9896", "#1f77b4", "#2ca02c", "#9467bd", "#8c564b",
                             "#e377c2", "#7f7f7f", "#bcbd22", "#17becf", "#393b79", "#ad494a"};

std::string number(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.1f", value);
  return buffer;
}

std::string escaped(std::string const& words) {
  std::string safe;
  for (auto letter : words) {
    if (letter == '&')
      safe += "&amp;";
    else if (letter == '<')
      safe += "&lt;";
    else
      safe += letter;
  }
  return safe;
}

/// Where on the picture a value lies.
class axis {
 public:
  axis(std::vector<tick> const& ticks, bool logarithmic, double from, double to)
      : log_(logarithmic), from_(from), to_(to) {
    low_ = scaled(ticks.front().at);
    high_ = scaled(ticks.back().at);
  }
  double operator()(double value) const {
    auto const part = std::clamp((scaled(value) - low_) / (high_ - low_), 0.0, 1.0);
    return from_ + part * (to_ - from_);
  }

 private:
  double scaled(double value) const { return log_ ? std::log10(std::max(value, 1e-12)) : value; }

  bool log_;
  double from_;
  double to_;
  double low_;
  double high_;
};

void text(std::ostream& to, double x, double y, char const* anchor, std::string const& words,
          std::string const& more = {}) {
  to << "<text x=\"" << number(x) << "\" y=\"" << number(y) << "\" text-anchor=\"" << anchor << '"'
     << more << '>' << escaped(words) << "</text>\n";
}

void line(std::ostream& to, double x1, double y1, double x2, double y2, char const* how) {
  to << "<line x1=\"" << number(x1) << "\" y1=\"" << number(y1) << "\" x2=\"" << number(x2)
     << "\" y2=\"" << number(y2) << "\" " << how << "/>\n";
}

}  // namespace

void write_svg(std::ostream& to, chart const& what) {
  if (what.x_ticks.size() < 2 || what.y_ticks.size() < 2) return;
  axis const x{what.x_ticks, what.log_x, left, left + width};
  axis const y{what.y_ticks, what.log_y, top + height, top};
  auto const whole_width = left + width + legend;
  auto const whole_height = top + height + 56;
  to << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << number(whole_width) << ' '
     << number(whole_height) << "\" font-family=\"sans-serif\" font-size=\"12\">\n"
     << "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  text(to, left, 22, "start", what.title, " font-size=\"15\"");
  for (auto const& each : what.x_ticks) {
    line(to, x(each.at), top, x(each.at), top + height, "stroke=\"#ddd\"");
    text(to, x(each.at), top + height + 18, "middle", each.label);
  }
  for (auto const& each : what.y_ticks) {
    line(to, left, y(each.at), left + width, y(each.at), "stroke=\"#ddd\"");
    text(to, left - 8, y(each.at) + 4, "end", each.label);
  }
  text(to, left + width / 2, top + height + 42, "middle", what.x_label);
  auto const middle = number(top + height / 2);
  text(to, 18, top + height / 2, "middle", what.y_label,
       " transform=\"rotate(-90 18 " + middle + ")\"");

  for (std::size_t at = 0; at < what.lines.size(); ++at) {
    auto const& each = what.lines[at];
    auto const* const colour = colours[at % colours.size()];
    auto const* const stroke = each.emphasised ? "3" : "1.5";
    to << "<polyline fill=\"none\" stroke=\"" << colour << "\" stroke-width=\"" << stroke
       << "\" points=\"";
    for (auto const& [px, py] : each.points) to << number(x(px)) << ',' << number(y(py)) << ' ';
    to << "\"/>\n";
    for (auto const& [px, py] : each.points)
      to << "<circle cx=\"" << number(x(px)) << "\" cy=\"" << number(y(py))
         << "\" r=\"2.5\" fill=\"" << colour << "\"/>\n";
    auto const row = top + 8 + 18 * static_cast<double>(at);
    to << "<rect x=\"" << number(left + width + 14) << "\" y=\"" << number(row - 4)
       << "\" width=\"14\" height=\"4\" fill=\"" << colour << "\"/>\n";
    text(to, left + width + 34, row + 2, "start", each.name);
  }
  to << "</svg>\n";
}

}  // namespace perf
