// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include "tokengate/detail/channel_mpmc.hpp"
#include "tokengate/detail/channel_rendezvous.hpp"
#include "tokengate/detail/channel_spsc.hpp"
#include "unit/channel_sequence.hpp"
#include "unit/random_sequences.hpp"

namespace tokengate::detail::test {
namespace {

template <class Core, class... Args>
void run_one(std::uint64_t seed, channel_model model, Args... args) {
  using sequence = channel_sequence<Core, random_choices>;
  random_choices choices{std::mt19937_64(seed)};
  expect_matches(std::make_unique<sequence>(choices, std::move(model), args...), seed, 200);
}

TEST(channel_random, any_to_any_matches_the_model) {
  for_each_seed(20'000, [](std::uint64_t seed) {
    std::size_t const capacity = 1 + seed % 5;
    std::size_t const max_cost = seed % 2 == 0 ? unlimited_cost : 3 + seed % 7;
    run_one<mpmc_channel_core<parcel>>(seed, {channel_sort::any, capacity, max_cost}, capacity,
                                       max_cost);
  });
}
TEST(channel_random, one_to_one_matches_the_model) {
  for_each_seed(20'000, [](std::uint64_t seed) {
    std::size_t const capacity = 1 + seed % 5;
    run_one<spsc_channel_core<parcel>>(seed, {channel_sort::ring, capacity, unlimited_cost},
                                       capacity);
  });
}
TEST(channel_random, rendezvous_matches_the_model) {
  for_each_seed(20'000, [](std::uint64_t seed) {
    run_one<rendezvous_channel_core<parcel>>(seed, {channel_sort::rendezvous, 0, unlimited_cost});
  });
}

}  // namespace
}  // namespace tokengate::detail::test
