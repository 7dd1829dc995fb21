// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include "unit/event_bus_sequence.hpp"
#include "unit/random_sequences.hpp"

namespace tokengate::detail::test {
namespace {

TEST(event_bus_random, random_sequences_match_the_model) {
  for_each_seed(20'000, [](std::uint64_t seed) {
    random_choices choices{std::mt19937_64(seed)};
    expect_matches(std::make_unique<event_bus_sequence<random_choices>>(choices), seed, 100);
  });
}

}  // namespace
}  // namespace tokengate::detail::test
