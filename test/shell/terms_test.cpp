// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <tokengate/tokengate.hpp>
#include <vector>

// What an operation is given applies to its calls, whatever others of its name were given; and what
// is called after its gate has gone ends as well.

namespace tokengate {
namespace {

using namespace std::chrono_literals;

worker_pool_options one_core() {
  worker_pool_options options;
  options.max_cores = 1;
  return options;
}

boost::system::error_code code_of(std::exception_ptr const& failed) {
  try {
    if (failed) std::rethrow_exception(failed);
  } catch (boost::system::system_error const& e) {
    return e.code();
  }
  return {};
}

struct terms : testing::Test {
  asio::io_context loop{1};
  worker_pool workers{one_core()};
  std::unique_ptr<gate> through = std::make_unique<gate>(loop.get_executor(), workers);
  int answers = 0;
  boost::system::error_code seen;

  auto note() {
    return [this](std::exception_ptr failed, int) {
      ++answers;
      seen = code_of(failed);
    };
  }
};

TEST_F(terms, deadline_of_an_unnamed_operation_is_kept) {
  auto const late = guard(*through, {.deadline = 1ns}, [] { return 1; });
  late(note());
  loop.run();
  EXPECT_EQ(answers, 1);
  EXPECT_EQ(seen, error::deadline_passed);
}

TEST_F(terms, second_operation_of_a_name_has_its_own_deadline) {
  auto const patient = guard(*through, {.operation = "same"}, [] { return 1; });
  auto const late = guard(*through, {.operation = "same", .deadline = 1ns}, [] { return 1; });
  late(note());
  loop.run();
  EXPECT_EQ(seen, error::deadline_passed);
  loop.restart();
  patient(note());
  loop.run();
  EXPECT_EQ(answers, 2);
  EXPECT_FALSE(seen);
}

TEST_F(terms, operation_handed_to_async_run_brings_its_deadline) {
  auto const late = through->define({.operation = "late", .deadline = 1ns});
  through->async_run(
      late, [] { return 1; }, note());
  loop.run();
  EXPECT_EQ(seen, error::deadline_passed);
}

TEST_F(terms, call_after_the_gate_has_gone_ends_as_stopped) {
  auto const orphan = guard(*through, [] { return 1; });
  orphan(note());
  loop.run();
  through.reset();
  loop.restart();
  orphan(note());
  EXPECT_EQ(answers, 1) << "never inside the initiating call";
  loop.run();
  EXPECT_EQ(answers, 2);
  EXPECT_EQ(seen, error::stopped);
}

TEST_F(terms, result_is_waited_for_after_the_gate_has_gone) {
  auto kept = through->spawn([] { return 7; });
  through.reset();
  loop.run();
  loop.restart();
  std::move(kept)(note());
  loop.run();
  EXPECT_EQ(answers, 1);
}

TEST_F(terms, drain_budget_of_zero_counts_as_one) {
  gate narrow(loop.get_executor(), workers, {.drain_budget = 0});
  for (int i = 0; i != 3; ++i) narrow.async_run([] { return 1; }, note());
  loop.run();
  EXPECT_EQ(answers, 3);
}

TEST_F(terms, operation_is_found_again_by_name_weight_and_limit) {
  auto const books = [this] { return through->snapshot().operations.size(); };
  auto const before = books();
  std::vector<std::string> names;
  for (int i = 0; i != 1000; ++i) names.push_back("kind " + std::to_string(i));
  for (int round = 0; round != 2; ++round)
    for (std::string const& name : names) {
      std::string const passing = name;  // only viewed while it is defined
      (void)through->define({.operation = passing});
      (void)through->define({.operation = passing, .weight = weight::heavy});
      (void)through->define({.operation = passing, .max_concurrency = 1});
      (void)through->define({.operation = passing, .deadline = 1s});  // terms, not books
    }
  EXPECT_EQ(books(), before + 3 * names.size());
  (void)through->define({.operation = "medium"});
  EXPECT_EQ(books(), before + 3 * names.size()) << "that of the unnamed";
}

}  // namespace
}  // namespace tokengate
