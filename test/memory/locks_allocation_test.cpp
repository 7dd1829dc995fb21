// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// What a wait for a lock, a broadcast or a watch costs in calls of operator new, and what is left
// behind when one of them fails.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "memory/warm_allocations.hpp"
#include "support/loop.hpp"
#include "support/outcome.hpp"
#include "tokengate/async_event.hpp"
#include "tokengate/async_mutex.hpp"
#include "tokengate/async_semaphore.hpp"
#include "tokengate/broadcast.hpp"
#include "tokengate/lock_checks.hpp"
#include "tokengate/monitor.hpp"
#include "tokengate/watch.hpp"

namespace tokengate {
namespace {

class locks_without_memory : public testing::Test {
 protected:
  auto done() {
    return [this](auto const&...) { ++done_; };
  }
  void run(int count) {
    for (done_ = 0; done_ != count;) {
      loop_.context.restart();
      loop_.context.run_one();
    }
  }

  test::loop loop_;
  int done_ = 0;
};
using locks_allocation = test::warm_allocations<locks_without_memory>;

using test::few;

TEST_F(locks_allocation, warm_waits_take_none) {
  bool const were_on = lock_checks();
  set_lock_checks(false);
  async_mutex mutex(loop_.context, "mutex");
  async_semaphore slots(loop_.context, 2);
  async_event ready(loop_.context, true);
  monitor<int> number(loop_.context);
  lock_owner const me("me");
  set_lock_checks(were_on);
  EXPECT_LE(per_thousand([&] {
              for (int i = 0; i != 3; ++i) mutex.async_lock(done());
              mutex.async_lock(me, done());
              for (int i = 0; i != 4; ++i) slots.async_acquire(2, done());
              ready.async_wait(done());
              number.async_lock_when([](int value) { return value == 0; }, done());
              run(10);
            }),
            few);
}

TEST_F(locks_allocation, warm_items_take_none) {
  broadcast<std::uint64_t> news(loop_.context, 4);
  auto reader = news.subscribe();
  auto second = news.subscribe();
  watch<std::uint64_t> latest(loop_.context);
  auto watching = latest.subscribe();
  EXPECT_LE(per_thousand([&] {
              reader.async_receive(done());
              news.async_send(std::uint64_t{1}, done());
              second.async_receive(done());
              watching.async_changed(done());
              latest.set(std::uint64_t{2});
              run(4);
            }),
            few);
}

TEST_F(locks_without_memory, wait_that_cannot_be_made_leaves_nothing_behind) {
  for (bool checked : {false, true}) {
    bool const were_on = lock_checks();
    set_lock_checks(checked);
    async_mutex mutex(loop_.context, "mutex");
    set_lock_checks(were_on);
    lock_owner const me("me");
    auto held = mutex.try_lock(me);
    for (int n = 0;; ++n) {
      bool hit = false;
      test::outcome<async_mutex::guard> got;
      {
        auto kept = test::keep(got);
        test::failing_allocations failing(n, false);
        try {
          mutex.async_lock(lock_owner(), std::move(kept));
        } catch (std::bad_alloc const&) {
          EXPECT_TRUE(mutex.snapshot().waiters.empty());
        }
        hit = failing.hit();
      }
      if (!mutex.snapshot().waiters.empty()) {
        held.unlock();
        loop_.run_until([&] { return got.done(); });
        got.value.reset();
        held = mutex.try_lock(me);
      }
      ASSERT_TRUE(held);
      if (!hit) break;
    }
    EXPECT_EQ(to_string(mutex.snapshot()), "mutex: held by me");
  }
}

}  // namespace
}  // namespace tokengate
