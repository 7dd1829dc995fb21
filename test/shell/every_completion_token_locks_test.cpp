// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Locks, and what is waited for without a value, with every completion token.
#include "support/every_completion_token.hpp"
#include "tokengate/async_barrier.hpp"
#include "tokengate/async_event.hpp"
#include "tokengate/async_latch.hpp"
#include "tokengate/async_mutex.hpp"
#include "tokengate/async_semaphore.hpp"
#include "tokengate/async_shared_mutex.hpp"
#include "tokengate/monitor.hpp"

namespace tokengate::test {
namespace {

/// Held by somebody else when the wait begins: each of these waits.
template <class Lock>
struct held_lock {
  explicit held_lock(gate& on) : lock(on.get_executor()) {}
  template <class Guard>
  void let_go_later(Guard held) {
    EXPECT_TRUE(held);
    asio::post(lock.get_executor(), [held = std::move(held)]() mutable { held.unlock(); });
  }
  template <class Guard>
  bool right(int, Guard const& got) {
    return got && !lock.try_lock();
  }
  Lock lock;
};
struct mutex_lock : held_lock<async_mutex> {
  using held_lock::held_lock;
  auto operation(int) {
    let_go_later(lock.try_lock());
    return lock.async_lock();
  }
};
struct writer_lock : held_lock<async_shared_mutex> {
  using held_lock::held_lock;
  auto operation(int) {
    let_go_later(lock.try_lock_shared());
    return lock.async_lock();
  }
};
struct reader_lock : held_lock<async_shared_mutex> {
  using held_lock::held_lock;
  auto operation(int) {
    let_go_later(lock.try_lock());
    return lock.async_lock_shared();
  }
};
struct monitor_lock : held_lock<monitor<int>> {
  using held_lock::held_lock;
  auto operation(int) {
    let_go_later(lock.try_lock());
    return lock.async_lock();
  }
};
struct monitor_lock_when : monitor_lock {
  using monitor_lock::monitor_lock;
  auto operation(int i) {
    asio::post(lock.get_executor(), [this, i] { *lock.try_lock() = i; });
    return lock.async_lock_when([i](int now) { return now == i; });
  }
  bool right(int i, monitor<int>::guard const& got) { return *got == i && !lock.try_lock(); }
};
struct permits {
  explicit permits(gate& on) : slots(on.get_executor(), 2) {}
  auto operation(int) {
    auto held = slots.try_acquire();
    EXPECT_TRUE(held);
    asio::post(slots.get_executor(), [held = std::move(held)]() mutable { held.unlock(); });
    return slots.async_acquire(2);
  }
  bool right(int, async_semaphore::permit const& got) { return got && slots.available() == 0; }
  async_semaphore slots;
};
struct event_set {
  explicit event_set(gate& on) : ready(on.get_executor()) {}
  auto operation(int) {
    ready.reset();
    asio::post(ready.get_executor(), [this] { ready.set(); });
    return ready.async_wait();
  }
  bool right(int) { return ready.is_set(); }
  async_event ready;
};
struct latch_open {
  explicit latch_open(gate& on) : through(&on) {}
  auto operation(int) {
    left.emplace(through->get_executor(), 2);
    left->count_down();
    asio::post(through->get_executor(), [this] { left->count_down(); });
    return left->async_wait();
  }
  bool right(int) { return left->count() == 0; }
  gate* through;
  std::optional<async_latch> left;
};
struct phase_over {
  explicit phase_over(gate& on) : all(on.get_executor(), 2) {}
  auto operation(int) {
    asio::post(all.get_executor(), [this] { all.async_arrive_and_wait(asio::detached); });
    return all.async_arrive_and_wait();
  }
  bool right(int i, std::uint64_t phase) {
    return phase + 1 == static_cast<std::uint64_t>(i) && all.waiting() == 0;
  }
  async_barrier all;
};

template <class Kind>
class lock_operation : public every_completion_token<Kind> {};
using lock_operations =
    testing::Types<mutex_lock, writer_lock, reader_lock, monitor_lock, monitor_lock_when, permits,
                   event_set, latch_open, phase_over>;
TYPED_TEST_SUITE(lock_operation, lock_operations);
TYPED_TEST(lock_operation, takes_every_completion_token) {
  this->prove();
}

}  // namespace
}  // namespace tokengate::test
