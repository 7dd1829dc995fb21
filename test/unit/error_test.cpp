// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/error.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>
#include <system_error>
#include <utility>

namespace tokengate {
namespace {

namespace errc = boost::system::errc;

constexpr std::array all_errors{
    error::cancelled, error::deadline_passed, error::backlog_full, error::overloaded,
    error::closed,    error::stopped,         error::killed,       error::would_deadlock,
    error::timed_out, error::broken_promise,  error::disconnected, error::no_subscriber};

boost::system::error_code code_of(std::exception_ptr const& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (boost::system::system_error const& caught) {
    return caught.code();
  }
}

TEST(error, each_code_has_a_text_of_its_own) {
  std::set<std::string> texts;
  for (auto one : all_errors) {
    boost::system::error_code const code = one;
    EXPECT_STREQ(code.category().name(), "tokengate");
    EXPECT_TRUE(code.failed());
    EXPECT_EQ(code.message().find("unknown"), std::string::npos);
    texts.insert(code.message());
  }
  EXPECT_EQ(texts.size(), all_errors.size());
}

TEST(error, code_compares_equal_to_the_generic_condition) {
  using boost::system::error_code;
  EXPECT_EQ(error_code{error::cancelled}, errc::operation_canceled);
  EXPECT_EQ(error_code{error::deadline_passed}, errc::timed_out);
  EXPECT_EQ(error_code{error::timed_out}, errc::timed_out);
  EXPECT_EQ(error_code{error::would_deadlock}, errc::resource_deadlock_would_occur);
  EXPECT_EQ(error_code{error::backlog_full}, errc::resource_unavailable_try_again);
  EXPECT_EQ(error_code{error::overloaded}, errc::resource_unavailable_try_again);
  EXPECT_NE(error_code{error::killed}, errc::operation_canceled);
}

TEST(error, code_converts_to_the_standard_library) {
  std::error_code const code = make_error_code(error::cancelled);
  EXPECT_EQ(code, std::errc::operation_canceled);
  EXPECT_EQ(code.message(), make_error_code(error::cancelled).message());
}

TEST(make_exception, each_error_gives_a_system_error_with_its_code) {
  for (auto one : all_errors) EXPECT_EQ(code_of(make_exception(one)), one);
}

TEST(make_exception, second_call_gives_the_same_object) {
  for (auto one : all_errors) {
    EXPECT_EQ(&make_exception(one), &make_exception(one));
    EXPECT_EQ(make_exception(one), std::exception_ptr{make_exception(one)});
  }
}

TEST(make_exception, value_outside_the_enumeration_gives_the_unknown_error) {
  for (int value : {0, -1, 1000}) {
    auto const code = code_of(make_exception(static_cast<error>(value)));
    EXPECT_NE(code.message().find("unknown"), std::string::npos);
  }
}

// Before main, and maybe before the library's own static objects.
std::exception_ptr const early = make_exception(error::stopped);

TEST(make_exception, call_during_static_initialisation_works) {
  EXPECT_EQ(code_of(early), error::stopped);
}

}  // namespace
}  // namespace tokengate
