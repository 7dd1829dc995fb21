// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace tokengate::detail {

/// One logical CPU that this process may use.
struct core_info {
  unsigned os_index;       ///< number by which the operating system knows it
  unsigned physical_core;  ///< equal for SMT siblings, unique in the machine
  unsigned numa_node;      ///< number of the memory node next to it
  unsigned smt_rank;       ///< 0 for the first usable sibling of a physical core, then 1, 2 ...

  friend bool operator==(core_info const&, core_info const&) = default;
};

/// What this process may use of the machine. `cores` is never empty.
struct topology {
  std::vector<core_info> cores;  ///< in order of preference, see order_cores()
  std::size_t usable = 0;        ///< size of the affinity mask
  std::optional<double> quota;   ///< CPU bandwidth of the cgroup, in CPUs
  bool from_hwloc = false;       ///< false: SMT and NUMA are unknown, every core looks alike
};

/// Reads the calling thread's affinity mask, hwloc and the cgroup quota. Never fails: without hwloc
/// the mask alone is used, without a mask the number of CPUs.
///
/// The mask is the calling thread's, as it is what new threads inherit. A thread that has pinned
/// itself to one core therefore sees one core.
topology discover_topology();

/// Numbers of the CPUs in the calling thread's affinity mask, ascending; any number of CPUs.
/// Empty when the operating system does not tell.
std::vector<unsigned> affinity_mask();

/// Numbers the SMT siblings of each physical core by ascending os_index. Only the cores given
/// count: a sibling outside the mask takes no rank.
std::vector<core_info> assign_smt_ranks(std::vector<core_info> cores);

/// Sorts into order of preference: whole physical cores before SMT siblings of cores already
/// listed, and among equals the node of the first core before other nodes.
std::vector<core_info> order_cores(std::vector<core_info> cores);

/// The cores on which to place workers.
///
/// Without explicit cores: the first min(mask, ceil(quota), max_cores) in order of preference, at
/// least one. Explicit cores are taken as they are, in their order, since whoever lists them has
/// decided; the quota does not shorten them, max_cores does. `max_cores` of 0 is no limit.
/// @throws std::invalid_argument for an explicit core outside the mask or listed twice.
std::vector<core_info> choose_cores(topology const& machine,
                                    std::span<unsigned const> explicit_cores,
                                    std::size_t max_cores);

}  // namespace tokengate::detail
