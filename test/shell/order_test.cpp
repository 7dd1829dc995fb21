// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <map>
#include <mutex>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "support/gate_fixture.hpp"

// What comes before what, and how much at once: lanes, keys, max_concurrency, the two bounds.

namespace tokengate {
namespace {

using test::outcome;

std::vector<int> numbers(int count) {
  std::vector<int> all(static_cast<std::size_t>(count));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

class order : public test::gate_fixture {
 protected:
  using test::gate_fixture::gate_fixture;
  std::size_t backlog() { return gate_->snapshot().lanes[lane_index(weight::medium)].backlog; }
  std::size_t waiting() { return gate_->snapshot().lanes[lane_index(weight::medium)].waiting; }
};

TEST_F(order, lane_with_one_worker_is_first_in_first_out) {
  std::vector<int> started;
  std::vector<int> ended;
  block();
  for (int i = 0; i != 500; ++i)
    gate_->async_run([&, i] { started.push_back(i); })(
        [&, i](std::exception_ptr) { ended.push_back(i); });
  busy_.release();
  loop_.run_out();
  EXPECT_EQ(started, numbers(500));
  EXPECT_EQ(ended, numbers(500));
}

TEST_F(order, lanes_do_not_wait_for_each_other) {
  block(weight::heavy);
  block(weight::medium);
  outcome<void> got;
  gate_->async_run({.weight = weight::light}, [] {})(test::keep(got));
  run_until_done(got);
  EXPECT_FALSE(got.error);
}

class order_on_two_cores : public order {
 protected:
  order_on_two_cores() : order(gate_options{}, 2) {}
};

/// Notes the order inside each key, and whether two functions of one ran at once.
class key_log {
 public:
  void run(std::uint64_t key, int number) {
    {
      std::lock_guard hold(mutex_);
      if (!inside_.insert(key).second) overlap_ = true;
      started_[key].push_back(number);
    }
    std::this_thread::yield();
    std::lock_guard hold(mutex_);
    inside_.erase(key);
  }
  void expect_strict(std::map<std::uint64_t, std::vector<int>> const& issued) const {
    EXPECT_FALSE(overlap_);
    EXPECT_EQ(started_, issued);
  }

 private:
  std::mutex mutex_;
  std::set<std::uint64_t> inside_;
  std::map<std::uint64_t, std::vector<int>> started_;
  bool overlap_ = false;
};

TEST_F(order_on_two_cores, tokens_of_a_key_run_one_after_another_in_issue_order) {
  std::mt19937 random(1);
  key_log log;
  std::map<std::uint64_t, std::vector<int>> issued;
  for (int i = 0; i != 2000; ++i) {
    std::uint64_t const key = random() % 7;
    issued[key].push_back(i);
    gate_->async_run([&log, key, i] { log.run(key, i); }).keyed(key)(asio::detached);
    if (random() % 16 == 0) loop_.poll_one();
  }
  loop_.run_out();
  log.expect_strict(issued);
}

TEST_F(order_on_two_cores, key_holds_across_weights) {
  std::mt19937 random(2);
  key_log log;
  std::map<std::uint64_t, std::vector<int>> issued;
  for (int i = 0; i != 1000; ++i) {
    std::uint64_t const key = random() % 5;
    auto const lane = static_cast<weight>(random() % lane_count);
    issued[key].push_back(i);
    gate_->async_run({.weight = lane}, [&log, key, i] { log.run(key, i); })
        .keyed(key)(asio::detached);
    if (random() % 8 == 0) loop_.poll_one();
  }
  loop_.run_out();
  log.expect_strict(issued);
}

TEST_F(order_on_two_cores, key_and_max_concurrency_hold_together) {
  std::mt19937 random(3);
  key_log log;
  std::map<std::uint64_t, std::vector<int>> issued;
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  auto narrow = gate_->define({.operation = "narrow", .max_concurrency = 1});
  auto wide = gate_->define({.operation = "wide"});
  for (int i = 0; i != 1000; ++i) {
    std::uint64_t const key = random() % 4;
    issued[key].push_back(i);
    if (random() % 2 == 0)
      gate_
          ->async_run(narrow,
                      [&, key, i] {
                        most = std::max(most.load(), ++inside);
                        log.run(key, i);
                        --inside;
                      })
          .keyed(key)(asio::detached);
    else
      gate_->async_run(wide, [&, key, i] { log.run(key, i); }).keyed(key)(asio::detached);
    if (random() % 8 == 0) loop_.poll_one();
  }
  loop_.run_out();
  log.expect_strict(issued);
  EXPECT_EQ(most, 1);
}

TEST_F(order_on_two_cores, key_survives_the_withdrawal_of_some_of_its_tokens) {
  std::mt19937 random(4);
  key_log log;
  std::map<std::uint64_t, std::vector<int>> issued;
  std::map<int, std::stop_source> stops;
  std::set<int> withdrawn;
  for (int i = 0; i != 1000; ++i) {
    std::uint64_t const key = random() % 3;
    issued[key].push_back(i);
    gate_->async_run([&log, key, i] { log.run(key, i); })
        .keyed(key)
        .stop_on(stops[i].get_token())([&withdrawn, i](std::exception_ptr error) {
          if (error) withdrawn.insert(i);
        });
    if (random() % 4 == 0) stops[static_cast<int>(random()) % (i + 1)].request_stop();
    if (random() % 8 == 0) loop_.poll_one();
  }
  loop_.run_out();
  for (auto& [key, list] : issued)
    std::erase_if(list, [&](int number) { return withdrawn.contains(number); });
  log.expect_strict(issued);
}

TEST_F(order_on_two_cores, tokens_of_a_text_key_belong_together) {
  std::vector<int> started;
  for (int i = 0; i != 100; ++i)
    gate_->async_run([&, i] { started.push_back(i); }).keyed("a user")(asio::detached);
  loop_.run_out();
  EXPECT_EQ(started, numbers(100));
}

TEST_F(order_on_two_cores, max_concurrency_is_never_exceeded) {
  test::blocker inside;
  auto narrow = gate_->define({.operation = "narrow", .max_concurrency = 1});
  int ended = 0;
  for (int i = 0; i != 20; ++i)
    gate_->async_run(narrow, inside.function())([&](std::exception_ptr) { ++ended; });
  inside.wait_entered();
  // A token of another operation passes, so the second worker is there.
  outcome<void> other;
  gate_->async_run([] {})(test::keep(other));
  run_until_done(other);
  EXPECT_EQ(inside.entered(), 1);
  EXPECT_EQ(ended, 0);
  inside.release();
  loop_.run_out();
  EXPECT_EQ(ended, 20);
}

// -- the bounds -----------------------------------------------------------------------------------

class order_in_narrow_room : public order {
 protected:
  order_in_narrow_room() : order(gate_options{.backlog = 4, .waiting = 3}) {}

  /// Until the backlog holds `count`. Gives the number of tokens issued.
  int fill(std::size_t count) {
    block();
    int issued = 0;
    while (backlog() < count) issue(issued++);
    return issued;
  }
  void issue(int number, admission policy = admission::wait) {
    gate_->async_run([this, number] { started_.push_back(number); })
        .admit(policy)([this, number](std::exception_ptr error) {
          (error ? refused_ : ended_).push_back(number);
          if (error) why_ = test::code_of(error);
        });
  }

  std::vector<int> started_;
  std::vector<int> ended_;
  std::vector<int> refused_;
  boost::system::error_code why_;
};

TEST_F(order_in_narrow_room, try_now_is_refused_exactly_at_the_bound) {
  int const next = fill(3);
  issue(next, admission::try_now);
  EXPECT_EQ(backlog(), 4u);
  issue(next + 1, admission::try_now);
  EXPECT_EQ(backlog(), 4u);
  EXPECT_TRUE(refused_.empty());
  loop_.run_until([&] { return !refused_.empty(); });
  EXPECT_EQ(refused_, std::vector{next + 1});
  EXPECT_EQ(why_, error::backlog_full);
  EXPECT_TRUE(gate_->snapshot().overloaded);
  busy_.release();
  loop_.run_out();
  EXPECT_EQ(started_, numbers(next + 1));
  EXPECT_FALSE(gate_->snapshot().overloaded);
}

TEST_F(order_in_narrow_room, wait_is_admitted_in_order_when_there_is_room) {
  int const next = fill(4);
  for (int i = 0; i != 3; ++i) issue(next + i);
  EXPECT_EQ(backlog(), 4u);
  EXPECT_EQ(waiting(), 3u);
  busy_.release();
  loop_.run_out();
  EXPECT_EQ(started_, numbers(next + 3));
  EXPECT_EQ(ended_, started_);
}

TEST_F(order_in_narrow_room, waiting_room_has_a_bound_too) {
  int const next = fill(4);
  for (int i = 0; i != 4; ++i) issue(next + i);
  EXPECT_EQ(waiting(), 3u);
  loop_.run_until([&] { return !refused_.empty(); });
  EXPECT_EQ(refused_, std::vector{next + 3});
  EXPECT_EQ(why_, error::backlog_full);
}

TEST_F(order_in_narrow_room, try_now_does_not_overtake_the_waiting_room) {
  int const next = fill(4);
  issue(next);
  issue(next + 1, admission::try_now);
  loop_.run_until([&] { return !refused_.empty(); });
  EXPECT_EQ(refused_, std::vector{next + 1});
}

TEST_F(order_in_narrow_room, withdrawn_token_gives_its_place_to_one_that_waits) {
  int const next = fill(3);
  std::stop_source stop;
  outcome<void> withdrawn;
  gate_->async_run([] {}).stop_on(stop.get_token())(test::keep(withdrawn));
  issue(next);
  EXPECT_EQ(waiting(), 1u);
  stop.request_stop();
  run_until_done(withdrawn);
  EXPECT_EQ(withdrawn.code(), error::cancelled);
  busy_.release();
  loop_.run_out();
  EXPECT_EQ(started_, numbers(next + 1));
}

TEST_F(order_in_narrow_room, token_in_the_waiting_room_can_be_withdrawn) {
  fill(4);
  std::stop_source stop;
  outcome<void> withdrawn;
  gate_->async_run([] {}).stop_on(stop.get_token())(test::keep(withdrawn));
  EXPECT_EQ(waiting(), 1u);
  stop.request_stop();
  run_until_done(withdrawn);
  EXPECT_EQ(withdrawn.code(), error::cancelled);
  EXPECT_EQ(waiting(), 0u);
}

TEST_F(order_in_narrow_room, default_of_an_operation_may_be_try_now) {
  fill(4);
  auto brief = guard(*gate_, {.operation = "brief", .admission = admission::try_now}, [] {});
  outcome<void> got;
  brief()(test::keep(got));
  run_until_done(got);
  EXPECT_EQ(got.code(), error::backlog_full);
}

}  // namespace
}  // namespace tokengate
