// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "peers/peer.hpp"
#include "workload.hpp"

namespace perf {

/// What a workload does with one peer, made and placed, its loop on the calling thread.
using trial = std::function<sample(peer&, effort const&)>;
/// The same for a workload that makes its peers itself, several or one after the other.
using factory = std::function<std::unique_ptr<peer>()>;
using long_trial = std::function<sample(factory const&, effort const&)>;

/// Who takes part in a workload.
struct entrants {
  /// Of the peers that are not ours, those named here; empty means all that take part unasked.
  std::vector<std::string> only{};
  /// And not these.
  std::vector<std::string> without{};
  /// The process may use so many cores at once meanwhile, by a CPU quota; 0 is no limit.
  double quota = 0;
};

/// A variant for each peer: those with a shape of their own in that, the others as `how` says.
std::vector<variant> contenders(setup const& how, trial const& what, entrants const& who = {});
std::vector<variant> contenders(setup const& how, long_trial const& what, entrants const& who = {});

/// Runs the load and throws unless every token that was issued came back, and its function was run;
/// with `may_refuse`, or was not because the peer refused it.
void run_whole(peer& who, load& what, bool may_refuse = false);

/// Runs a short load with `outstanding` empty tokens, to warm up; gives the number of them that
/// would take about `length`.
std::size_t warm_up(peer& who, std::size_t outstanding, std::chrono::nanoseconds length,
                    effort const& much);

}  // namespace perf
