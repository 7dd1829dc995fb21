// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <string>
#include <thread>

#include "support/gate_fixture.hpp"
#include "tokengate/channel.hpp"

// A function blocks, and no result comes that would have the gate look: what lies behind it in the
// worker's mailboxes goes to another worker all the same.

namespace tokengate::test {
namespace {

class stuck_worker : public gate_fixture {
 public:
  explicit stuck_worker(hot_drain hot = hot_drain::automatic)
      : gate_fixture({.hot = hot}, 2), other_(loop_.executor(), workers_, {.hot = hot}) {}

  /// So many tokens one after the other, so that the gate knows their functions to be brief.
  static void learn(gate& on, operation const& what, loop& its) {
    for (int left = 2000; left != 0; --left) {
      outcome<void> one;
      on.async_run(
          what, [] {}, keep(one));
      its.run_until([&] { return one.done(); });
    }
  }

  /// One token of `what` blocks until as many as lie behind it have ended.
  void block_with_others_behind(operation const& what) {
    constexpr int behind = 4;
    channel<int> line(loop_.executor(), 1);
    outcome<void> stuck;
    int ended = 0;
    asio::post(loop_.context, [&] {
      gate_->async_run(
          what, [&] { EXPECT_EQ(line.receive(), behind); }, keep(stuck));
      for (int i = 0; i != behind; ++i)
        gate_->async_run(
            what, [] {}, [&](std::exception_ptr const&) { ++ended; });
    });
    loop_.run_until([&] { return ended == behind; });
    EXPECT_TRUE(line.try_send(int{behind})) << ended << " had ended";
    run_until_done(stuck);
  }

  /// A function of the other gate blocks until tokens of this one are done.
  void run_beside(operation const& what) {
    blocker busy;
    outcome<void> stuck;
    other_.async_run(what, busy.function(), keep(stuck));
    busy.wait_entered();
    for (int round = 0; round != 5 && !HasFailure(); ++round) {
      outcome<void> first, second;
      gate_->async_run([] {}, keep(first));
      gate_->async_run([] {}, keep(second));
      run_until_done(first);
      run_until_done(second);
    }
    busy.release();
    run_until_done(stuck);
  }

  void block_often() {
    if (workers_.cores() < 2) GTEST_SKIP() << "one worker per lane";
    auto const what = gate_->define({.operation = "brief"});
    for (int round = 0; round != 20 && !HasFailure(); ++round) {
      learn(*gate_, what, loop_);
      block_with_others_behind(what);
    }
  }
  void run_often_beside_what_was_brief() {
    if (workers_.cores() < 2) GTEST_SKIP() << "one worker per lane";
    auto const what = other_.define({.operation = "brief"});
    for (int round = 0; round != 20 && !HasFailure(); ++round) {
      learn(other_, what, loop_);
      run_beside(what);
    }
  }

  /// A function that was to be brief waits for the handler of one that its worker has run before.
  void wait_for_what_came_before() {
    auto const what = gate_->define({.operation = "brief"});
    for (int round = 0; round != 50 && !HasFailure(); ++round) {
      learn(*gate_, what, loop_);
      blocker busy;
      outcome<void> stuck;
      asio::post(loop_.context, [&] {
        for (int i = 0; i != 3; ++i)
          gate_->async_run(
              what, [] {}, [&, i](std::exception_ptr const&) { i == 2 ? busy.release() : void(); });
        gate_->async_run(what, busy.function(), keep(stuck));
      });
      run_until_done(stuck);
    }
  }

  /// Handlers that run while nothing ends.
  std::size_t handlers_meanwhile() {
    loop_.context.restart();
    loop_.context.run_for(std::chrono::milliseconds(20));  // what has to settle
    return loop_.context.run_for(std::chrono::milliseconds(100));
  }

