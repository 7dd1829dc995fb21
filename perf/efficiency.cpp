// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <string>

#include "contest.hpp"
#include "machine.hpp"
#include "settings.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t outstanding = 64;

/// What a run is like: functions of `length`, for some `whole` where they have `cores`.
struct form {
  std::chrono::nanoseconds length;
  double cores = 1;
  std::chrono::nanoseconds whole = 500ms;
};

sample efficiency(form const& like, peer& who, effort const& much) {
  warm_up(who, outstanding, 1ms, much);
  auto const number = like.cores * static_cast<double>(much.of(like.whole) / like.length);
  auto const total = std::max<std::size_t>(4 * outstanding, static_cast<std::size_t>(number));
  load many{outstanding, total};
  auto const rounds = rounds_for(like.length);
  many.mix({task{rounds, 0}});
  auto const before = usage_now();
  run_whole(who, many);
  auto const cpu = std::chrono::duration<double>(usage_now().cpu - before.cpu);
  auto const work = cost_of(static_cast<double>(rounds) * static_cast<double>(total));
  return {work / (many.elapsed() * like.cores), cpu / many.elapsed()};
}

std::vector<metric> const metrics{{"efficiency", "ratio", better::more},
                                  {"cores_used", "cores", better::neither}};

trial functions(form like) {
  return [like](peer& who, effort const& much) { return efficiency(like, who, much); };
}

}  // namespace

void add_efficiency(std::vector<workload>& to) {
  for (auto const length : {1us, 10us, 100us}) {
    auto const word = std::to_string(length.count()) + "us";
    to.push_back({"efficiency_" + word,
                  "64 functions of " + word + " out, one worker: how much of its core do they get?",
                  metrics, contenders({}, functions({length}))});
  }
  for (auto const& each : other_settings()) {
    form like{10us, each.cores};
    // A process may begin with the quota of a whole period: let there be many.
    if (each.who.quota > 0) like.whole = 2s;
    to.push_back({"efficiency_10us_" + each.name,
                  "64 functions of 10us out, " + each.question + ": how much of " + each.share +
                      " do they get?",
                  metrics, contenders(each.how, functions(like), each.who)});
  }
}

}  // namespace perf
