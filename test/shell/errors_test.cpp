// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <memory>
#include <stdexcept>
#include <vector>

#include "support/gate_fixture.hpp"
#include "support/quiet_log.hpp"

// Exceptions: of the function, of the handler, and those that nobody takes.

namespace tokengate {
namespace {

using test::outcome;

class errors : public test::gate_fixture {
 protected:
  test::quiet_log quiet_;
};

TEST_F(errors, exception_reaches_its_awaiter_and_nobody_else) {
  std::vector<outcome<int>> got(9);
  for (int i = 0; i != 9; ++i)
    gate_->async_run([i] {
      if (i % 3 == 0) throw std::out_of_range(std::to_string(i));
      return i;
    })(test::keep(got[static_cast<std::size_t>(i)]));
  loop_.run_out();
  for (int i = 0; i != 9; ++i) {
    auto const& each = got[static_cast<std::size_t>(i)];
    EXPECT_EQ(test::text_of(each.error), i % 3 == 0 ? std::to_string(i) : "");
    EXPECT_EQ(each.value.has_value(), i % 3 != 0);
  }
  auto const books = gate_->snapshot().operations[lane_index(weight::medium)];
  EXPECT_EQ(books.failed, 3u);
  EXPECT_EQ(books.completed, 6u);
}

TEST_F(errors, exception_keeps_its_type) {
  struct own {
    int number;
  };
  outcome<void> got;
  gate_->async_run([] { throw own{5}; })(test::keep(got));
  run_until_done(got);
  ASSERT_TRUE(got.error);
  EXPECT_THROW(
      try { std::rethrow_exception(got.error); } catch (own const& caught) {
        EXPECT_EQ(caught.number, 5);
        throw;
      },
      own);
}

TEST_F(errors, exception_that_is_no_std_exception_passes) {
  outcome<void> got;
  gate_->async_run([] { throw 3; })(test::keep(got));
  run_until_done(got);
  ASSERT_TRUE(got.error);
  EXPECT_THROW(std::rethrow_exception(got.error), int);
}

TEST_F(errors, worker_survives_exceptions) {
  for (int i = 0; i != 100; ++i) gate_->async_run([] { throw 1; })([](std::exception_ptr) {});
  outcome<int> got;
  gate_->async_run([] { return 1; })(test::keep(got));
  run_until_done(got);
  EXPECT_EQ(got.value, 1);
}

TEST_F(errors, exception_of_the_move_into_the_result_reaches_the_awaiter) {
  struct fragile {
    fragile() = default;
    fragile(fragile&&) { throw std::runtime_error("moved"); }
    fragile(fragile const&) { throw std::runtime_error("copied"); }
  };
  outcome<int> got;
  fragile original;
  auto make = [&original]() -> fragile { return original; };
  gate_->async_run(make)([&](std::exception_ptr error, auto&&) { test::keep{got}(error); });
  run_until_done(got);
  EXPECT_EQ(test::text_of(got.error), "copied");
}

TEST_F(errors, code_belongs_to_the_category_and_to_generic_conditions) {
  gate_->close();
  outcome<void> got;
  gate_->async_run([] {})(test::keep(got));
  run_until_done(got);
  EXPECT_EQ(&got.code().category(), &error_category());
  EXPECT_EQ(got.code(), error::closed);
  EXPECT_FALSE(got.code().message().empty());
}

// -- a handler that throws ------------------------------------------------------------------------

class errors_of_a_handler : public errors, public testing::WithParamInterface<int> {};

TEST_P(errors_of_a_handler, leaves_run_and_the_next_run_delivers_the_rest) {
  constexpr int batch = 16;
  int const thrower = GetParam();
  std::vector<int> delivered;
  block();
  for (int i = 0; i != batch; ++i)
    gate_->async_run([] {})([&, i](std::exception_ptr) {
      delivered.push_back(i);
      if (i == thrower) throw std::runtime_error("handler");
    });
  busy_.release();
  std::vector<int> expected;
  for (int i = 0; i <= thrower; ++i) expected.push_back(i);
  EXPECT_THROW(loop_.run_out(), std::runtime_error);
  EXPECT_EQ(delivered, expected);
  for (int i = thrower + 1; i != batch; ++i) expected.push_back(i);
  loop_.run_out();  // fails when the loop has work for ever
  EXPECT_EQ(delivered, expected);
}

TEST_P(errors_of_a_handler, that_runs_on_a_strand_leaves_run_too) {
  constexpr int batch = 16;
  int const thrower = GetParam();
  auto strand = asio::make_strand(loop_.context);
  int delivered = 0;
  block();
  for (int i = 0; i != batch; ++i)
    gate_->async_run([] {})(asio::bind_executor(strand, [&, i](std::exception_ptr) {
      ++delivered;
      if (i == thrower) throw std::runtime_error("handler");
    }));
  busy_.release();
  EXPECT_THROW(loop_.run_out(), std::runtime_error);
  loop_.run_out();
  EXPECT_EQ(delivered, batch);
}

INSTANTIATE_TEST_SUITE_P(position, errors_of_a_handler, testing::Range(0, 16));

TEST_F(errors, every_handler_may_throw) {
  int delivered = 0;
  for (int i = 0; i != 50; ++i)
    gate_->async_run([] {})([&, i](std::exception_ptr) {
      ++delivered;
      throw i;
    });
  int thrown = 0;
  while (delivered != 50) {
    try {
      loop_.run_until([&] { return delivered == 50; });
      ASSERT_EQ(delivered, 50);
    } catch (int) {
      ++thrown;
    }
  }
  EXPECT_EQ(thrown, 50);
}

// -- errors that nobody takes ---------------------------------------------------------------------

TEST_F(errors, of_detached_tokens_are_counted_and_logged) {
  gate_->async_run([] { throw std::runtime_error("first lost"); })(asio::detached);
  gate_->async_run([]() -> int { throw 2; })(asio::detached);
  gate_->async_run([] {})(asio::detached);
  loop_.run_out();
  EXPECT_EQ(gate_->snapshot().lost_errors, 2u);
  EXPECT_NE(quiet_.text().find("first lost"), std::string::npos);
}

TEST_F(errors, of_a_flow_variable_that_is_dropped_are_counted) {
  {
    auto dropped = gate_->spawn([] { throw std::runtime_error("dropped"); });
  }
  loop_.run_out();
  EXPECT_EQ(gate_->snapshot().lost_errors, 1u);
  auto taken = gate_->spawn([] { throw std::runtime_error("taken"); });
  loop_.run_out();
  EXPECT_THROW(taken.get(), std::runtime_error);
  EXPECT_EQ(gate_->snapshot().lost_errors, 1u);
}

TEST_F(errors, of_a_detached_token_reach_its_sink) {
  std::vector<std::exception_ptr> sunk;
  auto const sink = [&](std::exception_ptr error) { sunk.push_back(std::move(error)); };
  gate_->detach([] { throw std::runtime_error("sunk"); }, sink);
  gate_->detach([] { return 1; }, sink);
  loop_.run_out();
  ASSERT_EQ(sunk.size(), 1u);
  EXPECT_EQ(test::text_of(sunk.back()), "sunk");
  gate_->close();
  gate_->detach(
      {.weight = weight::light}, [] {}, sink);
  loop_.run_out();
  ASSERT_EQ(sunk.size(), 2u);
  EXPECT_EQ(test::code_of(sunk.back()), error::closed);
  EXPECT_EQ(gate_->snapshot().lost_errors, 0u);
}

TEST_F(errors, refusal_of_a_detached_token_is_not_lost_silently) {
  gate_->close();
  gate_->async_run([] {})(asio::detached);
  loop_.run_out();
  EXPECT_EQ(gate_->snapshot().lost_errors, 1u);
}

}  // namespace
}  // namespace tokengate
