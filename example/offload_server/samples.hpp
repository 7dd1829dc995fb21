// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#pragma once

#include <cstddef>
#include <vector>

namespace offload_server {

/// Measured values, kept whole, so that every percentile is exact. One thread at a time.
class samples {
 public:
  void add(double value) { values_.push_back(value); }
  void append(const samples& other);

  std::size_t count() const { return values_.size(); }
  double sum() const;
  double mean() const;
  double deviation() const;  ///< of the population
  double min() const;
  double max() const;

  /// The smallest value that at least this share (0 to 1) of all values do not exceed; 0 if empty.
  double percentile(double share) const;

 private:
  std::vector<double> values_;
};

}  // namespace offload_server
