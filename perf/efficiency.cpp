// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <string>

#include "contest.hpp"
#include "machine.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t outstanding = 64;

sample efficiency(std::chrono::nanoseconds length, peer& who, effort const& much) {
  warm_up(who, outstanding, 1ms, much);
  auto const total =
      std::max<std::size_t>(4 * outstanding, static_cast<std::size_t>(much.of(500ms) / length));
  load many{outstanding, total};
  auto const rounds = rounds_for(length);
  many.mix({task{rounds, 0}});
  auto const before = usage_now();
  run_whole(who, many);
  auto const cpu = std::chrono::duration<double>(usage_now().cpu - before.cpu);
  auto const work = cost_of(static_cast<double>(rounds) * static_cast<double>(total));
  return {work / many.elapsed(), cpu / many.elapsed()};
}

}  // namespace

void add_efficiency(std::vector<workload>& to) {
  for (auto const length : {1us, 10us, 100us}) {
    auto const word = std::to_string(length.count()) + "us";
    auto measure = [length](peer& who, effort const& much) {
      return efficiency(length, who, much);
    };
    to.push_back({"efficiency_" + word,
                  "64 functions of " + word + " out, one worker: how much of its core do they get?",
                  {{"efficiency", "ratio", better::more}, {"cores_used", "cores", better::neither}},
                  contenders({}, measure)});
  }
}

}  // namespace perf
