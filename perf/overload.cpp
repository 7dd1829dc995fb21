// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <algorithm>
#include <stdexcept>

#include "contest.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

using namespace std::chrono_literals;

constexpr auto length = 200us;
constexpr auto deadline = 20ms;

sample overload(peer& who, effort const& much) {
  warm_up(who, 32, 1ms, much);
  std::vector<std::chrono::nanoseconds> due;
  auto const whole = std::max<std::chrono::nanoseconds>(much.of(2s), 4 * deadline);
  for (std::chrono::nanoseconds at{0}; at < whole; at += length / 2) due.push_back(at);
  load twice{due};
  twice.mix({task{rounds_for(length), 0}});
  run_whole(who, twice, true);
  auto const& times = twice.times(0);
  auto const limit = std::chrono::duration<double, std::nano>(deadline).count();
  auto const in_time =
      std::count_if(times.begin(), times.end(), [limit](double time) { return time <= limit; });
  auto const capacity = std::chrono::duration<double>(whole) / length;
  auto const part = [&due](auto number) {
    return static_cast<double>(number) / static_cast<double>(due.size());
  };
  return {static_cast<double>(in_time) / capacity, part(twice.completed()), part(twice.refused())};
}

// One token holds the only worker, some fill what room there is (a mailbox takes many while
// functions are short), the rest is refused; all the slots whose tokens are refused go round and
// round meanwhile.
sample refusal(peer& who, effort const& much) {
  warm_up(who, 1, 1ms, much);
  constexpr std::size_t outstanding = 4096;
  auto const total = std::max<std::size_t>(much.at_most(300'000), 8 * outstanding);
  hold first;
  load full{outstanding, total};
  full.first({.rounds = 0, .lane = 0, .how = manner::held}).before_last([&first] {
    first.release();
  });
  run_whole(who, full, true);
  if (full.refused() + outstanding < total)
    throw std::runtime_error("only " + std::to_string(full.refused()) + " were refused");
  return {full.settled_time().count() * 1e9, full.allocations_per_token()};
}

}  // namespace

void add_overload(std::vector<workload>& to) {
  setup limited;
  limited.deadline = deadline;
  limited.hand_bound = 80;  // 16 ms of work: the best constant for this function and this deadline
  entrants who;
  who.only = {"asio_callback", "asio_lean_deferred", "asio_post_function",
              "asio_bounded",  "asio_skipping",      "tbb_arena"};
  to.push_back({"overload_2x",
                "functions of 200 us arrive at twice what one worker can do, wanted within 20 ms: "
                "how much of it does work that is still wanted?",
                {{"goodput", "ratio", better::more},
                 {"part_done", "ratio", better::neither},
                 {"part_refused", "ratio", better::neither}},
                contenders(limited, overload, who)});
  setup full;
  full.room = 16;
  full.hand_bound = 16;
  full.refuse = true;
  entrants bounded;
  bounded.only = {"asio_bounded"};
  to.push_back({"refusal",
                "the worker busy, the backlog full: what does a token cost that is refused, from "
                "issue to handler?",
                {{"ns_per_token", "ns"}, {"allocations_per_token", "count", better::neither}},
                contenders(full, refusal, bounded)});
}

}  // namespace perf
