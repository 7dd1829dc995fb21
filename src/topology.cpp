// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "topology.hpp"

#include <hwloc.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>

#include "cgroup.hpp"

namespace tokengate::detail {
namespace {

struct destroy_hwloc {
  void operator()(hwloc_topology_t loaded) const noexcept { hwloc_topology_destroy(loaded); }
};
using hwloc_handle = std::unique_ptr<hwloc_topology, destroy_hwloc>;

/// Null when hwloc fails, or when its environment variables make it describe another machine.
hwloc_handle load_hwloc() {
  hwloc_topology_t raw = nullptr;
  if (hwloc_topology_init(&raw) != 0) return nullptr;
  hwloc_handle loaded{raw};
#if HWLOC_API_VERSION >= 0x00020500
  // Some of hwloc's back ends would move the calling thread over all CPUs to ask each of them.
  hwloc_topology_set_flags(raw, HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING);
#endif
  if (hwloc_topology_load(raw) != 0 || hwloc_topology_is_thissystem(raw) == 0) return nullptr;
  return loaded;
}

core_info describe(hwloc_topology_t loaded, hwloc_obj_t unit) {
  auto const core = hwloc_get_ancestor_obj_by_type(loaded, HWLOC_OBJ_CORE, unit);
  auto const node = unit->nodeset == nullptr ? -1 : hwloc_bitmap_first(unit->nodeset);
  // The core's logical index, as the one of the operating system repeats in each package.
  return {.os_index = unit->os_index,
          .physical_core = core == nullptr ? unit->logical_index : core->logical_index,
          .numa_node = node < 0 ? 0U : static_cast<unsigned>(node),
          .smt_rank = 0};
}

/// The CPUs of `mask` as hwloc describes them; empty unless it knows every one.
std::vector<core_info> describe_with_hwloc(std::vector<unsigned> const& mask) {
  std::vector<core_info> cores;
  auto const loaded = load_hwloc();
  if (!loaded) return cores;
  cores.reserve(mask.size());
  for (auto cpu : mask) {
    auto const unit = hwloc_get_pu_obj_by_os_index(loaded.get(), cpu);
    if (unit == nullptr) return {};
    cores.push_back(describe(loaded.get(), unit));
  }
  return cores;
}

std::vector<core_info> describe_alike(std::vector<unsigned> const& mask) {
  std::vector<core_info> cores;
  cores.reserve(mask.size());
  for (auto cpu : mask) cores.push_back({cpu, cpu, 0, 0});
  return cores;
}

std::string list(std::vector<core_info> const& cores) {
  std::string text;
  for (auto const& core : cores) {
    if (!text.empty()) text += ", ";
    text += std::to_string(core.os_index);
  }
  return text;
}

std::vector<core_info> choose_explicit(std::vector<core_info> const& allowed,
                                       std::span<unsigned const> wanted) {
  std::vector<core_info> chosen;
  for (auto cpu : wanted) {
    auto const is_it = [cpu](core_info const& core) { return core.os_index == cpu; };
    auto const found = std::find_if(allowed.begin(), allowed.end(), is_it);
    if (found == allowed.end()) {
      throw std::invalid_argument("tokengate: core " + std::to_string(cpu) +
                                  " is not in the affinity mask of this process (" + list(allowed) +
                                  ")");
    }
    if (std::any_of(chosen.begin(), chosen.end(), is_it)) {
      throw std::invalid_argument("tokengate: core " + std::to_string(cpu) + " is listed twice");
    }
    chosen.push_back(*found);
  }
  return chosen;
}

}  // namespace

std::vector<unsigned> affinity_mask() {
  // The kernel refuses a set smaller than its own with EINVAL, so grow until it fits.
  for (std::size_t size = CPU_SETSIZE; size <= (std::size_t{1} << 20); size *= 2) {
    auto const free_set = [](cpu_set_t* set) { CPU_FREE(set); };
    std::unique_ptr<cpu_set_t, decltype(free_set)> set{CPU_ALLOC(size), free_set};
    if (!set) return {};
    auto const bytes = CPU_ALLOC_SIZE(size);
    CPU_ZERO_S(bytes, set.get());
    if (sched_getaffinity(0, bytes, set.get()) == 0) {
      std::vector<unsigned> mask;
      for (std::size_t cpu = 0; cpu < size; ++cpu) {
        if (CPU_ISSET_S(cpu, bytes, set.get())) mask.push_back(static_cast<unsigned>(cpu));
      }
      return mask;
    }
    if (errno != EINVAL) return {};
  }
  return {};
}

std::vector<core_info> assign_smt_ranks(std::vector<core_info> cores) {
  std::ranges::sort(cores, {}, &core_info::os_index);
  std::map<unsigned, unsigned> siblings;
  for (auto& core : cores) core.smt_rank = siblings[core.physical_core]++;
  return cores;
}

std::vector<core_info> order_cores(std::vector<core_info> cores) {
  if (cores.empty()) return cores;
  auto const by_rank = [](core_info const& core) {
    return std::tuple(core.smt_rank, core.os_index);
  };
  auto const near = std::ranges::min(cores, {}, by_rank).numa_node;
  std::ranges::sort(cores, {}, [near](core_info const& core) {
    return std::tuple(core.smt_rank, core.numa_node != near, core.numa_node, core.os_index);
  });
  return cores;
}

topology discover_topology() {
  auto mask = affinity_mask();
  if (mask.empty()) {
    for (unsigned cpu = 0; cpu < std::max(1U, std::thread::hardware_concurrency()); ++cpu) {
      mask.push_back(cpu);
    }
  }
  topology machine;
  machine.usable = mask.size();
  machine.quota = cgroup_cpu_quota();
  auto cores = describe_with_hwloc(mask);
  machine.from_hwloc = !cores.empty();
  if (cores.empty()) cores = describe_alike(mask);
  machine.cores = order_cores(assign_smt_ranks(std::move(cores)));
  return machine;
}

std::vector<core_info> choose_cores(topology const& machine,
                                    std::span<unsigned const> explicit_cores,
                                    std::size_t max_cores) {
  auto chosen =
      explicit_cores.empty() ? machine.cores : choose_explicit(machine.cores, explicit_cores);
  auto count = chosen.size();
  if (max_cores != 0) count = std::min(count, max_cores);
  if (explicit_cores.empty() && machine.quota) {
    // Compared as double: a quota far above any number of cores must not overflow the conversion.
    auto const whole = std::max(1.0, std::ceil(*machine.quota));
    if (whole < static_cast<double>(count)) count = static_cast<std::size_t>(whole);
  }
  chosen.resize(count);
  return chosen;
}

}  // namespace tokengate::detail
