// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "unit/dispatcher_sequence.hpp"

// Bytes decide the steps of a sequence on the dispatcher; it must agree with its model. With clang:
//   cmake --preset clang -DTOKENGATE_BUILD_FUZZERS=ON, then
//   build/clang/test/tokengate_fuzz_dispatcher test/fuzz/corpus
// Every build replays the corpus as the test `fuzz.dispatcher`.

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
  auto run = std::make_unique<tokengate::detail::test::dispatcher_sequence<byte_choices>>(choices);
  try {
    run->run(1000);
  } catch (std::exception const& failed) {
    std::fprintf(stderr, "step %zu: %s\n", run->at_, failed.what());
    std::abort();
  }
  return 0;
}
