// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <sys/utsname.h>

#include <boost/version.hpp>
#include <fstream>

#include "machine.hpp"
#include "tables.hpp"

namespace perf {
namespace {

/// What follows `key` on the first line that begins so, without quotes.
std::string value_in(char const* file, std::string const& key) {
  std::ifstream from{file};
  for (std::string line; std::getline(from, line);) {
    if (!line.starts_with(key)) continue;
    auto const begin = line.find_first_not_of(" \t:=\"", key.size());
    if (begin == std::string::npos) return {};
    return line.substr(begin, line.find_last_not_of(" \"") + 1 - begin);
  }
  return {};
}

std::string compiler() {
#ifdef __clang__
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

/// The first two numbers of a kernel's release.
std::string series(std::string const& release) {
  return release.substr(0, release.find('.', release.find('.') + 1));
}

}  // namespace

std::string machine(std::string const& stamp) {
  utsname system{};
  uname(&system);
  auto const model = value_in("/proc/cpuinfo", "model name");
  auto const guest = value_in("/proc/cpuinfo", "flags").find(" hypervisor") != std::string::npos;
  return std::to_string(usable_cores().size()) + " usable cores of " +
         (model.empty() ? system.machine : model) + (guest ? ", in a virtual machine" : "") +
         "; Linux " + series(system.release) + ", " + value_in("/etc/os-release", "PRETTY_NAME") +
         "; " + compiler() + ", Boost " + std::to_string(BOOST_VERSION / 100000) + "." +
         std::to_string(BOOST_VERSION / 100 % 1000) + "; last measured " + stamp;
}

std::string machine_block(std::string const& stamp) {
  return machine(stamp) +
         ".\nThe stamp beside each table is its own. Compare within a table only.\n";
}

}  // namespace perf
