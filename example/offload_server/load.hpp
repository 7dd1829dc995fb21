// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "corpus.hpp"
#include "operations.hpp"
#include "samples.hpp"

namespace offload_server {

/// What the load asks for, and what the answers must be. Made once, used for every mode.
struct workload {
  workload(corpus files, const key_derivation& password);

  corpus input;
  std::vector<std::size_t> for_digest;  ///< places in the corpus
  std::vector<std::size_t> for_gzip;    ///< of a size that takes some milliseconds
  std::vector<std::string> passwords;
  std::vector<std::string> keys;  ///< the derived key of each password
};

/// The same for every mode. Each client is a thread with one keep-alive connection, which means to
/// send a request per period (give or take a half, so that clients do not march in step) and waits
/// for each answer. A server that keeps up gets the offered rate; one that does not gets less.
struct load_settings {
  std::array<unsigned, route_count> clients{4, 2, 2};
  std::array<std::chrono::milliseconds, route_count> period{
      std::chrono::milliseconds(10), std::chrono::milliseconds(40), std::chrono::milliseconds(80)};
  std::chrono::milliseconds ping_period{2};
  std::chrono::milliseconds duration{4000};

  double offered_per_second(route which) const;
};

struct route_result {
  samples latency_ms;
  std::uint64_t refused = 0;  ///< 503
  std::uint64_t wrong = 0;    ///< answered, but not with what was expected
  std::uint64_t broken = 0;   ///< no answer at all

  void append(const route_result& other);
};

struct load_result {
  std::array<route_result, route_count> routes;
  route_result ping;
  double seconds = 0;

  std::uint64_t answered() const;  ///< by the three routes
  std::uint64_t errors() const;    ///< wrong or broken, ping included
};

/// Drives the server on this port and checks every answer. Calls the watcher now and then with
/// the elapsed seconds and the number of answers so far.
load_result run_load(unsigned short port, const workload& work, const load_settings& settings,
                     const std::function<void(double, std::uint64_t)>& watcher);

}  // namespace offload_server
