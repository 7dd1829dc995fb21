// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "tokengate/detail/channel_mpmc.hpp"
#include "tokengate/detail/channel_rendezvous.hpp"
#include "tokengate/detail/channel_spsc.hpp"
#include "unit/channel_sequence.hpp"

// Bytes decide the flavour of a channel, its bounds, and the steps of a sequence on it; it must
// agree with its model. With clang:
//   cmake --preset clang -DTOKENGATE_BUILD_FUZZERS=ON, then
//   build/clang/test/tokengate_fuzz_channel test/fuzz/corpus_channel
// Every build replays the corpus as the test `fuzz.channel`.

namespace {

using namespace tokengate::detail;
using namespace tokengate::detail::test;

struct byte_choices {
  std::uint8_t const* at;
  std::uint8_t const* end;
  std::size_t pick(std::size_t below) { return ended() ? 0 : *at++ % below; }
  [[nodiscard]] bool ended() const { return at == end; }
};

template <class Core, class... Args>
void run(byte_choices& choices, channel_model model, Args... args) {
  using sequence = channel_sequence<Core, byte_choices>;
  auto const one = std::make_unique<sequence>(choices, std::move(model), args...);
  try {
    one->run(1000);
  } catch (std::exception const& failed) {
    std::fprintf(stderr, "step %zu: %s\n", one->at_, failed.what());
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  byte_choices choices{data, data + size};
  auto const flavour = choices.pick(4);
  std::size_t const capacity = 1 + choices.pick(5);
  std::size_t const max_cost = flavour == 1 ? 3 + choices.pick(7) : unlimited_cost;
  switch (flavour) {
    case 2:
      run<spsc_channel_core<parcel>>(choices, {channel_sort::ring, capacity, max_cost}, capacity);
      break;
    case 3:
      run<rendezvous_channel_core<parcel>>(choices, {channel_sort::rendezvous, 0, max_cost});
      break;
    default:
      run<mpmc_channel_core<parcel>>(choices, {channel_sort::any, capacity, max_cost}, capacity,
                                     max_cost);
  }
  return 0;
}
