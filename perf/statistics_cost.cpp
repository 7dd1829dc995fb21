// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "statistics_cost.hpp"

#include <stdexcept>

namespace perf {
namespace {

constexpr char const* outstanding[]{"32", "256", "4096"};

/// The figures of the library in one run of the workload that is measured.
sample figures(std::string const& file, std::string const& number, workload const& what) {
  auto const rows = read_json(file);
  sample all;
  for (auto const& each : what.metrics) {
    auto const* const found =
        find_row(rows, "throughput_callback_" + number, "tokengate", each.name);
    if (found == nullptr)
      throw std::runtime_error(file + ": no " + each.name + " with " + number + " out");
    all.push_back(found->median);
  }
  return all;
}

sample minus(sample from, sample const& what) {
  for (std::size_t at = 0; at < from.size(); ++at) from[at] -= what[at];
  return from;
}

workload statistics_workload(std::string const& number) {
  return {"statistics_" + number,
          number +
              " empty tokens out, awaited by callback, the library with its statistics and "
              "built without them: what is the difference of a round?",
          {{"ns_per_token", "ns", better::neither}, {"cpu_ns_per_token", "ns", better::neither}},
          {{"with", false, {}}, {"without", false, {}}, {"difference", false, {}}},
          true};
}

}  // namespace

std::vector<workload> statistics_workloads() {
  std::vector<workload> all;
  for (auto const* number : outstanding) all.push_back(statistics_workload(number));
  return all;
}

std::vector<row> cost_of_statistics(std::vector<std::string> const& with,
                                    std::vector<std::string> const& without) {
  if (with.size() != without.size())
    throw std::invalid_argument("--with and --without want as many files each");
  std::vector<row> rows;
  for (auto const* number : outstanding) {
    auto const what = statistics_workload(number);
    std::vector<record> records;
    for (auto const& who : what.variants) records.push_back({&who, {}});
    for (std::size_t at = 0; at < with.size(); ++at) {
      auto const ours = figures(with[at], number, what);
      auto const bare = figures(without[at], number, what);
      records[0].runs.push_back(ours);
      records[1].runs.push_back(bare);
      records[2].runs.push_back(minus(ours, bare));
    }
    auto const some = summarise(what, records);
    rows.insert(rows.end(), some.begin(), some.end());
  }
  return rows;
}

}  // namespace perf
