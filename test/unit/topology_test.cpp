// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "topology.hpp"

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

namespace tokengate::detail {
namespace {

std::vector<unsigned> indices(std::vector<core_info> const& cores) {
  std::vector<unsigned> result;
  for (auto const& core : cores) result.push_back(core.os_index);
  return result;
}

using list = std::vector<unsigned>;

TEST(assign_smt_ranks, siblings_are_numbered_by_os_index) {
  auto ranked = assign_smt_ranks({{5, 1, 0, 9}, {0, 0, 0, 9}, {1, 1, 0, 9}, {4, 0, 0, 9}});
  EXPECT_EQ(ranked,
            (std::vector<core_info>{{0, 0, 0, 0}, {1, 1, 0, 0}, {4, 0, 0, 1}, {5, 1, 0, 1}}));
}

TEST(assign_smt_ranks, sibling_outside_the_mask_takes_no_rank) {
  EXPECT_EQ(assign_smt_ranks({{4, 0, 0, 7}}), (std::vector<core_info>{{4, 0, 0, 0}}));
}

TEST(order_cores, physical_cores_come_before_siblings) {
  EXPECT_EQ(indices(order_cores({{0, 0, 0, 0}, {1, 0, 0, 1}, {2, 1, 0, 0}, {3, 1, 0, 1}})),
            (list{0, 2, 1, 3}));
}

TEST(order_cores, node_of_the_first_core_comes_first) {
  EXPECT_EQ(indices(order_cores({{5, 5, 0, 0}, {4, 4, 1, 0}, {6, 6, 1, 0}, {7, 7, 0, 0}})),
            (list{4, 6, 5, 7}));
}

TEST(order_cores, far_physical_core_comes_before_near_sibling) {
  EXPECT_EQ(indices(order_cores({{0, 0, 0, 0}, {1, 0, 0, 1}, {2, 1, 1, 0}, {3, 1, 1, 1}})),
            (list{0, 2, 1, 3}));
}

TEST(order_cores, few_cores_stay_as_they_are) {
  EXPECT_TRUE(order_cores({}).empty());
  EXPECT_EQ(indices(order_cores({{3, 0, 0, 0}})), (list{3}));
}

topology machine_of(list const& cpus, std::optional<double> quota = std::nullopt) {
  topology machine;
  for (auto cpu : cpus) machine.cores.push_back({cpu, cpu, 0, 0});
  machine.usable = cpus.size();
  machine.quota = quota;
  return machine;
}

list chosen(topology const& machine, list const& explicit_cores, std::size_t max_cores = 0) {
  return indices(choose_cores(machine, explicit_cores, max_cores));
}

TEST(choose_cores, no_limit_takes_the_whole_mask) {
  EXPECT_EQ(chosen(machine_of({2, 4}), {}), (list{2, 4}));
}

TEST(choose_cores, max_cores_takes_the_preferred_ones) {
  EXPECT_EQ(chosen(machine_of({4, 6, 5}), {}, 2), (list{4, 6}));
  EXPECT_EQ(chosen(machine_of({4, 6, 5}), {}, 9), (list{4, 6, 5}));
}

TEST(choose_cores, quota_is_rounded_up) {
  EXPECT_EQ(chosen(machine_of({0, 1, 2, 3}, 1.5), {}), (list{0, 1}));
  EXPECT_EQ(chosen(machine_of({0, 1, 2, 3}, 2.0), {}), (list{0, 1}));
  EXPECT_EQ(chosen(machine_of({0, 1, 2, 3}, 0.1), {}), (list{0}));
}

TEST(choose_cores, quota_above_the_mask_changes_nothing) {
  EXPECT_EQ(chosen(machine_of({0, 1}, 64.0), {}), (list{0, 1}));
  EXPECT_EQ(chosen(machine_of({0, 1}, 1e300), {}), (list{0, 1}));
}

TEST(choose_cores, tightest_limit_wins) {
  EXPECT_EQ(chosen(machine_of({0, 1, 2, 3}, 3.0), {}, 1), (list{0}));
  EXPECT_EQ(chosen(machine_of({0, 1, 2, 3}, 1.0), {}, 3), (list{0}));
}

TEST(choose_cores, explicit_cores_keep_their_order) {
  EXPECT_EQ(chosen(machine_of({0, 1, 2, 3}), {3, 1}), (list{3, 1}));
}

TEST(choose_cores, explicit_cores_are_cut_by_max_cores_only) {
  EXPECT_EQ(chosen(machine_of({0, 1, 2, 3}, 1.0), {3, 1, 2}, 2), (list{3, 1}));
}

std::string complaint(topology const& machine, list const& explicit_cores) {
  try {
    choose_cores(machine, explicit_cores, 0);
  } catch (std::invalid_argument const& e) {
    return e.what();
  }
  return {};
}

TEST(choose_cores, explicit_core_outside_the_mask_is_refused) {
  auto const text = complaint(machine_of({2, 4}), {2, 3});
  EXPECT_NE(text.find("core 3 is not in the affinity mask"), std::string::npos) << text;
  EXPECT_NE(text.find("(2, 4)"), std::string::npos) << text;
}

TEST(choose_cores, explicit_core_listed_twice_is_refused) {
  auto const text = complaint(machine_of({2, 4}), {4, 2, 4});
  EXPECT_NE(text.find("core 4 is listed twice"), std::string::npos) << text;
}

TEST(affinity_mask, it_agrees_with_the_operating_system) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) GTEST_SKIP() << "more CPUs than fit";
  auto const mask = affinity_mask();
  EXPECT_EQ(mask.size(), static_cast<std::size_t>(CPU_COUNT(&set)));
  for (auto cpu : mask) EXPECT_TRUE(CPU_ISSET(cpu, &set)) << cpu;
}

TEST(discover_topology, it_holds_exactly_the_affinity_mask) {
  auto const mask = affinity_mask();
  auto const machine = discover_topology();
  auto found = indices(machine.cores);
  std::ranges::sort(found);
  EXPECT_EQ(found, mask);
  EXPECT_EQ(machine.usable, mask.size());
  EXPECT_EQ(machine.cores.front().smt_rank, 0U);
}

TEST(discover_topology, it_leaves_the_affinity_mask_alone) {
  auto const before = affinity_mask();
  discover_topology();
  EXPECT_EQ(affinity_mask(), before);
}

TEST(discover_topology, thread_with_a_narrow_mask_sees_its_own_cores_only) {
  auto const last = affinity_mask().back();
  if (last >= CPU_SETSIZE) GTEST_SKIP() << "more CPUs than fit";
  list found;
  std::thread([&] {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(last, &set);
    if (sched_setaffinity(0, sizeof set, &set) == 0) found = indices(discover_topology().cores);
  }).join();
  EXPECT_EQ(found, (list{last}));
}

TEST(discover_topology, description_of_another_machine_is_not_used) {
  // hwloc takes a made-up machine from this variable.
  ASSERT_EQ(setenv("HWLOC_SYNTHETIC", "node:2 core:4 pu:2", 1), 0);
  auto const machine = discover_topology();
  unsetenv("HWLOC_SYNTHETIC");
  EXPECT_FALSE(machine.from_hwloc);
  EXPECT_EQ(indices(machine.cores), affinity_mask());
}

}  // namespace
}  // namespace tokengate::detail
