// Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// One token holds the only worker, so that all that are issued after it are out at once.
#include <algorithm>
#include <stdexcept>

#include "allocations.hpp"
#include "contest.hpp"
#include "workloads.hpp"

namespace perf {
namespace {

using namespace std::chrono_literals;

struct pile {
  double ns_per_token;
  double bytes_per_token;       ///< asked for
  double heap_bytes_per_token;  ///< with what the allocator adds
};

/// The heap may have shrunk.
double difference(std::uint64_t after, std::uint64_t before) {
  return static_cast<double>(static_cast<std::int64_t>(after - before));
}

/// Issues `total` tokens before the first of them can end, and waits for all. The bytes are those
/// of the second half: the first takes what the peer and the heap still have.
pile pile_up(peer& who, std::size_t total) {
  hold first;
  std::uint64_t asked = 0;
  std::uint64_t held = 0;
  clock::duration aside{};  // the heap is slow to say how much it holds
  load all{total, total};
  all.first({.rounds = 0, .lane = 0, .how = manner::held})
      .before(total / 2,
              [&] {
                auto const begun = clock::now();
                asked = bytes_requested();
                held = heap_bytes();
                aside += clock::now() - begun;
              })
      .before_last([&] {
        auto const begun = clock::now();
        asked = bytes_requested() - asked;
        held = heap_bytes() - held;
        aside += clock::now() - begun;
        first.release();
      });
  run_whole(who, all);
  auto const half = static_cast<double>(total - total / 2);
  std::chrono::duration<double, std::nano> const taken = all.elapsed() - aside;
  return {taken.count() / static_cast<double>(total), difference(asked, 0) / half,
          difference(held, 0) / half};
}

sample memory(peer& who, effort const& much) {
  auto const total = warm_up(who, 256, 100ms, much);
  load warm{256, total};
  run_whole(who, warm);
  auto const out = pile_up(who, std::max<std::size_t>(much.at_most(200'000), 2000));
  return {warm.allocations_per_token(), out.bytes_per_token, out.heap_bytes_per_token};
}

/// Blocks are kept for the next run, too: so what is left is counted from before the first of all,
/// and what this run adds to it beside that.
sample million(std::uint64_t at_start, peer& who, effort const& much) {
  warm_up(who, 1, 1ms, much);
  auto const total = std::max<std::size_t>(much.at_most(1'000'000), 8000);
  auto const before = heap_bytes();
  auto const few = pile_up(who, total / 8);
  auto const many = pile_up(who, total);
  auto const after = heap_bytes();
  if (who.outstanding() != 0)
    throw std::runtime_error("tokens are out after all of them came back");
  return {many.ns_per_token,           many.ns_per_token / few.ns_per_token,
          many.bytes_per_token,        many.heap_bytes_per_token,
          difference(after, at_start), difference(after, before)};
}

}  // namespace

void add_memory(std::vector<workload>& to) {
  static auto const at_start = heap_bytes();
  setup roomy;
  roomy.room = 1'100'000;
  entrants most;
  // A thread per token; an allocator that is not the process's; no other than ours.
  most.without = {"std_async", "tbb_arena", "tokengate_no_hot"};
  to.push_back({"memory",
                "allocations per token once warm, 256 out; memory per token with 200,000 out",
                {{"allocations_per_token", "count"},
                 {"bytes_per_token", "bytes"},
                 {"heap_bytes_per_token", "bytes"}},
                contenders(roomy, memory, most)});
  auto awaited = roomy;
  awaited.how = shape::deferred;
  entrants ours;
  ours.without = {"tokengate_no_hot"};
  ours.only = {"asio_lean_deferred"};
  to.push_back({"memory_deferred", "the same, each token awaited in a coroutine of its own",
                to.back().metrics, contenders(awaited, memory, ours)});
  entrants few;
  few.without = {"tokengate_no_hot"};
  few.only = {"asio_callback"};
  to.push_back({"million_outstanding",
                "1,000,000 empty tokens out at once, then all of them back: is the time linear, "
                "and what does the heap still hold?",
                {{"ns_per_token", "ns"},
                 {"times_an_eighth", "ratio", better::neither},
                 {"bytes_per_token", "bytes"},
                 {"heap_bytes_per_token", "bytes"},
                 {"heap_after_drain_bytes", "bytes", better::neither},
                 {"heap_added_bytes", "bytes", better::neither}},
                contenders(roomy, trial{[](peer& one, effort const& much) {
                             return million(at_start, one, much);
                           }},
                           few)});
}

}  // namespace perf
