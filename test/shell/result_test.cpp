// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <memory>
#include <string>
#include <type_traits>

#include "support/gate_fixture.hpp"

// What goes into a token and what comes out.

namespace tokengate {
namespace {

using test::outcome;

class result : public test::gate_fixture {};

struct not_default {
  explicit not_default(int given) : value(given) {}
  int value;
};

struct throws_on_move {
  throws_on_move() = default;
  throws_on_move(throws_on_move const&) = default;
  throws_on_move(throws_on_move&&) noexcept(false) {}
};

TEST_F(result, void_is_an_error_alone) {
  outcome<void> got;
  auto run = gate_->async_run([] {});
  static_assert(std::is_same_v<decltype(run)::completion_signature, void(std::exception_ptr)>);
  std::move(run)(test::keep(got));
  run_until_done(got);
  EXPECT_FALSE(got.error);
}

TEST_F(result, move_only_value_is_moved) {
  outcome<std::unique_ptr<int>> got;
  gate_->async_run([] { return std::make_unique<int>(5); })(test::keep(got));
  run_until_done(got);
  ASSERT_TRUE(got.value);
  EXPECT_EQ(**got.value, 5);
}

TEST_F(result, value_without_default_arrives_as_optional) {
  outcome<std::optional<not_default>> got;
  outcome<std::optional<not_default>> failed;
  gate_->async_run([] { return not_default(6); })(test::keep(got));
  gate_->async_run([]() -> not_default { throw std::runtime_error("no"); })(test::keep(failed));
  loop_.run_out();
  ASSERT_TRUE(got.value && *got.value);
  EXPECT_EQ((*got.value)->value, 6);
  EXPECT_EQ(test::text_of(failed.error), "no");
}

TEST_F(result, value_without_default_can_be_awaited_and_spawned) {
  run_coroutine([](gate* through) -> asio::awaitable<void> {
    auto make = guard(*through, [](int x) { return not_default(x); });
    auto const awaited = co_await make(7);
    EXPECT_EQ(awaited->value, 7);
    auto later = make.spawn(8);
    auto const spawned = co_await std::move(later);
    EXPECT_EQ(spawned->value, 8);
  }(&*gate_));
}

TEST_F(result, reference_refers_to_the_original) {
  std::string text = "original";
  outcome<reference_result<std::string>> got;
  gate_->async_run([&]() -> std::string& { return text; })(test::keep(got));
  run_until_done(got);
  ASSERT_TRUE(got.value);
  EXPECT_EQ(&got.value->get(), &text);
  EXPECT_EQ((*got.value)->size(), 8u);
}

TEST_F(result, reference_can_be_awaited_and_spawned) {
  int number = 1;
  auto refer = guard(*gate_, [&number]() -> int& { return number; });
  run_coroutine([](decltype(refer)* refer, int* number) -> asio::awaitable<void> {
    int& awaited = co_await (*refer)();
    EXPECT_EQ(&awaited, number);
  }(&refer, &number));
  auto spawned = refer.spawn();
  loop_.run_until([&] { return spawned.ready(); });
  EXPECT_EQ(&spawned.get(), &number);
}

TEST_F(result, const_reference_to_a_value_is_kept_const) {
  std::string const text = "const";
  outcome<reference_result<std::string const>> got;
  gate_->async_run([&]() -> std::string const& { return text; })(test::keep(got));
  run_until_done(got);
  ASSERT_TRUE(got.value);
  EXPECT_EQ(&got.value->get(), &text);
}

TEST_F(result, move_only_function_is_moved_into_the_token) {
  outcome<int> got;
  gate_->async_run([number = std::make_unique<int>(9)] { return *number; })(test::keep(got));
  run_until_done(got);
  EXPECT_EQ(got.value, 9);
}

TEST_F(result, function_called_as_rvalue_may_give_its_captures_away) {
  struct give {
    std::unique_ptr<int> number;
    std::unique_ptr<int> operator()() && { return std::move(number); }
  };
  outcome<std::unique_ptr<int>> got;
  gate_->async_run(give{std::make_unique<int>(3)})(test::keep(got));
  run_until_done(got);
  ASSERT_TRUE(got.value);
  EXPECT_EQ(**got.value, 3);
}

TEST_F(result, move_only_arguments_are_moved_into_the_function) {
  outcome<int> got;
  auto open = guard(*gate_, [](std::unique_ptr<int> by_value, std::unique_ptr<int>&& by_reference) {
    return *by_value + *by_reference;
  });
  open(std::make_unique<int>(1), std::make_unique<int>(2))(test::keep(got));
  run_until_done(got);
  EXPECT_EQ(got.value, 3);
}

TEST_F(result, arguments_are_stored_by_value) {
  outcome<std::size_t> got;
  auto size = guard(*gate_, [](std::string const& text) { return text.size(); });
  {
    std::string gone = "a text that is too long for the small buffer";
    size(gone)(test::keep(got));
    gone.assign("x");
  }
  run_until_done(got);
  EXPECT_EQ(got.value, 44u);
}

TEST_F(result, std_ref_passes_a_reference) {
  int number = 1;
  outcome<void> got;
  auto raise = guard(*gate_, [](int& to) { ++to; });
  raise(std::ref(number))(test::keep(got));
  run_until_done(got);
  EXPECT_EQ(number, 2);
}

TEST_F(result, large_shared_function_outlives_its_guard) {
  outcome<std::size_t> got;
  {
    std::string const text(1000, 'x');
    auto size = guard(*gate_, [text] { return text.size(); });
    size()(test::keep(got));
  }
  run_until_done(got);
  EXPECT_EQ(got.value, 1000u);
}

TEST_F(result, member_function_can_be_guarded) {
  outcome<std::size_t> got;
  auto size = guard(*gate_, &std::string::size);
  size(std::string("four"))(test::keep(got));
  run_until_done(got);
  EXPECT_EQ(got.value, 4u);
}

TEST_F(result, value_with_throwing_move_arrives) {
  outcome<throws_on_move> got;
  gate_->async_run([] { return throws_on_move(); })(test::keep(got));
  run_until_done(got);
  EXPECT_FALSE(got.error);
}

TEST_F(result, function_may_ask_for_a_stop_token_first) {
  outcome<int> plain;
  outcome<int> with_argument;
  gate_->async_run([](std::stop_token stop) { return stop.stop_possible() ? 1 : 0; })(
      test::keep(plain));
  auto add =
      guard(*gate_, [](std::stop_token stop, int x) { return stop.stop_requested() ? 0 : x; });
  add(4)(test::keep(with_argument));
  loop_.run_out();
  EXPECT_EQ(plain.value, 1);
  EXPECT_EQ(with_argument.value, 4);
}

TEST_F(result, lazy_token_that_is_dropped_is_never_issued) {
  auto counted = std::make_shared<int>(0);
  {
    auto unused = gate_->async_run([counted] { ++*counted; });
    (void)unused;
  }
  loop_.run_out();
  EXPECT_EQ(counted.use_count(), 1);
  EXPECT_EQ(gate_->snapshot().issued, 0u);
}

TEST_F(result, each_weight_runs_in_its_lane) {
  for (weight lane : {weight::light, weight::medium, weight::heavy}) {
    outcome<void> got;
    gate_->async_run({.weight = lane}, [] {})(test::keep(got));
    run_until_done(got);
  }
  loop_.run_out();
  for (auto const& worker : workers_.snapshot().workers) EXPECT_EQ(worker.executed, 1u);
}

}  // namespace
}  // namespace tokengate
