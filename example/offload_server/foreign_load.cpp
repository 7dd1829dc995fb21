// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "foreign_load.hpp"

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <string>

namespace offload_server {

double foreign_load::share() const {
  const reading end = now();
  const double all = end.all_seconds - start_.all_seconds;
  const double busy = end.busy_seconds - start_.busy_seconds;
  const double own = end.own_seconds - start_.own_seconds;
  return all > 0 ? std::clamp((busy - own) / all, 0.0, 1.0) : 0.0;
}

foreign_load::reading foreign_load::now() {
  reading result;
  timespec own{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
  result.own_seconds = static_cast<double>(own.tv_sec) + static_cast<double>(own.tv_nsec) * 1e-9;

  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(getpid(), sizeof mask, &mask) != 0) return result;
  const double tick = 1.0 / static_cast<double>(sysconf(_SC_CLK_TCK));
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    if (name.rfind("cpu", 0) != 0 || name.size() == 3) continue;  // without number: the sum
    if (!CPU_ISSET(std::stoul(name.substr(3)), &mask)) continue;
    // user nice system idle iowait irq softirq steal; the columns after these are part of user
    std::array<double, 8> columns{};
    for (double& column : columns) words >> column;
    for (double column : columns) result.all_seconds += column * tick;
    for (std::size_t i : {0, 1, 2, 5, 6, 7}) result.busy_seconds += columns[i] * tick;
  }
  return result;
}

}  // namespace offload_server
