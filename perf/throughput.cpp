// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <limits>
#include <string>
#include <utility>

#include "contest.hpp"
#include "machine.hpp"
#include "settings.hpp"
#include "syscalls.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

using namespace std::chrono_literals;

std::vector<metric> const metrics{{"ns_per_token", "ns"},
                                  {"cpu_ns_per_token", "ns"},
                                  {"tokens_per_second", "1/s", better::more},
                                  {"tokens_per_cpu_second", "1/s", better::more},
                                  {"switches_per_token", "count", better::neither},
                                  {"system_calls_per_token", "count", better::neither},
                                  {"allocations_per_token", "count", better::neither}};

/// By a peer of its own, since counting them costs time.
double system_calls(std::size_t outstanding, factory const& make) {
  auto const total = std::max<std::size_t>(20'000, 4 * outstanding);
  syscall_counter const calls;
  auto const who = make();
  load first{outstanding, outstanding};
  run_whole(*who, first);
  auto const before = calls.count();
  load many{outstanding, total};
  run_whole(*who, many);
  auto const after = calls.count();
  if (!before || !after) return std::numeric_limits<double>::quiet_NaN();
  return static_cast<double>(*after - *before) / static_cast<double>(total);
}

sample stream(std::size_t outstanding, factory const& make, effort const& much) {
  sample all;
  {
    auto const who = make();
    auto const total = warm_up(*who, outstanding, 300ms, much);
    load many{outstanding, total};
    auto const before = usage_now();
    run_whole(*who, many);
    auto const after = usage_now();
    auto const tokens = static_cast<double>(total);
    auto const wall = many.elapsed().count() / tokens;
    auto const cpu = std::chrono::duration<double>(after.cpu - before.cpu).count() / tokens;
    all = {wall * 1e9, cpu * 1e9, 1 / wall, 1 / cpu,
           static_cast<double>(after.switches - before.switches) / tokens};
    all.push_back(many.allocations_per_token());
  }
  all.insert(all.end() - 1, system_calls(outstanding, make));
  return all;
}

/// A number of tokens that is not fitted to the machine, for a counter of instructions, which has
/// to be outside.
sample fixed(peer& who, effort const& much) {
  load many{4096, std::max<std::size_t>(2 * 4096, much.tokens)};
  run_whole(who, many);
  return {static_cast<double>(many.completed()), std::numeric_limits<double>::quiet_NaN()};
}

long_trial stream_of(std::size_t outstanding) {
  return [outstanding](factory const& make, effort const& much) {
    return stream(outstanding, make, much);
  };
}

}  // namespace

void add_throughput(std::vector<workload>& to) {
  std::pair<shape, std::string> const shapes[]{{shape::callback, "callback"},
                                               {shape::deferred, "deferred"},
                                               {shape::use_awaitable, "use_awaitable"}};
  for (auto const& [how, word] : shapes)
    for (std::size_t outstanding : {32, 256, 4096}) {
      auto const number = std::to_string(outstanding);
      setup form;
      form.how = how;
      entrants who;
      // They know callbacks only, and are in the workloads of those.
      if (how != shape::callback) who.without = {"tbb_arena", "thread_pool", "std_async"};
      to.push_back({"throughput_" + word + "_" + number,
                    number + " empty tokens out, awaited by " + word + ": what does each cost?",
                    metrics, contenders(form, stream_of(outstanding), who)});
    }
  for (auto const& each : other_settings())
    to.push_back({"throughput_" + each.name,
                  "256 empty tokens out, awaited by callback, " + each.question, metrics,
                  contenders(each.how, stream_of(256), each.who)});
  entrants few;
  few.without = {"std_async"};
  to.push_back({"instructions",
                "what callgrind counts for an empty token, on all threads together, 4096 out, the "
                "loop free to sleep (sh cmake/perf.sh --instructions)",
                {{"tokens", "count", better::neither, false}, {"instructions_per_token", "count"}},
                contenders({}, fixed, few),
                true});
}

}  // namespace perf
