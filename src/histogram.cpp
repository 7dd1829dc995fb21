// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/histogram.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "tokengate/snapshot.hpp"

namespace tokengate {
namespace {

using layout = detail::histogram_layout;

// Far above what the two scales of one tick clock, refined in between, can differ.
constexpr double same_unit = 0.001;

}  // namespace

void detail::histogram::read_into(histogram_snapshot& target, double ns_per_unit) const {
  histogram_snapshot own;
  own.unit_ns = ns_per_unit;
  own.buckets.reserve(layout::bucket_count);
  std::size_t used = 0;
  for (auto const& bucket : buckets_) {
    auto const count = bucket.load(std::memory_order_relaxed);
    own.buckets.push_back(count);
    own.count += count;
    if (count != 0) used = own.buckets.size();
  }
  own.buckets.resize(used);
  auto const to_ns = [ns_per_unit](counter const& units) {
    return static_cast<std::uint64_t>(static_cast<double>(units.load(std::memory_order_relaxed)) *
                                      ns_per_unit);
  };
  own.sum_ns = to_ns(sum_);
  own.max_ns = to_ns(max_);
  target.merge(own);
}

void histogram_snapshot::merge(histogram_snapshot const& other) {
  if (!other.buckets.empty()) {
    auto merged = buckets;
    double const unit = buckets.empty() ? other.unit_ns : unit_ns;
    bool const same = std::abs(other.unit_ns / unit - 1) < same_unit;
    for (std::size_t i = 0; i != other.buckets.size(); ++i) {
      if (other.buckets[i] == 0) continue;
      auto const at = same ? i
                           : layout::index(static_cast<std::uint64_t>(
                                 std::min(layout::middle(i) * other.unit_ns / unit,
                                          static_cast<double>(layout::largest))));
      if (merged.size() <= at) merged.resize(at + 1);
      merged[at] += other.buckets[i];
    }
    buckets = std::move(merged);
    unit_ns = unit;
  }
  count += other.count;
  sum_ns += other.sum_ns;
  max_ns = std::max(max_ns, other.max_ns);
}

double histogram_snapshot::percentile(double p) const noexcept {
  if (count == 0) return 0;
  double const share = p > 0 ? std::min(p, 100.0) / 100 : 0;  // not a number counts as 0
  auto const wanted = std::ceil(share * static_cast<double>(count));
  auto const rank = std::clamp(static_cast<std::uint64_t>(wanted), std::uint64_t{1}, count);
  double const most = static_cast<double>(max_ns);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i != buckets.size(); ++i) {
    seen += buckets[i];
    if (seen >= rank) return std::min(layout::middle(i) * unit_ns, most);
  }
  return most;
}

double histogram_snapshot::mean_ns() const noexcept {
  return count == 0 ? 0 : static_cast<double>(sum_ns) / static_cast<double>(count);
}

}  // namespace tokengate
