// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/token_options.hpp"

#include <gtest/gtest.h>

#include <string_view>
#include <type_traits>

#include "tokengate/token_state.hpp"

namespace tokengate {
namespace {

using namespace std::chrono_literals;

TEST(token_options, default_is_medium_without_limits) {
  constexpr token_options options;
  EXPECT_TRUE(options.operation.empty());
  EXPECT_EQ(options.weight, weight::medium);
  EXPECT_EQ(options.deadline, no_deadline);
  EXPECT_EQ(options.admission, admission::wait);
  EXPECT_EQ(options.admit_within, 0ns);
  EXPECT_EQ(options.max_concurrency, 0U);
}

TEST(token_options, designated_initialisers_set_what_they_name) {
  constexpr token_options options{.operation = "digest", .weight = weight::heavy, .deadline = 20ms};
  EXPECT_EQ(options.operation, "digest");
  EXPECT_EQ(options.weight, weight::heavy);
  EXPECT_EQ(options.deadline, 20ms);
  EXPECT_EQ(options.admission, admission::wait);
}

TEST(token_options, type_needs_no_destructor) {
  EXPECT_TRUE(std::is_trivially_destructible_v<token_options>);
}

TEST(token_state, only_the_last_six_are_final) {
  for (auto state : {token_state::created, token_state::waiting, token_state::admitted,
                     token_state::executing}) {
    EXPECT_FALSE(is_final(state)) << to_string(state);
  }
  for (auto state : {token_state::completed, token_state::failed, token_state::killed,
                     token_state::timed_out, token_state::cancelled, token_state::rejected}) {
    EXPECT_TRUE(is_final(state)) << to_string(state);
  }
}

TEST(token_state, name_is_the_word_of_the_glossary) {
  EXPECT_EQ(to_string(token_state::executing), "executing");
  EXPECT_EQ(to_string(token_state::rejected), "rejected");
  EXPECT_EQ(to_string(static_cast<token_state>(200)), "unknown");
}

}  // namespace
}  // namespace tokengate
