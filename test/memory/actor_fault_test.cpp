// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <memory>

#include "memory/faults.hpp"
#include "support/quiet_log.hpp"
#include "tokengate/actor.hpp"

// A turn that there is no memory for costs the message at the front, by the actor's policy; never
// the messages behind it, nor the state.

namespace tokengate::test {
namespace {

struct tally {
  explicit tally(int* births) { ++*births; }
  int add() { return ++sum; }
  int sum = 0;
};

class actor_faults : public faults {
 public:
  using actor_type = actor<tally>;

  std::unique_ptr<actor_type> make(bool on_lane, on_actor_failure policy) {
    actor_options options;
    options.on_failure = policy;
    options.max_restarts = 10'000;
    births_ = 0;
    auto made = on_lane ? std::make_unique<actor_type>(*gate_, options, &births_)
                        : std::make_unique<actor_type>(loop_.executor(), options, &births_);
    EXPECT_EQ(sum_of(*made), 1);
    return made;
  }
  int sum_of(actor_type& of) {
    outcome<int> sum;
    of.ask (&tally::add)(keep(sum));
    run_until_done(sum);
    EXPECT_FALSE(sum.error);
    return sum.value.value_or(0);
  }
  /// Tells it something, from a plain thread and from inside a token, with allocations that fail.
  template <class Check>
  void tell_with_faults(actor_type& to, Check check) {
    for (bool const inside : {false, true})
      for_each_allocation([&](int n, bool from_then_on) {
        bool hit = false;
        auto const tell = [&] {
          hit = attempt(n, from_then_on, [&] { EXPECT_TRUE(to.tell(&tally::add)); });
        };
        if (inside) {
          outcome<void> told;
          gate_->async_run(tell, keep(told));
          run_until_done(told);
        } else {
          tell();
        }
        loop_.run_out();
        check(to.snapshot());
        return hit;
      });
  }

  int births_ = 0;
  quiet_log quiet_;
};

TEST_F(actor_faults, state_is_kept_where_a_failure_keeps_it) {
  for (bool const on_lane : {true, false}) {
    auto const one = make(on_lane, on_actor_failure::resume);
    std::uint64_t failed = 0;
    tell_with_faults(*one, [&](actor_snapshot const& seen) {
      EXPECT_FALSE(seen.ended);
      EXPECT_EQ(seen.queued, 0u);
      failed = seen.failed;
    });
    if (on_lane && each_block_is_asked_for) {  // Asio does not ask operator new for a post
      EXPECT_GT(failed, 0u);
    }
    auto const seen = one->snapshot();
    EXPECT_EQ(seen.accepted, seen.handled);
    EXPECT_EQ(sum_of(*one), static_cast<int>(seen.handled - failed) + 1);
    EXPECT_EQ(births_, 1);
  }
}

TEST_F(actor_faults, state_is_built_anew_where_a_failure_restarts_it) {
  for (bool const on_lane : {true, false}) {
    auto const one = make(on_lane, on_actor_failure::restart);
    tell_with_faults(*one, [](actor_snapshot const& seen) { EXPECT_FALSE(seen.ended); });
    auto const seen = one->snapshot();
    EXPECT_EQ(seen.restarts, seen.failed);
    if (on_lane && each_block_is_asked_for) {
      EXPECT_GT(seen.restarts, 0u);
      EXPECT_GT(births_, 1);
    }
    EXPECT_GT(sum_of(*one), 0);
  }
}

TEST_F(actor_faults, one_that_ends_with_a_failure_ends_with_that) {
  auto const one = make(true, on_actor_failure::escalate);
  // The message is the first.
  bool const hit = attempt(1, true, [&] { (void)one->tell(&tally::add); });
  if (!hit) GTEST_SKIP() << "the pool still had a block: see the builds that do not recycle";
  outcome<void> joined;
  one->async_join(keep(joined));
  run_until_done(joined);
  EXPECT_EQ(text_of(joined.error), std::bad_alloc().what());
}

TEST_F(actor_faults, end_without_memory_for_a_turn_is_no_failure) {
  for (bool const on_lane : {true, false}) {
    auto const one = make(on_lane, on_actor_failure::restart);
    attempt(0, true, [&] { one->close(); });
    outcome<void> joined;
    one->async_join(keep(joined));
    run_until_done(joined);
    EXPECT_FALSE(joined.error);
    EXPECT_TRUE(one->snapshot().ended);
  }
}

}  // namespace
}  // namespace tokengate::test
