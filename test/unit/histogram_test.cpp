// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <random>
#include <thread>
#include <vector>

#include "tokengate/snapshot.hpp"

namespace tokengate::detail {
namespace {

using layout = histogram_layout;

histogram_snapshot snapshot_of(histogram const& source, double ns_per_unit = 1) {
  histogram_snapshot result;
  source.read_into(result, ns_per_unit);
  return result;
}

TEST(histogram_layout, buckets_join_without_gap_or_overlap) {
  EXPECT_EQ(layout::lowest(0), 0U);
  for (std::size_t i = 0; i + 1 != layout::bucket_count; ++i)
    ASSERT_EQ(layout::lowest(i) + layout::width(i), layout::lowest(i + 1)) << i;
  constexpr auto last = layout::bucket_count - 1;
  EXPECT_EQ(layout::lowest(last) + layout::width(last) - 1, layout::largest);
}

TEST(histogram_layout, both_ends_of_each_bucket_fall_into_it) {
  for (std::size_t i = 0; i != layout::bucket_count; ++i) {
    ASSERT_EQ(layout::index(layout::lowest(i)), i);
    ASSERT_EQ(layout::index(layout::lowest(i) + layout::width(i) - 1), i);
  }
}

TEST(histogram_layout, value_beyond_the_range_goes_to_the_last_bucket) {
  EXPECT_EQ(layout::index(layout::largest + 1), layout::bucket_count - 1);
  EXPECT_EQ(layout::index(std::numeric_limits<std::uint64_t>::max()), layout::bucket_count - 1);
}

TEST(histogram, nothing_recorded_gives_zeroes) {
  histogram empty;
  auto const seen = snapshot_of(empty);
  EXPECT_EQ(seen.count, 0U);
  EXPECT_EQ(seen.percentile(50), 0);
  EXPECT_EQ(seen.mean_ns(), 0);
}

TEST(histogram, count_sum_and_maximum_are_exact) {
  histogram recorded;
  for (std::uint64_t value : {5U, 1000U, 123456U}) recorded.record(value);
  auto const seen = snapshot_of(recorded);
  EXPECT_EQ(seen.count, 3U);
  EXPECT_EQ(seen.sum_ns, 124461U);
  EXPECT_EQ(seen.max_ns, 123456U);
  EXPECT_EQ(seen.mean_ns(), 41487);
}

TEST(histogram, unit_scales_all_durations) {
  histogram recorded;
  for (int i = 0; i != 10; ++i) recorded.record(1000);
  auto const seen = snapshot_of(recorded, 0.5);
  EXPECT_EQ(seen.sum_ns, 5000U);
  EXPECT_EQ(seen.max_ns, 500U);
  EXPECT_NEAR(seen.percentile(50), 500, 500.0 / 32);
}

TEST(histogram, percentiles_of_random_values_are_within_the_stated_error) {
  std::mt19937_64 random{1};
  std::lognormal_distribution<double> durations{10, 3};
  histogram recorded;
  std::vector<std::uint64_t> exact;
  for (int i = 0; i != 20000; ++i) {
    exact.push_back(static_cast<std::uint64_t>(durations(random)));
    recorded.record(exact.back());
  }
  std::ranges::sort(exact);
  auto const seen = snapshot_of(recorded);
  for (double p : {0.0, 1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    auto const rank = std::max(1.0, std::ceil(p / 100 * static_cast<double>(exact.size())));
    auto const expected = static_cast<double>(exact[static_cast<std::size_t>(rank) - 1]);
    EXPECT_NEAR(seen.percentile(p), expected, expected / 32) << p;
  }
}

TEST(histogram, two_read_into_one_snapshot_add_up) {
  histogram first;
  histogram second;
  first.record(100);
  second.record(100);
  second.record(5000);
  histogram_snapshot both;
  first.read_into(both, 1);
  second.read_into(both, 1);
  EXPECT_EQ(both.count, 3U);
  EXPECT_EQ(both.max_ns, 5000U);
  EXPECT_NEAR(both.percentile(50), 100, 100.0 / 32);
}

TEST(histogram, reader_beside_the_writer_sees_counts_that_only_grow) {
  histogram recorded;
  std::atomic<bool> done{false};
  std::jthread writer{[&] {
    for (std::uint64_t i = 0; i != 200000; ++i) recorded.record(i % 5000);
    done.store(true, std::memory_order_release);
  }};
  std::uint64_t last = 0;
  while (!done.load(std::memory_order_acquire)) {
    auto const seen = snapshot_of(recorded).count;
    ASSERT_GE(seen, last);
    last = seen;
  }
  EXPECT_EQ(snapshot_of(recorded).count, 200000U);
}

}  // namespace
}  // namespace tokengate::detail
