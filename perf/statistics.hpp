// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace perf {

/// The value at fraction `p` (0 to 1) of the sorted sample, nearest rank; 0 for an empty one.
inline double percentile(std::vector<double> sample, double p) {
  if (sample.empty()) return 0;
  auto const rank = static_cast<std::size_t>(p * static_cast<double>(sample.size() - 1) + 0.5);
  auto const at = sample.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(sample.begin(), at, sample.end());
  return *at;
}

/// The middle of the sample; the mean of the two middle ones when their number is even.
inline double median(std::vector<double> sample) {
  if (sample.empty()) return 0;
  std::sort(sample.begin(), sample.end());
  auto const half = sample.size() / 2;
  return sample.size() % 2 == 1 ? sample[half] : (sample[half - 1] + sample[half]) / 2;
}

/// Median absolute deviation: how far a typical run lies from the median.
inline double median_deviation(std::vector<double> sample) {
  auto const middle = median(sample);
  for (auto& value : sample) value = std::abs(value - middle);
  return median(std::move(sample));
}

}  // namespace perf
