// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "workload.hpp"

namespace perf {

namespace asio = boost::asio;

// What the workloads of channels, locks, scopes, the bus, actors and pipelines share. They have no
// peer interface: what is compared differs too much. Each variant is a function that passes so many
// items, checks that all arrived, and says how many seconds that took.
using passing = std::function<double(std::size_t items)>;

/// A variant that warms up, then passes `items` (fewer when scaled down).
variant passing_variant(std::string name, bool stock, std::size_t items, passing pass);

/// The figures of the above: time and allocations per item.
std::vector<metric> passing_metrics();

/// Runs the loop on its core until it is out of work.
double seconds_to_run(asio::io_context& loop);
/// The same for two loops on two threads, each on a core of its own.
double seconds_to_run(asio::io_context& loop, asio::io_context& other);
/// The same for a loop and a plain thread on the other core that runs `call`.
double seconds_to_run(asio::io_context& loop, std::function<void()> const& call);

/// Throws unless they are equal.
void expect_count(std::size_t count, std::size_t expected);

}  // namespace perf