  gate other_;
};

/// Nobody polls for results: only a timer looks.
class stuck_worker_of_a_loop_that_sleeps : public stuck_worker {
 public:
  stuck_worker_of_a_loop_that_sleeps() : stuck_worker(hot_drain::off) {}
};

/// Two threads run the loop. A turn delivers one result and leaves the rest to the other thread.
class stuck_worker_of_two_threads : public stuck_worker {
 public:
  /// The first handler goes on while the other thread delivers the second and parks the drain; then
  /// it issues a token that blocks, and one behind it.
  void block_in_a_turn_that_outlasts_the_next(operation const& what) {
    channel<int> line(both_.executor(), 1);
    std::atomic<int> returned = 0, delivered = 0;
    std::atomic<bool> stuck = true;
    auto const handler = [&](std::exception_ptr const&) {
      if (delivered.fetch_add(1) != 0) return;
      EXPECT_TRUE(poll_until([&] { return delivered == 2; }));
      shared_.async_run(
          what, [&] { EXPECT_EQ(line.receive(), 1); },
          [&](std::exception_ptr const&) { stuck = false; });
      shared_.async_run(
          what, [] {}, [&](std::exception_ptr const&) { ++delivered; });
    };
    std::jthread other([&](std::stop_token const& stop) {
      auto const work = asio::make_work_guard(both_.context);
      while (!stop.stop_requested()) both_.context.run_one_for(std::chrono::milliseconds(5));
    });
    asio::post(both_.context, [&] {
      for (int i = 0; i != 2; ++i)
        shared_.async_run(
            what, [&] { ++returned; }, handler);
      EXPECT_TRUE(poll_until([&] { return returned == 2; }));
    });
    asio::post(both_.context, [&] { EXPECT_TRUE(poll_until([&] { return returned == 2; })); });
    both_.run_until([&] { return delivered == 3; });
    EXPECT_TRUE(line.try_send(1));
    both_.run_until([&] { return !stuck; });
  }

