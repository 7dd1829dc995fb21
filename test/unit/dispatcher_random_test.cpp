// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "unit/dispatcher_sequence.hpp"

// A failure names its seed: TOKENGATE_SEED=<seed> runs that sequence alone.

namespace tokengate::detail::test {
namespace {

#if defined(TOKENGATE_FAULT_POINTS)
constexpr std::size_t sequences = 2'500;  // a sanitizer build
#else
constexpr std::size_t sequences = 20'000;
#endif
constexpr std::size_t steps = 200;

struct random_choices {
  std::mt19937_64 from;
  std::size_t pick(std::size_t below) {
    return std::uniform_int_distribution<std::size_t>(0, below - 1)(from);
  }
  static bool ended() { return false; }
};

TEST(dispatcher_random, random_sequences_match_the_model) {
  char const* const one = std::getenv("TOKENGATE_SEED");
  std::uint64_t const first = one != nullptr ? std::strtoull(one, nullptr, 10) : 1;
  std::uint64_t const last = one != nullptr ? first : sequences;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    random_choices choices{std::mt19937_64(seed)};
    auto run = std::make_unique<dispatcher_sequence<random_choices>>(choices);
    try {
      run->run(steps);
    } catch (std::exception const& failed) {
      auto* const left = run.release();  // with tokens in lists: not to be destroyed
      FAIL() << "TOKENGATE_SEED=" << seed << " fails in step " << left->at_ << ": "
             << failed.what();
    }
  }
}

}  // namespace
}  // namespace tokengate::detail::test
