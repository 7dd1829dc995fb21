// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "cgroup.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <string>

namespace tokengate::detail {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view blanks = " \t\r\n";

/// Cuts the next word off the front of `text`; empty when there is none.
std::string_view next_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
  auto word = text.substr(0, text.find_first_of(blanks));
  text.remove_prefix(word.size());
  return word;
}

/// A positive number that fills the whole word.
std::optional<double> positive(std::string_view word) {
  std::uint64_t value = 0;
  auto [end, status] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (status != std::errc{} || end != word.data() + word.size() || value == 0) return std::nullopt;
  return static_cast<double>(value);
}

std::optional<double> ratio(std::string_view quota, std::string_view period) {
  auto top = positive(quota);
  auto bottom = positive(period);
  if (!top || !bottom) return std::nullopt;
  return *top / *bottom;
}

std::string first_line(fs::path const& file) {
  std::string line;
  if (std::ifstream in{file}; in) std::getline(in, line);
  return line;
}

std::optional<double> limit_v1(fs::path const& group) {
  return parse_cfs_quota(first_line(group / "cpu.cfs_quota_us"),
                         first_line(group / "cpu.cfs_period_us"));
}

std::optional<double> limit_v2(fs::path const& group) {
  return parse_cpu_max(first_line(group / "cpu.max"));
}

std::optional<double> tighter(std::optional<double> a, std::optional<double> b) {
  if (a && b) return std::min(*a, *b);
  return a ? a : b;
}

/// Tightest limit on the way from `mount`/`group` up to `mount`. A group that does not exist below
/// the mount is normal in a container, which sees the host's name of the group but has its own
/// group mounted as the root; walking up then ends where it should.
template <class Limit>
std::optional<double> walk_up(fs::path const& mount, fs::path group, Limit limit) {
  group = group.relative_path();
  // A group outside the namespace is shown with "..", which must not lead out of the mount.
  if (std::find(group.begin(), group.end(), "..") != group.end()) group.clear();
  std::optional<double> tightest;
  for (; !group.empty(); group = group.parent_path()) {
    tightest = tighter(tightest, limit(mount / group));
  }
  return tighter(tightest, limit(mount));
}

/// Whether a list such as "cpu,cpuacct" names the controller "cpu".
bool lists_cpu(std::string_view controllers) {
  while (!controllers.empty()) {
    auto name = controllers.substr(0, controllers.find(','));
    if (name == "cpu") return true;
    controllers.remove_prefix(std::min(name.size() + 1, controllers.size()));
  }
  return false;
}

}  // namespace

std::optional<double> parse_cpu_max(std::string_view text) {
  auto quota = next_word(text);
  auto period = next_word(text);
  if (!next_word(text).empty()) return std::nullopt;
  return ratio(quota, period);
}

std::optional<double> parse_cfs_quota(std::string_view quota, std::string_view period) {
  auto top = next_word(quota);
  auto bottom = next_word(period);
  if (!next_word(quota).empty() || !next_word(period).empty()) return std::nullopt;
  return ratio(top, bottom);
}

std::optional<double> cgroup_cpu_quota(fs::path const& root) {
  auto const mounts = root / "sys/fs/cgroup";
  std::optional<double> tightest;
  std::ifstream groups{root / "proc/self/cgroup"};
  for (std::string line; std::getline(groups, line);) {
    // "4:cpu,cpuacct:/some/group" in v1, "0::/some/group" in v2; a group's name may hold colons.
    auto const first = line.find(':');
    auto const second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    auto const controllers = std::string_view{line}.substr(first + 1, second - first - 1);
    auto const group = fs::path{line.substr(second + 1)};
    if (controllers.empty()) {
      for (auto const& mount : {mounts, mounts / "unified"}) {
        tightest = tighter(tightest, walk_up(mount, group, limit_v2));
      }
    } else if (lists_cpu(controllers)) {
      // The mount is named after the controllers, in an order that differs between systems.
      for (auto const* name : {"cpu", "cpu,cpuacct", "cpuacct,cpu"}) {
        tightest = tighter(tightest, walk_up(mounts / name, group, limit_v1));
      }
    }
  }
  return tightest;
}

}  // namespace tokengate::detail
