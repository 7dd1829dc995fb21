// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/snapshot.hpp"

#include <gtest/gtest.h>

#include <boost/property_tree/json_parser.hpp>
#include <boost/property_tree/ptree.hpp>
#include <limits>
#include <sstream>
#include <string>
#include <utility>

#include "tokengate/detail/histogram.hpp"

namespace tokengate {
namespace {

boost::property_tree::ptree parse(std::string const& json) {
  std::istringstream input{json};
  boost::property_tree::ptree tree;
  boost::property_tree::read_json(input, tree);
  return tree;
}

std::string text(boost::property_tree::ptree const& tree, char const* path) {
  return tree.get<std::string>(path);
}

// Through text, because g++ 12 warns about the numeric translators of the property tree.
double number(boost::property_tree::ptree const& tree, char const* path) {
  return std::stod(text(tree, path));
}

std::string json_with_name(std::string name) {
  pool_snapshot pool;
  pool.name = std::move(name);
  return to_json(pool);
}

histogram_snapshot values(std::initializer_list<std::uint64_t> units, double ns_per_unit) {
  detail::histogram recorded;
  for (auto one : units) recorded.record(one);
  histogram_snapshot result;
  recorded.read_into(result, ns_per_unit);
  return result;
}

TEST(histogram_snapshot, percentile_takes_the_value_of_that_rank) {
  auto const seen = values({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 1);
  EXPECT_EQ(seen.percentile(0), 1);
  EXPECT_EQ(seen.percentile(10), 1);
  EXPECT_EQ(seen.percentile(50), 5);
  EXPECT_EQ(seen.percentile(51), 6);
  EXPECT_EQ(seen.percentile(100), 10);
}

TEST(histogram_snapshot, percentile_outside_its_range_gives_an_end) {
  auto const seen = values({1, 20}, 1);
  EXPECT_EQ(seen.percentile(-5), 1);
  EXPECT_EQ(seen.percentile(std::numeric_limits<double>::quiet_NaN()), 1);
  EXPECT_EQ(seen.percentile(200), 20);
}

TEST(histogram_snapshot, percentile_is_never_above_the_maximum) {
  auto const seen = values({1025}, 1);
  EXPECT_EQ(seen.percentile(100), 1025);
}

TEST(histogram_snapshot, merge_with_nothing_changes_nothing) {
  auto seen = values({10, 20}, 0.5);
  seen.merge({});
  EXPECT_EQ(seen.count, 2U);
  EXPECT_EQ(seen.percentile(100), 10);
  histogram_snapshot empty;
  empty.merge(seen);
  EXPECT_EQ(empty.percentile(50), seen.percentile(50));
  EXPECT_EQ(empty.unit_ns, 0.5);
}

TEST(histogram_snapshot, merge_of_different_units_keeps_the_durations) {
  auto seen = values({1000, 1000}, 1);
  seen.merge(values({100000, 100000, 100000}, 10));
  EXPECT_EQ(seen.count, 5U);
  EXPECT_EQ(seen.max_ns, 1000000U);
  EXPECT_NEAR(seen.percentile(40), 1000, 1000.0 / 16);
  EXPECT_NEAR(seen.percentile(50), 1000000, 1000000.0 / 16);
}

TEST(to_json, gate_snapshot_has_its_numbers) {
  gate_snapshot gate;
  gate.issued = std::numeric_limits<std::uint64_t>::max();
  gate.overloaded = true;
  gate.lanes[2].backlog = 17;
  operation_snapshot operation;
  operation.name = "digest";
  operation.weight = weight::heavy;
  operation.run = values({1000}, 1);
  gate.operations.assign(2, operation);

  auto const tree = parse(to_json(gate));
  EXPECT_EQ(text(tree, "issued"), "18446744073709551615");
  EXPECT_EQ(text(tree, "overloaded"), "true");
  EXPECT_EQ(number(tree, "lanes.heavy.backlog"), 17);
  EXPECT_EQ(number(tree, "lanes.light.backlog"), 0);
  auto const& operations = tree.get_child("operations");
  ASSERT_EQ(operations.size(), 2U);
  auto const& first = operations.front().second;
  EXPECT_EQ(text(first, "name"), "digest");
  EXPECT_EQ(text(first, "weight"), "heavy");
  EXPECT_EQ(number(first, "run.count"), 1);
  EXPECT_NEAR(number(first, "run.p99_ns"), 1000, 1000.0 / 32);
  EXPECT_EQ(number(tree, "wait_backlog.p50_ns"), 0);
}

TEST(to_json, pool_snapshot_has_its_workers_and_problems) {
  pool_snapshot pool;
  pool.usable_cores = 1.5;
  pool.workers.resize(2);
  pool.workers[1].core = 4;
  pool.workers[1].state = worker_state::parked;
  pool.problems = {"one", "two"};

  auto const tree = parse(to_json(pool));
  EXPECT_EQ(number(tree, "usable_cores"), 1.5);
  auto const& workers = tree.get_child("workers");
  ASSERT_EQ(workers.size(), 2U);
  EXPECT_EQ(number(workers.back().second, "core"), 4);
  EXPECT_EQ(text(workers.back().second, "state"), "parked");
  EXPECT_EQ(tree.get_child("problems").size(), 2U);
}

TEST(to_json, empty_snapshot_is_one_line_of_json) {
  EXPECT_EQ(to_json(pool_snapshot{}),
            R"({"name":"","usable_cores":0,"rescued_wakeups":0,"workers":[],"problems":[]})");
}

TEST(to_json, number_that_json_cannot_say_is_null) {
  pool_snapshot pool;
  pool.usable_cores = std::numeric_limits<double>::infinity();
  EXPECT_NE(to_json(pool).find(R"("usable_cores":null)"), std::string::npos);
}

TEST(to_json, special_characters_of_a_name_survive) {
  std::string name = "\"quoted\" back\\slash /";
  for (char c = 1; c < 0x20; ++c) name += c;
  name += "\x7f \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80";
  auto const json = json_with_name(name);
  for (char c : json) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
  EXPECT_EQ(text(parse(json), "name"), name);
}

TEST(to_json, null_character_is_escaped) {
  EXPECT_NE(json_with_name(std::string(1, '\0')).find(R"("\u0000")"), std::string::npos);
}

TEST(to_json, bytes_that_are_no_utf8_are_replaced) {
  for (auto const* bad : {"\xff", "\x80", "\xc0\xaf", "\xe2\x82", "\xed\xa0\x80",
                          "\xf4\x90\x80\x80", "\xf0\x80\x80\x80", "\xe0\x9f\xbf", "\xc3"}) {
    auto const name = text(parse(json_with_name(bad)), "name");
    EXPECT_EQ(name.substr(0, 3), "\xef\xbf\xbd") << testing::PrintToString(std::string{bad});
  }
}

}  // namespace
}  // namespace tokengate
