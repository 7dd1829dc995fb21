// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/this_token.hpp"

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <set>
#include <string>

#include "support/gate_fixture.hpp"

// What a function can learn about its token, and tokens issued from inside one.

namespace tokengate {
namespace {

using test::outcome;

class this_token_inside : public test::gate_fixture {
 protected:
  this_token_inside() : gate_fixture(gate_options{}, 2) {}
};

TEST(this_token_outside, gives_the_values_of_none) {
  EXPECT_FALSE(this_token::running());
  EXPECT_EQ(this_token::id(), 0u);
  EXPECT_EQ(this_token::operation_name(), "");
  EXPECT_FALSE(this_token::stop_requested());
  EXPECT_FALSE(this_token::deadline());
  EXPECT_EQ(this_token::lead(), 0u);
  EXPECT_THROW((void)this_token::spawn([] {}), std::logic_error);
}

TEST_F(this_token_inside, tells_who_it_is) {
  struct seen {
    bool running = this_token::running();
    std::uint64_t id = this_token::id();
    std::string name{this_token::operation_name()};
    std::uint64_t lead = this_token::lead();
    bool has_deadline = this_token::deadline().has_value();
  };
  outcome<seen> named;
  outcome<seen> plain;
  gate_->async_run({.operation = "look", .deadline = std::chrono::hours(1)},
                   [] { return seen{}; })(test::keep(named));
  gate_->async_run([] { return seen{}; })(test::keep(plain));
  loop_.run_out();
  EXPECT_TRUE(named.value->running);
  EXPECT_EQ(named.value->id, 1u);
  EXPECT_EQ(plain.value->id, 2u);
  EXPECT_EQ(named.value->name, "look");
  EXPECT_EQ(plain.value->name, "medium");
  EXPECT_EQ(named.value->lead, 0u);
  EXPECT_TRUE(named.value->has_deadline);
  EXPECT_FALSE(plain.value->has_deadline);
}

TEST_F(this_token_inside, handler_runs_in_no_token) {
  bool running = true;
  gate_->async_run([] {})([&](std::exception_ptr) { running = this_token::running(); });
  loop_.run_out();
  EXPECT_FALSE(running);
}

TEST_F(this_token_inside, child_knows_its_lead) {
  outcome<std::uint64_t> lead;
  std::optional<flow_var<std::uint64_t>> child;
  gate_->async_run([&] {
    child = this_token::spawn([] { return this_token::lead(); });
    return this_token::id();
  })(test::keep(lead));
  loop_.run_out();
  ASSERT_TRUE(child && child->ready());
  EXPECT_EQ(child->get(), *lead.value);
}

TEST_F(this_token_inside, child_takes_the_weight_of_its_lead_unless_told_otherwise) {
  std::string same;
  std::string other;
  gate_->async_run({.weight = weight::light}, [&] {
    auto first = this_token::spawn([&] { same = this_token::operation_name(); });
    auto second =
        this_token::spawn({.weight = weight::heavy}, [&] { other = this_token::operation_name(); });
  })(asio::detached);
  loop_.run_out();
  EXPECT_EQ(same, "light");
  EXPECT_EQ(other, "heavy");
}

TEST_F(this_token_inside, chain_ends_when_lead_and_children_have_ended) {
  test::blocker inside;
  gate_->async_run([&] {
    for (int i = 0; i != 3; ++i) (void)this_token::spawn(inside.function());
  })(asio::detached);
  inside.wait_entered();
  loop_.run_until(
      [&] { return gate_->snapshot().operations[lane_index(weight::medium)].completed == 1; });
  EXPECT_EQ(gate_->snapshot().chains_open, 1u);
  EXPECT_EQ(gate_->snapshot().chains_ended, 0u);
  inside.release();
  loop_.run_out();
  EXPECT_EQ(gate_->snapshot().chains_open, 0u);
  EXPECT_EQ(gate_->snapshot().chains_ended, 1u);
}

TEST_F(this_token_inside, chain_that_is_refused_ends_too) {
  gate_->async_run([&] {
    gate_->close();
    (void)this_token::spawn([] {});
  })(asio::detached);
  loop_.run_out();
  EXPECT_EQ(gate_->snapshot().chains_open, 0u);
  EXPECT_EQ(gate_->snapshot().chains_ended, 1u);
}

TEST_F(this_token_inside, grandchildren_each_make_a_chain) {
  gate_->async_run([] { (void)this_token::spawn([] { (void)this_token::spawn([] {}); }); })(
      asio::detached);
  loop_.run_out();
  EXPECT_EQ(gate_->snapshot().issued, 3u);
  EXPECT_EQ(gate_->snapshot().chains_ended, 2u);
}

TEST_F(this_token_inside, gate_takes_tokens_with_any_completion_token) {
  outcome<int> got;
  bool on_loop = false;
  gate_->async_run([&] {
    gate_->async_run([] { return 5; })([&](std::exception_ptr error, int value) {
      on_loop = loop_.executor().running_in_this_thread();
      test::keep{got}(error, value);
    });
  })(asio::detached);
  loop_.run_out();
  EXPECT_EQ(got.value, 5);
  EXPECT_TRUE(on_loop);
  EXPECT_EQ(gate_->snapshot().chains_ended, 1u);
}

TEST_F(this_token_inside, token_of_another_gate_is_no_child) {
  test::loop other_loop;
  gate other(other_loop.executor(), workers_);
  outcome<std::uint64_t> lead;
  gate_->async_run([&] { other.async_run([] { return this_token::lead(); })(test::keep(lead)); })(
      asio::detached);
  loop_.run_out();
  other_loop.run_out();
  EXPECT_EQ(lead.value, 0u);
  test::expect_conserved(other);
}

TEST_F(this_token_inside, tree_of_tokens_is_counted_whole) {
  struct grow {
    std::atomic<int>* ran;
    int depth;
    void operator()() const {
      ++*ran;
      if (depth == 0) return;
      (void)this_token::spawn(grow{ran, depth - 1});
      (void)this_token::spawn(grow{ran, depth - 1});
    }
  };
  std::atomic<int> ran{0};
  gate_->async_run(grow{&ran, 7})(asio::detached);
  loop_.run_out();
  EXPECT_EQ(ran, 255);
  EXPECT_EQ(gate_->snapshot().finished, 255u);
  EXPECT_EQ(gate_->snapshot().chains_ended, 127u);
}

TEST_F(this_token_inside, light_token_runs_while_every_heavier_worker_is_occupied) {
  test::blocker occupied;
  std::size_t const cores = workers_.cores();
  for (weight lane : {weight::medium, weight::heavy})
    for (std::size_t i = 0; i != 2 * cores; ++i)
      gate_->async_run({.weight = lane}, occupied.function())(asio::detached);
  occupied.wait_entered(static_cast<int>(2 * cores));
  for (int i = 0; i != 100; ++i) {
    outcome<void> got;
    gate_->async_run({.weight = weight::light}, [] {})(test::keep(got));
    run_until_done(got);
    EXPECT_FALSE(got.error);
  }
  EXPECT_EQ(occupied.entered(), static_cast<int>(2 * cores));
  occupied.release();
}

}  // namespace
}  // namespace tokengate
