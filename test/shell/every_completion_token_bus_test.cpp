// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Operations of the event bus, with every completion token.
#include "support/every_completion_token.hpp"
#include "tokengate/event_bus.hpp"

namespace tokengate::test {
namespace {

using namespace std::chrono_literals;

struct bus_publish {
  explicit bus_publish(gate& on)
      : bus(on.get_executor()),
        hears(bus.subscribe<int>(on.get_executor(), [this](int const& i) { heard = i; })),
        answers(bus.serve<int, int>("echo", on.get_executor(), [](int const& i) { return i; })),
        reads(bus.stream<long>(on.get_executor())) {}
  auto operation(int i) { return bus.topic<int>().async_publish(i); }
  bool right(int, std::size_t accepted) { return accepted == 1; }
  event_bus bus;
  int heard = 0;
  subscription hears, answers;
  event_stream<long> reads;
};
struct bus_publish_and_wait : bus_publish {
  using bus_publish::bus_publish;
  auto operation(int i) { return bus.topic<int>().async_publish_and_wait(i); }
  bool right(int i, publish_report const&) { return heard == i; }
};
struct bus_request : bus_publish {
  using bus_publish::bus_publish;
  auto operation(int i) { return bus.async_request<int>("echo", int(i), 1h); }
  bool right(int i, int got) { return got == i; }
};
struct stream_next : bus_publish {
  using bus_publish::bus_publish;
  auto operation(int i) {
    EXPECT_TRUE(bus.topic<long>().try_publish(long{i}));
    return reads.async_next();
  }
  bool right(int i, event<long> const& got) { return *got == i; }
};
struct unsubscribe {
  explicit unsubscribe(gate& on) : through(&on), bus(on.get_executor()) {}
  auto operation(int i) {
    one = bus.subscribe<int>(*through, [this](int const& x) { heard = x; });
    EXPECT_EQ(bus.topic<int>().try_publish(i), 1u);
    return one.async_unsubscribe();
  }
  bool right(int i) {
    auto const told = one.snapshot();
    return !one.active() && told.running == 0 && (told.undelivered == 1 || heard == i);
  }
  gate* through;
  event_bus bus;
  int heard = 0;
  subscription one;
};
template <class Kind>
class bus_operation : public every_completion_token<Kind> {};
using bus_operations =
    testing::Types<bus_publish, bus_publish_and_wait, bus_request, stream_next, unsubscribe>;
TYPED_TEST_SUITE(bus_operation, bus_operations);
TYPED_TEST(bus_operation, takes_every_completion_token) {
  this->prove();
}

}  // namespace
}  // namespace tokengate::test
