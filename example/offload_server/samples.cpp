// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "samples.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace offload_server {

void samples::append(const samples& other) {
  values_.insert(values_.end(), other.values_.begin(), other.values_.end());
}

double samples::sum() const {
  return std::accumulate(values_.begin(), values_.end(), 0.0);
}

double samples::mean() const {
  return values_.empty() ? 0 : sum() / static_cast<double>(values_.size());
}

double samples::deviation() const {
  if (values_.empty()) return 0;
  const double middle = mean();
  double squares = 0;
  for (double value : values_) squares += (value - middle) * (value - middle);
  return std::sqrt(squares / static_cast<double>(values_.size()));
}

double samples::min() const {
  return values_.empty() ? 0 : *std::min_element(values_.begin(), values_.end());
}

double samples::max() const {
  return values_.empty() ? 0 : *std::max_element(values_.begin(), values_.end());
}

double samples::percentile(double share) const {
  if (values_.empty()) return 0;
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  const double rank = std::ceil(share * static_cast<double>(sorted.size()));
  const auto index = static_cast<std::size_t>(std::max(rank, 1.0)) - 1;
  return sorted[std::min(index, sorted.size() - 1)];
}

}  // namespace offload_server
