// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

namespace tokengate::detail {

/// Parses the text of a cgroup v2 `cpu.max` file: "150000 100000" gives 1.5 CPUs.
/// Nullopt for "max 100000" (no limit) and for anything that is not in this form.
std::optional<double> parse_cpu_max(std::string_view text);

/// Parses the texts of the cgroup v1 files `cpu.cfs_quota_us` and `cpu.cfs_period_us`.
/// Nullopt for a quota of -1 (no limit) and for anything that is not in this form.
std::optional<double> parse_cfs_quota(std::string_view quota, std::string_view period);

/// The CPU bandwidth that this process may use, in CPUs: the tightest limit between its own
/// cgroup and the root of the hierarchy, over v1 and v2. Nullopt when there is no limit or none
/// can be read. `root` is put before all paths, so that tests can give a tree of their own.
std::optional<double> cgroup_cpu_quota(std::filesystem::path const& root = "/");

}  // namespace tokengate::detail