  loop both_{2};
  gate shared_{both_.executor(), workers_, {.drain_budget = 1, .hot = hot_drain::off}};
};

TEST_F(stuck_worker_of_two_threads, does_not_keep_what_lies_behind_it) {
  if (workers_.cores() < 2) GTEST_SKIP() << "one worker per lane";
  auto const what = shared_.define({.operation = "brief"});
  for (int round = 0; round != 20 && !HasFailure(); ++round) {
    learn(shared_, what, both_);
    block_in_a_turn_that_outlasts_the_next(what);
  }
}

TEST_F(stuck_worker, does_not_keep_what_lies_behind_it) {
  block_often();
}

TEST_F(stuck_worker_of_a_loop_that_sleeps, does_not_keep_what_lies_behind_it) {
  block_often();
}

TEST_F(stuck_worker, does_not_keep_what_it_has_done_before) {
  wait_for_what_came_before();
}

TEST_F(stuck_worker_of_a_loop_that_sleeps, does_not_keep_what_it_has_done_before) {
  wait_for_what_came_before();
}

TEST_F(stuck_worker, does_not_keep_what_comes_later_from_another_gate) {
  if (workers_.cores() < 2) GTEST_SKIP() << "one worker per lane";
  for (int round = 0; round != 20 && !HasFailure(); ++round)
    run_beside(other_.define({.operation = "unknown " + std::to_string(round)}));
}

TEST_F(stuck_worker, does_not_keep_what_comes_later_though_it_was_to_be_brief) {
  run_often_beside_what_was_brief();
}

TEST_F(stuck_worker_of_a_loop_that_sleeps,
       does_not_keep_what_comes_later_though_it_was_to_be_brief) {
  run_often_beside_what_was_brief();
}

// The token was moved away from behind it, and what is left of it there cannot be.
TEST_F(stuck_worker, leaves_the_loop_asleep_when_there_is_nothing_to_move) {
  auto const what = gate_->define({.operation = "brief"});
  learn(*gate_, what, loop_);
  blocker busy;
  outcome<void> stuck, behind;
  asio::post(loop_.context, [&] {
    gate_->async_run(what, busy.function(), keep(stuck));
    gate_->async_run(
        what, [] {}, keep(behind));
  });
  if (workers_.cores() > 1) run_until_done(behind);
  EXPECT_LT(handlers_meanwhile(), 10u) << "once a millisecond, if a timer ran";
  busy.release();
  run_until_done(stuck);
  run_until_done(behind);
}

TEST_F(stuck_worker, leaves_the_loop_asleep_when_what_lies_behind_it_has_its_key) {
  blocker busy;
  outcome<void> stuck, behind;
  gate_->async_run(busy.function()).keyed(1)(keep(stuck));
  gate_->async_run([] {}).keyed(1)(keep(behind));
  EXPECT_LT(handlers_meanwhile(), 10u);
  busy.release();
  run_until_done(stuck);
  run_until_done(behind);
}

// It could be moved, if there were a worker for it.
TEST_F(stuck_worker, is_looked_at_more_and_more_seldom) {
  if (workers_.cores() < 2) GTEST_SKIP() << "one worker per lane";
  std::array<blocker, 2> busy;
  std::array<outcome<void>, 2> stuck;
  outcome<void> behind;
  other_.async_run(busy[0].function(), keep(stuck[0]));
  busy[0].wait_entered();
  gate_->async_run(busy[1].function(), keep(stuck[1]));
  busy[1].wait_entered();
  gate_->async_run([] {}, keep(behind));
  EXPECT_LT(handlers_meanwhile(), 20u) << "a hundred times, without pauses that grow";
  busy[0].release();
  run_until_done(behind);
  EXPECT_FALSE(stuck[1].done());
  busy[1].release();
  for (auto const& each : stuck) run_until_done(each);
}

// What fills the mailbox of the other worker has been cancelled; nothing will come back from there.
TEST_F(stuck_worker, does_not_keep_what_waits_for_a_place_behind_it) {
  if (workers_.cores() < 2) GTEST_SKIP() << "one worker per lane";
  for (int round = 0; round != 10 && !HasFailure(); ++round) {
    std::array<blocker, 2> busy;
    std::array<outcome<void>, 2> stuck;
    for (std::size_t i = 0; i != 2; ++i)
      other_.async_run({.operation = "unknown " + std::to_string(2 * round) + std::to_string(i)},
                       busy[i].function(), keep(stuck[i]));
    for (auto const& each : busy) each.wait_entered();
    std::array<asio::cancellation_signal, 2> cancel;
    std::array<outcome<void>, 2> cancelled;
    outcome<void> waits;
    for (std::size_t i = 0; i != 2; ++i)
      gate_->async_run([] {}, asio::bind_cancellation_slot(cancel[i].slot(), keep(cancelled[i])));
    gate_->async_run([] {}, keep(waits));
    for (auto& each : cancel) each.emit(asio::cancellation_type::all);
    for (auto const& each : cancelled) run_until_done(each);
    busy[round % 2].release();
    run_until_done(waits);
    for (auto& each : busy) each.release();
    for (auto const& each : stuck) run_until_done(each);
  }
}

// Its tokens were cancelled while all workers were busy for the other gate; slots are still there.
TEST_F(stuck_worker, does_not_keep_a_loop_with_nothing_out) {
  std::array<blocker, 2> busy;
  std::size_t const cores = workers_.cores();
  std::thread elsewhere([&] {
    loop others;
    gate taken(others.executor(), workers_);
    std::array<outcome<void>, 2> ended;
    for (std::size_t i = 0; i != cores; ++i) taken.async_run(busy[i].function(), keep(ended[i]));
    others.run_out();
  });
  for (std::size_t i = 0; i != cores; ++i) busy[i].wait_entered();
  std::array<asio::cancellation_signal, 4> cancel;
  std::array<outcome<void>, 4> ended;
  for (std::size_t i = 0; i != ended.size(); ++i)
    gate_->async_run([] {}, asio::bind_cancellation_slot(cancel[i].slot(), keep(ended[i])));
  for (auto& each : cancel) each.emit(asio::cancellation_type::all);
  for (auto const& each : ended) run_until_done(each);
  if (cores > 1) busy[0].release();
  loop_.run_out();
  for (auto& each : busy) each.release();
  elsewhere.join();
}

}  // namespace
}  // namespace tokengate::test
