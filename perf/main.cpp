// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <spdlog/logger.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <tokengate/logging.hpp>

#include "machine.hpp"
#include "options.hpp"
#include "plots.hpp"
#include "report.hpp"
#include "runner.hpp"
#include "statistics_cost.hpp"
#include "tables.hpp"
#include "workload.hpp"

namespace {

std::vector<perf::workload> chosen(perf::options const& how) {
  auto all = perf::all_workloads();
  for (auto const& name : how.run)
    if (std::none_of(all.begin(), all.end(), [&](auto const& each) { return each.name == name; }))
      throw std::invalid_argument("no workload is named " + name + "; see --list");
  auto const unwanted = [&](perf::workload const& each) {
    if (how.run.empty()) return each.on_request && !how.list;
    return std::find(how.run.begin(), how.run.end(), each.name) == how.run.end();
  };
  all.erase(std::remove_if(all.begin(), all.end(), unwanted), all.end());
  return all;
}

std::vector<perf::row> measured(std::vector<perf::workload> const& workloads,
                                perf::options const& how) {
  std::cout << "usable cores: " << perf::usable_cores().size() << ", rounds: " << how.repeat
            << "; median \u00b1 median deviation (times better than the best stock idiom)\n";
  std::vector<perf::row> rows;
  for (auto const& each : workloads) {
    auto const some = perf::run_workload(each, how);
    perf::print_table(std::cout, each, some);
    rows.insert(rows.end(), some.begin(), some.end());
  }
  return rows;
}

/// What the files hold. Where a workload is in several, the last of them counts.
std::vector<perf::row> all_of(std::vector<std::string> const& files) {
  std::vector<perf::row> rows;
  for (auto const& file : files) rows = perf::merged(std::move(rows), perf::read_json(file));
  return rows;
}

/// What earlier runs wrote.
std::vector<perf::row> recalled(std::vector<perf::workload> const& workloads,
                                perf::options const& how) {
  auto const rows = all_of(how.read);
  for (auto const& each : workloads) {
    for (auto const& who : each.variants) {
      auto const is_of = [&](perf::row const& one) {
        return one.workload == each.name && one.variant == who.name;
      };
      // Named workloads must be there, with all who take part in them.
      if (!how.run.empty() && how.variants.empty() && std::none_of(rows.begin(), rows.end(), is_of))
        throw std::runtime_error("no rows for " + each.name + ", " + who.name);
    }
    perf::print_table(std::cout, each, perf::rows_of(each.name, rows));
  }
  return rows;
}

std::vector<perf::row> found(std::vector<perf::workload> const& workloads,
                             perf::options const& how) {
  if (!how.with.empty() || !how.without.empty()) {
    auto rows = perf::cost_of_statistics(how.with, how.without);
    for (auto const& each : perf::statistics_workloads())
      perf::print_table(std::cout, each, perf::rows_of(each.name, rows));
    return rows;
  }
  return how.read.empty() ? measured(workloads, how) : recalled(workloads, how);
}

void write(std::ofstream& to, std::vector<perf::row> const& rows, std::string const& name) {
  perf::write_json(to, rows);
  to.close();
  if (!to) throw std::runtime_error("writing " + name + " failed");
}

void put_into_documents(std::vector<perf::row> const& rows, perf::options const& how) {
  perf::results const results{rows, how.fresh.empty() ? rows : all_of(how.fresh), how.stamp};
  for (auto const& file : how.tables) {
    std::cout << file << ':';
    auto const written = perf::refresh_tables(file, results);
    for (auto const& name : written) std::cout << ' ' << name;
    std::cout << (written.empty() ? " nothing to refresh\n" : " refreshed\n");
  }
}

int work(perf::options const& how) {
  auto const workloads = chosen(how);
  if (how.list) {
    for (auto const& each : workloads) std::cout << each.name << "\n    " << each.question << '\n';
    return 0;
  }
  // An overloaded gate says so, and one workload is overloaded all the time.
  tokengate::logger()->set_level(spdlog::level::err);
  std::ofstream json;
  if (!how.json.empty()) {
    // Opened before the hours of work, not after.
    json.open(how.json);
    if (!json) throw std::invalid_argument("cannot write " + how.json);
  }
  auto const rows = found(workloads, how);
  if (json.is_open()) write(json, rows, how.json);
  if (!how.plot.empty()) perf::draw_plots(how.plot, rows);
  put_into_documents(rows, how);
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
    return work(how);
  } catch (std::invalid_argument const& error) {
    std::cerr << "tokengate_perf: " << error.what() << '\n' << perf::usage_text();
    return 2;
  } catch (std::exception const& error) {
    std::cerr << "tokengate_perf: " << error.what() << '\n';
    return 1;
  }
}
