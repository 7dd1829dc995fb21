// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// What limits of waits need: a timer of the context itself, whatever executor the handlers have.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <boost/asio/any_completion_handler.hpp>
#include <thread>

#include "support/loop.hpp"
#include "support/manual_event.hpp"
#include "support/outcome.hpp"
#include "support/patience.hpp"

namespace tokengate::test {
namespace {

using namespace std::chrono_literals;

class wait_limit : public testing::Test {
 public:
  void TearDown() override { loop_.run_out(); }
  loop loop_;
  manual_event event_{loop_.executor()};
};

TEST_F(wait_limit, executor_that_counts_as_work_does_not_keep_the_loop_running) {
  outcome<int> direct, in_strand;
  asio::any_io_executor const strand = asio::make_strand(loop_.context);
  event_.async_take().within(1h)(asio::bind_executor(
      asio::require(loop_.executor(), asio::execution::outstanding_work.tracked), keep(direct)));
  event_.async_take().within(1h)(asio::bind_executor(
      asio::prefer(strand, asio::execution::outstanding_work.tracked), keep(in_strand)));
  event_.set();
  event_.set();
  loop_.run_out();
  EXPECT_EQ(direct.value, 1);
  EXPECT_EQ(in_strand.value, 2);
}

TEST_F(wait_limit, fallback_executor_may_belong_to_a_context_that_goes_first) {
  outcome<int> got;
  {
    asio::io_context other;
    manual_event foreign(other.get_executor());
    asio::any_completion_handler<void(std::exception_ptr, int)> handler(
        asio::bind_executor(asio::any_io_executor(loop_.executor()), keep(got)));
    foreign.async_take().within(1h)(std::move(handler));
    foreign.set();
    loop_.run_until([&] { return got.done(); });
  }
  EXPECT_EQ(got.value, 1);
  outcome<int> late;
  event_.async_take().within(1ms)(keep(late));
  loop_.run_until([&] { return late.done(); });
  EXPECT_EQ(late.code(), error::timed_out);
}

TEST_F(wait_limit, passes_while_a_strand_that_waited_before_is_busy) {
  asio::thread_pool pool(2);
  manual_event event(pool.get_executor());
  asio::any_io_executor const strand = asio::make_strand(pool);
  std::atomic<int> late{0};
  event.async_take().within(1ms)(
      asio::bind_executor(strand, [&](std::exception_ptr, int) { ++late; }));
  EXPECT_TRUE(poll_until([&] { return late == 1; }));
  asio::post(strand, [&] {
    event.async_take().within(1ms)(
        asio::bind_executor(pool.get_executor(), [&](std::exception_ptr, int) { ++late; }));
    EXPECT_TRUE(poll_until([&] { return late == 2; })) << "the strand is busy until then";
  });
  pool.join();
  EXPECT_EQ(late, 2);
}

TEST_F(wait_limit, timer_that_fired_for_an_earlier_wait_is_not_taken_for_the_present_one) {
  outcome<int> first, second;
  event_.async_take().within(1ms)(keep(first));
  asio::post(loop_.context, [&] {
    event_.set();  // decided, and to be delivered by the next turn
    asio::post(loop_.context, [&] {
      event_.async_take().within(1h)(keep(second));
      event_.set();
    });
    auto const until = std::chrono::steady_clock::now() + 5ms;
    EXPECT_TRUE(poll_until([&] { return std::chrono::steady_clock::now() > until; }));
  });
  loop_.run_out();  // and does not wait for the hour
  EXPECT_EQ(first.value, 1);
  EXPECT_EQ(second.value, 2);
}

TEST(would_deadlock, is_found_on_a_loop_that_only_strands_wait_in) {
  loop io;
  manual_event event(io.executor());
  auto const strand = asio::make_strand(io.context);
  outcome<int> got;
  event.async_take(asio::bind_executor(asio::any_io_executor(strand), keep(got)));
  boost::system::error_code code;
  asio::post(strand, [&] {
    try {
      event.take();
    } catch (boost::system::system_error const& caught) {
      code = caught.code();
    }
    event.set();
  });
  io.run_until([&] { return got.done(); });
  EXPECT_EQ(code, error::would_deadlock);
}

// --- handlers that own the memory of their wait ---

/// One block, which goes with the last owner of the arena.
struct arena {
  std::unique_ptr<std::byte[]> block;
};
template <class T>
struct arena_allocator {
  using value_type = T;
  explicit arena_allocator(arena& of) noexcept : of(&of) {}
  template <class U>
  arena_allocator(arena_allocator<U> const& other) noexcept : of(other.of) {}
  T* allocate(std::size_t n) {
    of->block = std::make_unique<std::byte[]>(n * sizeof(T));
    return reinterpret_cast<T*>(of->block.get());
  }
  void deallocate(T*, std::size_t) noexcept { EXPECT_TRUE(of->block) << "is still there"; }
  template <class U>
  bool operator==(arena_allocator<U> const& other) const noexcept {
    return of == other.of;
  }
  arena* of;
};

TEST(wait_memory, may_belong_to_the_handler_that_is_destroyed_with_the_loop) {
  auto mine = std::make_shared<arena>();
  std::weak_ptr<arena> const watched = mine;
  {
    asio::io_context context;
    manual_event event(context.get_executor());
    arena_allocator<void> const memory(*mine);
    event.async_take(
        asio::bind_allocator(memory, [own = std::move(mine)](std::exception_ptr, int) {}));
    EXPECT_FALSE(watched.expired());
  }
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace tokengate::test
