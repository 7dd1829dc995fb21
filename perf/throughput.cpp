// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <string>
#include <utility>

#include "contest.hpp"
#include "machine.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

using namespace std::chrono_literals;

sample stream(std::size_t outstanding, peer& who, effort const& much) {
  auto const total = warm_up(who, outstanding, 300ms, much);
  load many{outstanding, total};
  auto const used = usage_now();
  run_whole(who, many);
  auto const cpu = usage_now().cpu - used.cpu;
  auto const tokens = static_cast<double>(total);
  return {many.elapsed().count() * 1e9 / tokens, static_cast<double>(cpu.count()) / tokens,
          many.allocations_per_token()};
}

}  // namespace

void add_throughput(std::vector<workload>& to) {
  std::pair<shape, std::string> const shapes[]{{shape::callback, "callback"},
                                               {shape::deferred, "deferred"},
                                               {shape::use_awaitable, "use_awaitable"}};
  for (auto const& [how, word] : shapes)
    for (std::size_t outstanding : {32, 256, 4096}) {
      auto const number = std::to_string(outstanding);
      auto measure = [outstanding](peer& who, effort const& much) {
        return stream(outstanding, who, much);
      };
      to.push_back({"throughput_" + word + "_" + number,
                    number + " empty tokens out, awaited by " + word + ": what does each cost?",
                    {{"ns_per_token", "ns"},
                     {"cpu_ns_per_token", "ns"},
                     {"allocations_per_token", "count", better::neither}},
                    contenders(how, placement::one_worker, measure)});
    }
}

}  // namespace perf
