// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "peers/peer.hpp"
#include "workload.hpp"

namespace perf {

/// What a workload does with one peer, made and placed, its loop on the calling thread.
using trial = std::function<sample(peer&, effort const&)>;

/// A variant for each peer: stock idioms in their own shape, the others in `how`. With `only`,
/// the stock idioms are those named there.
std::vector<variant> contenders(shape how, placement where, trial const& what,
                                std::initializer_list<std::string_view> only = {});

/// Runs the load and throws unless every token that was issued came back.
void run_whole(peer& who, load& what);

/// Runs a short load with `outstanding` empty tokens, to warm up; gives the number of them that
/// would take about `length`.
std::size_t warm_up(peer& who, std::size_t outstanding, std::chrono::nanoseconds length,
                    effort const& much);

}  // namespace perf
