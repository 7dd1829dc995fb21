// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Flow variables that a promise stands behind, and ranges of them.
#include "tokengate/promise.hpp"

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <thread>

#include "support/loop.hpp"
#include "support/outcome.hpp"
#include "support/patience.hpp"
#include "tokengate/when.hpp"

namespace tokengate::test {
namespace {

using namespace std::chrono_literals;

class promised : public testing::Test {
 public:
  void TearDown() override { loop_.run_out(); }
  template <class T>
  void run_until_done(outcome<T> const& of) {
    loop_.run_until([&] { return of.done(); });
  }
  loop loop_;
  promise<int> source_{loop_.executor()};
  flow_var<int> var_ = source_.get_flow_var();
};

/// A value whose move may fail.
struct reluctant {
  reluctant() = default;
  explicit reluctant(bool fails) : fails(fails) {}
  reluctant(reluctant&& other) : fails(other.fails) {
    if (fails) throw std::length_error("no");
  }
  reluctant& operator=(reluctant&&) = default;
  bool fails = false;
};

TEST_F(promised, value_that_cannot_be_moved_ends_the_wait_with_its_exception) {
  promise<reluctant> source(loop_.executor());
  auto variable = source.get_flow_var();
  try {
    source.set_value(reluctant(true));
  } catch (std::length_error const&) {
    // on its way in: nothing was given then
    source.set_exception(std::make_exception_ptr(std::length_error("no")));
  }
  EXPECT_TRUE(variable.ready());
  EXPECT_THROW(variable.get(), std::length_error);
  EXPECT_FALSE(variable.valid());
}

TEST_F(promised, value_given_before_or_after_the_wait_arrives) {
  outcome<int> before;
  var_(keep(before));
  asio::post(loop_.context, [&] {
    source_.set_value(1);
    EXPECT_FALSE(before.done()) << "not inside set_value";
  });
  run_until_done(before);
  EXPECT_EQ(before.value, 1);

  promise<int> early(loop_.executor());
  auto var = early.get_flow_var();
  early.set_value(2);
  EXPECT_TRUE(var.ready());
  outcome<int> after;
  var(keep(after));
  EXPECT_FALSE(after.done());
  run_until_done(after);
  EXPECT_EQ(after.value, 2);
}

TEST_F(promised, exception_reaches_the_one_who_awaits) {
  source_.set_exception(std::make_exception_ptr(std::runtime_error("no")));
  outcome<int> got;
  var_(keep(got));
  run_until_done(got);
  EXPECT_EQ(text_of(got.error), "no");
}

TEST_F(promised, broken_one_says_so) {
  outcome<int> got;
  var_(keep(got));
  { auto const gone = std::move(source_); }
  EXPECT_FALSE(source_.open());
  run_until_done(got);
  EXPECT_EQ(got.code(), error::broken_promise);
}

TEST_F(promised, gives_once) {
  EXPECT_TRUE(source_.open());
  source_.set_value(1);
  EXPECT_FALSE(source_.open());
  EXPECT_THROW(source_.set_value(2), std::logic_error);
  EXPECT_THROW(source_.set_exception(nullptr), std::logic_error);
  EXPECT_THROW(static_cast<void>(source_.get_flow_var()), std::logic_error);
  EXPECT_EQ(var_.get(), 1);
}

TEST_F(promised, value_that_cannot_be_made_leaves_it_open) {
  struct picky {
    picky() = default;
    explicit picky(int number) {
      if (number == 0) throw std::runtime_error("no");
    }
  };
  promise<picky> source(loop_.executor());
  auto var = source.get_flow_var();
  EXPECT_THROW(source.set_value(0), std::runtime_error);
  EXPECT_TRUE(source.open());
  source.set_value(1);
  EXPECT_TRUE(var.ready());
}

TEST_F(promised, void_and_awkward_values_work) {
  promise<void> nothing(loop_.executor());
  auto done = nothing.get_flow_var();
  nothing.set_value();
  EXPECT_NO_THROW(done.get());
  struct awkward {
    explicit awkward(int number) : number(std::make_unique<int>(number)) {}
    std::unique_ptr<int> number;
  };
  promise<awkward> source(loop_.executor());
  auto var = source.get_flow_var();
  source.set_value(std::in_place, 5);
  EXPECT_EQ(*var.get().number, 5);
}

TEST_F(promised, cancelled_wait_leaves_the_value_even_on_its_way) {
  asio::cancellation_signal signal;
  outcome<int> gone;
  var_(asio::bind_cancellation_slot(signal.slot(), keep(gone)));
  asio::post(loop_.context, [&] {
    source_.set_value(4);
    signal.emit(asio::cancellation_type::terminal);
  });
  run_until_done(gone);
  EXPECT_EQ(gone.code(), error::cancelled);
  EXPECT_EQ(var_.get(), 4);
}

TEST_F(promised, wait_that_timed_out_leaves_it_valid) {
  outcome<int> late, second;
  var_.within(1ms)(keep(late));
  var_(keep(second));
  run_until_done(second);
  EXPECT_EQ(second.code(), error::would_deadlock) << "one wait at a time";
  run_until_done(late);
  EXPECT_EQ(late.code(), error::timed_out);
  EXPECT_EQ(thrown_by([&] { var_.get(1ms); }), error::timed_out);
  source_.set_value(5);
  EXPECT_EQ(var_.get(0ms), 5);
}

TEST_F(promised, thread_that_blocks_is_woken) {
  std::jthread gives([this] { source_.set_value(6); });
  EXPECT_EQ(var_.get(), 6);
}

TEST_F(promised, request_to_stop_reaches_the_promise) {
  EXPECT_FALSE(source_.get_stop_token().stop_requested());
  var_.request_stop();
  EXPECT_TRUE(source_.get_stop_token().stop_requested());
}

TEST_F(promised, can_be_awaited_on_another_loop) {
  loop other;
  int got = 0;
  asio::co_spawn(
      other.context,
      [](flow_var<int>* var, int* got) -> asio::awaitable<void> {
        *got = co_await std::move(*var);
      }(&var_, &got),
      asio::detached);
  other.poll();
  source_.set_value(7);
  other.run_out();
  EXPECT_EQ(got, 7);
}

TEST(promise_of_a_dead_loop, loses_its_waiter_and_keeps_its_value) {
  promise<int> source;
  auto var = source.get_flow_var();
  {
    asio::io_context gone;
    var(asio::bind_executor(gone, [](std::exception_ptr, int) { FAIL(); }));
    gone.poll();
  }
  source.set_value(1);
  EXPECT_EQ(var.get(), 1);
}

// --- ranges ---

struct several {
  explicit several(int count) : sources(static_cast<std::size_t>(count)) {
    for (auto& each : sources) variables.push_back(each.get_flow_var());
  }
  std::vector<promise<int>> sources;
  std::vector<flow_var<int>> variables;
};

TEST_F(promised, when_all_waits_for_the_last_and_hides_nothing) {
  several of(3);
  auto all = when_all(of.variables, loop_.executor());
  of.sources[2].set_value(2);
  of.sources[0].set_exception(std::make_exception_ptr(std::runtime_error("no")));
  EXPECT_FALSE(all.ready());
  outcome<std::vector<flow_var<int>>> got;
  all(keep(got));
  of.sources[1].set_value(1);
  run_until_done(got);
  ASSERT_EQ(got.value->size(), 3u);
  EXPECT_THROW((*got.value)[0].get(), std::runtime_error);
  EXPECT_EQ((*got.value)[1].get(), 1);
  EXPECT_EQ((*got.value)[2].get(), 2);
}

TEST_F(promised, when_all_of_nothing_or_of_ready_ones_is_ready) {
  EXPECT_TRUE(when_all(std::vector<flow_var<int>>()).get().empty());
  several of(2);
  for (auto& each : of.sources) each.set_value(3);
  EXPECT_EQ(when_all(of.variables).get().size(), 2u);
}

TEST_F(promised, when_any_gives_the_first_and_the_rest_can_go_on) {
  several of(3);
  auto any = when_any(of.variables, loop_.executor());
  EXPECT_FALSE(any.ready());
  of.sources[1].set_value(1);
  auto got = any.get();
  EXPECT_EQ(got.index, 1u);
  EXPECT_EQ(got.variables[1].get(), 1);
  got.variables.erase(got.variables.begin() + 1);
  auto next = when_any(got.variables);
  of.sources.clear();
  auto rest = next.get();
  EXPECT_EQ(thrown_by([&] { rest.variables[rest.index].get(); }), error::broken_promise);
  EXPECT_THROW(static_cast<void>(when_any(std::vector<flow_var<int>>())), std::invalid_argument);
}

TEST_F(promised, range_may_be_dropped_before_it_is_ready) {
  several of(3);
  { auto const dropped = when_all(of.variables); }
  for (auto& each : of.sources) each.set_value(1);
}

TEST(promises_between_threads, ranges_lose_nothing) {
  for (int round = 0; round != 200; ++round) {
    several of(4);
    auto sources = std::make_shared<std::vector<promise<int>>>(std::move(of.sources));
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t != 2; ++t)
      threads.emplace_back([sources, t] {
        (*sources)[2 * t].set_value(1);
        (*sources)[2 * t + 1].set_value(1);
      });
    int sum = 0;
    if (round % 2 == 0) {
      auto ready = when_all(of.variables).get();
      for (auto& each : ready) sum += each.get();
    } else {
      while (!of.variables.empty()) {
        auto ready = when_any(of.variables).get();
        EXPECT_TRUE(ready.variables[ready.index].ready());
        sum += ready.variables[ready.index].get();
        ready.variables.erase(ready.variables.begin() + static_cast<std::ptrdiff_t>(ready.index));
        of.variables = std::move(ready.variables);
      }
    }
    EXPECT_EQ(sum, 4);
  }
}

}  // namespace
}  // namespace tokengate::test
