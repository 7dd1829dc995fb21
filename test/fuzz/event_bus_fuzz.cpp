// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "unit/event_bus_sequence.hpp"

// Bytes decide the steps of a sequence on the event bus; it must agree with its model. With clang:
//   cmake --preset clang -DTOKENGATE_BUILD_FUZZERS=ON, then
//   build/clang/test/tokengate_fuzz_event_bus test/fuzz/corpus_event_bus
// Every build replays the corpus as the test `fuzz.event_bus`.

namespace {

struct byte_choices {
  std::uint8_t const* at;
  std::uint8_t const* end;
  std::size_t pick(std::size_t below) { return ended() ? 0 : *at++ % below; }
  [[nodiscard]] bool ended() const { return at == end; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  byte_choices choices{data, data + size};
  auto run = std::make_unique<tokengate::detail::test::event_bus_sequence<byte_choices>>(choices);
  try {
    run->run(1000);
  } catch (std::exception const& failed) {
    std::fprintf(stderr, "step %zu: %s\n", run->at_, failed.what());
    std::abort();
  }
  return 0;
}
