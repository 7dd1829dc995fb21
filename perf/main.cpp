// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <stdexcept>

#include "machine.hpp"
#include "options.hpp"
#include "report.hpp"
#include "runner.hpp"
#include "workload.hpp"

namespace {

std::vector<perf::workload> chosen(perf::options const& how) {
  auto all = perf::all_workloads();
  for (auto const& name : how.run)
    if (std::none_of(all.begin(), all.end(), [&](auto const& each) { return each.name == name; }))
      throw std::invalid_argument("no workload is named " + name + "; see --list");
  auto const unwanted = [&](perf::workload const& each) {
    return !how.run.empty() &&
           std::find(how.run.begin(), how.run.end(), each.name) == how.run.end();
  };
  all.erase(std::remove_if(all.begin(), all.end(), unwanted), all.end());
  return all;
}

int measure(perf::options const& how) {
  auto const workloads = chosen(how);
  if (how.list) {
    for (auto const& each : workloads) std::cout << each.name << "\n    " << each.question << '\n';
    return 0;
  }
  std::ofstream json;
  if (!how.json.empty()) {
    // Opened before the hours of work, not after.
    json.open(how.json);
    if (!json) throw std::invalid_argument("cannot write " + how.json);
  }
  std::cout << "usable cores: " << perf::usable_cores().size() << ", rounds: " << how.repeat
            << "; median \u00b1 median deviation (times better than the best stock idiom)\n";
  std::vector<perf::row> rows;
  for (auto const& each : workloads) {
    auto const some = perf::run_workload(each, how);
    perf::print_table(std::cout, each, some);
    rows.insert(rows.end(), some.begin(), some.end());
  }
  if (json.is_open()) {
    perf::write_json(json, rows);
    json.close();
    if (!json) throw std::runtime_error("writing " + how.json + " failed");
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    auto const how = perf::read_options(argc, argv);
    if (how.help) {
      std::cout << perf::usage_text();
      return 0;
    }
    return measure(how);
  } catch (std::invalid_argument const& error) {
    std::cerr << "tokengate_perf: " << error.what() << '\n' << perf::usage_text();
    return 2;
  } catch (std::exception const& error) {
    std::cerr << "tokengate_perf: " << error.what() << '\n';
    return 1;
  }
}
