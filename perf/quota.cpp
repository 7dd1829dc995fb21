// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "quota.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <stdexcept>

namespace perf {
namespace {

constexpr long period_us = 100'000;

struct hierarchy {
  std::string home;  ///< the folder of the group that the process is in; empty: none can be used
  bool old = false;  ///< version 1, with one controller per hierarchy
};

bool writable(std::string const& folder) {
  return access((folder + "/cgroup.procs").c_str(), W_OK) == 0 && access(folder.c_str(), W_OK) == 0;
}

/// The group of this process in the hierarchy that has the cpu controller.
hierarchy find() {
  std::string const root = "/sys/fs/cgroup";
  std::ifstream groups{"/proc/self/cgroup"};
  for (std::string line; std::getline(groups, line);) {
    auto const first = line.find(':');
    auto const second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    auto const controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    auto const group = line.substr(second + 1);
    if (controllers.find(",cpu,") != std::string::npos) {
      auto const home = root + "/cpu" + (group == "/" ? "" : group);
      if (writable(home)) return {home, true};
    } else if (controllers == ",,") {
      auto const home = root + (group == "/" ? "" : group);
      std::ifstream granted{home + "/cgroup.subtree_control"};
      for (std::string controller; granted >> controller;)
        if (controller == "cpu" && writable(home)) return {home, false};
    }
  }
  return {};
}

bool write(std::string const& file, std::string const& text) {
  std::ofstream to{file};
  to << text << std::flush;
  return to.good();
}

}  // namespace

bool quota_possible() {
  // Only a trial tells: a container may show the files and refuse to have them used.
  static bool const possible = [] {
    try {
      scoped_quota const trial{1024};
      return true;
    } catch (std::runtime_error const&) {
      return false;
    }
  }();
  return possible;
}

scoped_quota::scoped_quota(double cores) {
  if (cores <= 0) return;
  auto const where = find();
  auto const group = where.home + "/tokengate_perf_" + std::to_string(getpid());
  auto const limit = std::to_string(static_cast<long>(cores * period_us));
  auto const period = std::to_string(period_us);
  // One that is there was left by this process, or by one of its number that was killed: the kernel
  // may refuse to remove a group that has only just become empty.
  auto const made = !where.home.empty() && (mkdir(group.c_str(), 0755) == 0 || errno == EEXIST);
  auto const set = made && (where.old ? write(group + "/cpu.cfs_period_us", period) &&
                                            write(group + "/cpu.cfs_quota_us", limit)
                                      : write(group + "/cpu.max", limit + " " + period));
  if (!set || !write(group + "/cgroup.procs", std::to_string(getpid()))) {
    if (made) rmdir(group.c_str());
    throw std::runtime_error("no CPU quota could be set");
  }
  group_ = group;
  home_ = where.home;
}

scoped_quota::~scoped_quota() {
  if (group_.empty()) return;
  write(home_ + "/cgroup.procs", std::to_string(getpid()));
  rmdir(group_.c_str());
}

}  // namespace perf
