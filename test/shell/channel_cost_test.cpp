// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Channels that are bounded by what their items cost.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/channel_flavours.hpp"
#include "support/loop.hpp"
#include "support/outcome.hpp"
#include "tokengate/channel.hpp"

namespace tokengate::test {
namespace {

std::size_t length(std::string const& of) noexcept {
  return of.size();
}

TEST(channel_by_cost, counts_bytes) {
  channel<std::string> it({.capacity = 100, .max_cost = 10, .cost = &length});
  EXPECT_TRUE(it.try_send("12345"));
  EXPECT_TRUE(it.try_send("1234"));
  EXPECT_FALSE(it.try_send("12"));
  EXPECT_TRUE(it.try_send("1"));
  EXPECT_EQ(it.size(), 3u);
  EXPECT_EQ(it.cost(), 10u);
  std::vector<std::string> got;
  it.receive_some(got);
  EXPECT_TRUE(it.try_send(std::string(50, 'x'))) << "alone it may pass";
  EXPECT_FALSE(it.try_send("1"));
  EXPECT_EQ(it.cost(), 50u);
}

TEST(channel_by_cost, item_that_was_given_back_costs_what_it_did) {
  loop loop;
  channel<std::string> it(loop.executor(), {.capacity = 8, .max_cost = 10, .cost = &length});
  asio::cancellation_signal signal;
  outcome<std::string> gone;
  it.async_receive(asio::bind_cancellation_slot(signal.slot(), keep(gone)));
  EXPECT_TRUE(it.try_send("12345678"));
  EXPECT_EQ(it.cost(), 0u);
  signal.emit(asio::cancellation_type::terminal);
  EXPECT_EQ(it.cost(), 8u);
  EXPECT_FALSE(it.try_send("123"));
  EXPECT_TRUE(it.try_send("12"));
  loop.run_out();
  EXPECT_EQ(gone.code(), error::cancelled);
  EXPECT_EQ(it.try_receive(), "12345678");
  EXPECT_EQ(it.cost(), 2u);
}

class channel_without_cost : public testing::TestWithParam<channel_kind> {};
INSTANTIATE_TEST_SUITE_P(each, channel_without_cost, every_channel_kind(), name_of_kind);

TEST_P(channel_without_cost, counts_its_items) {
  channel<std::string> it(GetParam().options<std::string>());
  EXPECT_EQ(it.cost(), 0u);
  EXPECT_EQ(it.try_send("12345"), GetParam().capacity != 0);
  EXPECT_EQ(it.cost(), it.size());
}

TEST_P(channel_without_cost, refuses_a_bound_that_it_would_not_keep) {
  auto bounded = GetParam().options<std::string>(), weighed = bounded;
  bounded.max_cost = 10;
  weighed.cost = &length;
  for (auto const& options : {bounded, weighed}) {
    auto const make = [&] { channel<std::string> const made(options); };
    if (GetParam().many() && GetParam().capacity != 0)
      EXPECT_NO_THROW(make());
    else
      EXPECT_THROW(make(), std::invalid_argument);
  }
}

}  // namespace
}  // namespace tokengate::test
