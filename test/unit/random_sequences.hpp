// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>

/// @file
/// Sequences of random steps, checked against a model. A failure names its seed:
/// TOKENGATE_SEED=<seed> runs that sequence alone.

namespace tokengate::detail::test {

struct random_choices {
  std::mt19937_64 from;
  std::size_t pick(std::size_t below) {
    return std::uniform_int_distribution<std::size_t>(0, below - 1)(from);
  }
  static bool ended() { return false; }
};

/// Runs a sequence with every seed; in a sanitizer build with a fifth of them.
template <class Run>
void for_each_seed(std::uint64_t sequences, Run run) {
#if defined(TOKENGATE_FAULT_POINTS)
  sequences /= 5;
#endif
  char const* const one = std::getenv("TOKENGATE_SEED");
  std::uint64_t const first = one != nullptr ? std::strtoull(one, nullptr, 10) : 1;
  std::uint64_t const last = one != nullptr ? first : sequences;
  for (auto seed = first; seed <= last && !testing::Test::HasFatalFailure(); ++seed) run(seed);
}

/// Fails when the sequence does not do what its model does.
template <class Sequence>
void expect_matches(std::unique_ptr<Sequence> sequence, std::uint64_t seed, std::size_t steps) {
  try {
    sequence->run(steps);
  } catch (std::exception const& failed) {
    auto* const left = sequence.release();  // something is still linked: not to be destroyed
    FAIL() << "TOKENGATE_SEED=" << seed << " fails in step " << left->at_ << ": " << failed.what();
  }
}

}  // namespace tokengate::detail::test
