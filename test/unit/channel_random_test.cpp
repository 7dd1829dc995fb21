// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tokengate/detail/channel_mpmc.hpp"
#include "tokengate/detail/channel_rendezvous.hpp"
#include "tokengate/detail/channel_spsc.hpp"
#include "unit/channel_sequence.hpp"

// A failure names its seed: TOKENGATE_SEED=<seed> runs that sequence alone.

namespace tokengate::detail::test {
namespace {

#if defined(TOKENGATE_FAULT_POINTS)
constexpr std::size_t sequences = 3'000;  // a sanitizer build
#else
constexpr std::size_t sequences = 20'000;
#endif
constexpr std::size_t steps = 200;

template <class Core, class... Args>
void run_one(std::uint64_t seed, channel_model model, Args... args) {
  auto run = std::make_unique<channel_sequence<Core>>(seed, std::move(model), args...);
  try {
    run->run(steps);
  } catch (std::exception const& failed) {
    auto* const left = run.release();  // with waiters in lists: not to be destroyed
    FAIL() << "TOKENGATE_SEED=" << seed << " fails in step " << left->at_ << ": " << failed.what();
  }
}
template <class Run>
void for_each_seed(Run run) {
  char const* const one = std::getenv("TOKENGATE_SEED");
  std::uint64_t const first = one != nullptr ? std::strtoull(one, nullptr, 10) : 1;
  std::uint64_t const last = one != nullptr ? first : sequences;
  for (auto seed = first; seed <= last && !testing::Test::HasFatalFailure(); ++seed) run(seed);
}

TEST(channel_random, any_to_any_matches_the_model) {
  for_each_seed([](std::uint64_t seed) {
    std::size_t const capacity = 1 + seed % 5;
    std::size_t const max_cost = seed % 2 == 0 ? unlimited_cost : 3 + seed % 7;
    run_one<mpmc_channel_core<parcel>>(seed, {channel_sort::any, capacity, max_cost}, capacity,
                                       max_cost);
  });
}
TEST(channel_random, one_to_one_matches_the_model) {
  for_each_seed([](std::uint64_t seed) {
    std::size_t const capacity = 1 + seed % 5;
    run_one<spsc_channel_core<parcel>>(seed, {channel_sort::ring, capacity, unlimited_cost},
                                       capacity);
  });
}
TEST(channel_random, rendezvous_matches_the_model) {
  for_each_seed([](std::uint64_t seed) {
    run_one<rendezvous_channel_core<parcel>>(seed, {channel_sort::rendezvous, 0, unlimited_cost});
  });
}

}  // namespace
}  // namespace tokengate::detail::test
