// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// The channel as its users see it, every flavour alike: completion tokens, ends, cancellation,
// threads.
#include "tokengate/channel.hpp"

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <future>
#include <memory>
#include <thread>

#include "support/channel_flavours.hpp"
#include "support/loop.hpp"
#include "support/outcome.hpp"
#include "support/patience.hpp"

namespace tokengate::test {
namespace {

using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;
using thing = std::unique_ptr<int>;

thing make(int value) {
  return std::make_unique<int>(value);
}
class channel_of : public testing::TestWithParam<channel_kind> {
 public:
  void TearDown() override {
    out_.reset();
    loop_.run_out();
  }
  template <class T>
  void run_until_done(outcome<T> const& of) {
    loop_.run_until([&] { return of.done(); });
  }
  void run(asio::awaitable<void> body) {
    std::optional<std::exception_ptr> ended;
    asio::co_spawn(loop_.context, std::move(body), [&](std::exception_ptr e) { ended = e; });
    loop_.run_until([&] { return ended.has_value(); });
    if (ended && *ended) std::rethrow_exception(*ended);
  }
  /// Fills what room there is.
  void fill() {
    while (out_->try_send(make(0))) {
    }
  }

  loop loop_;
  std::optional<channel<thing>> out_{std::in_place, loop_.executor(), GetParam().options<thing>()};
};

INSTANTIATE_TEST_SUITE_P(each, channel_of, every_channel_kind(), name_of_kind);

asio::awaitable<void> send_all(channel<thing>* to, int count) {
  for (int i = 1; i <= count; ++i) {
    thing next = make(i);
    co_await to->async_send(std::move(next));
  }
  to->close();
}

TEST_P(channel_of, items_come_in_order_and_then_the_end) {
  int last = 0;
  boost::system::error_code end;
  asio::co_spawn(loop_.context, send_all(&*out_, 200), asio::detached);
  run([](channel<thing>* from, int* last, boost::system::error_code* end) -> asio::awaitable<void> {
    try {
      for (;;) {
        auto const item = co_await from->async_receive();
        EXPECT_EQ(*item, ++*last);
      }
    } catch (boost::system::system_error const& caught) {
      *end = caught.code();
    }
  }(&*out_, &last, &end));
  EXPECT_EQ(last, 200);
  EXPECT_EQ(end, error::closed);
}

TEST_P(channel_of, batches_come_in_order_too) {
  asio::co_spawn(loop_.context, send_all(&*out_, 200), asio::detached);
  std::vector<thing> got;
  run([](channel<thing>* from, std::vector<thing>* got) -> asio::awaitable<void> {
    std::size_t sum = 0;
    while (sum != 200) {
      auto const count = co_await from->async_receive_some(*got, 3);
      EXPECT_GE(count, 1u);
      EXPECT_LE(count, 3u);
      sum += count;
    }
  }(&*out_, &got));
  ASSERT_EQ(got.size(), 200u);
  for (int i = 0; i != 200; ++i) EXPECT_EQ(*got[static_cast<std::size_t>(i)], i + 1);
}

TEST_P(channel_of, every_completion_token_works) {
  auto& it = *out_;
  int sum = 0;
  outcome<void> sent;
  outcome<thing> received;
  it.async_send(make(1), keep(sent));
  it.async_receive(keep(received));
  run_until_done(received);
  sum += **received.value;

  auto future_send = it.async_send(make(2), asio::use_future);
  auto future = it.async_receive(asio::use_future);
  EXPECT_TRUE(poll_until([&] {  // these end on a thread of the system
    loop_.poll();
    return future.wait_for(0s) == std::future_status::ready &&
           future_send.wait_for(0s) == std::future_status::ready;
  }));
  future_send.get();
  sum += *future.get();

  it.async_send(make(3), asio::detached);
  asio::any_completion_handler<void(std::exception_ptr, thing)> erased(
      [&](std::exception_ptr, thing item) { sum += *item; });
  it.async_receive(std::move(erased));
  loop_.poll();

  it.async_send(make(4), asio::bind_executor(asio::make_strand(loop_.context), asio::detached));
  auto deferred = it.async_receive(asio::deferred);
  std::move(deferred)([&](std::exception_ptr, thing item) { sum += *item; });
  loop_.poll();

  asio::co_spawn(
      loop_.context,
      [](channel<thing>* it) -> asio::awaitable<void> {
        thing five = make(5);
        co_await it->async_send(std::move(five), asio::use_awaitable);
      }(&it),
      asio::detached);
  run([](channel<thing>* it, int* sum) -> asio::awaitable<void> {
    auto [failed, item] = co_await it->async_receive(asio::as_tuple(asio::use_awaitable));
    EXPECT_FALSE(failed);
    *sum += *item;
  }(&it, &sum));
  EXPECT_EQ(sum, 15);
}

TEST_P(channel_of, works_with_awaitable_operators_and_parallel_group) {
  run([](channel<thing>* it) -> asio::awaitable<void> {
    thing one = make(1);
    auto both =
        it->async_send_from(one, asio::use_awaitable) && it->async_receive(asio::use_awaitable);
    auto const item = co_await std::move(both);
    EXPECT_EQ(*item, 1);
    thing two = make(2);
    auto group = asio::experimental::make_parallel_group(it->async_send_from(two, asio::deferred),
                                                         it->async_receive(asio::deferred));
    auto waiting =
        group.async_wait(asio::experimental::wait_for_all(), asio::as_tuple(asio::use_awaitable));
    auto const result = co_await std::move(waiting);
    EXPECT_EQ(*std::get<3>(result), 2);
  }(&*out_));
}

// --- cancel safety: a cancelled send has its item, a cancelled receive took none ---

TEST_P(channel_of, cancelled_send_gives_the_item_back) {
  fill();
  asio::cancellation_signal signal;
  int returned = 0;
  out_->async_send(make(7), asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr e) {
                     try {
                       std::rethrow_exception(e);
                     } catch (not_sent<thing> const& failed) {
                       EXPECT_EQ(failed.code(), error::cancelled);
                       returned = *failed.item();
                     }
                   }));
  signal.emit(asio::cancellation_type::total);
  loop_.poll();
  EXPECT_EQ(returned, 7);
}

TEST_P(channel_of, send_from_a_variable_moves_it_only_when_it_was_taken) {
  fill();
  thing mine = make(8);
  outcome<void> late;
  out_->async_send_from(mine).within(1ms)(keep(late));
  run_until_done(late);
  EXPECT_EQ(late.code(), error::timed_out);
  ASSERT_NE(mine, nullptr);
  outcome<void> sent;
  out_->async_send_from(mine, keep(sent));
  while (!sent.done()) {
    static_cast<void>(out_->try_receive());
    loop_.poll();
  }
  EXPECT_FALSE(sent.error);
  EXPECT_EQ(mine, nullptr);
}

TEST_P(channel_of, cancelled_receive_takes_none) {
  asio::cancellation_signal signal;
  outcome<thing> gone, got;
  out_->async_receive(asio::bind_cancellation_slot(signal.slot(), keep(gone)));
  signal.emit(asio::cancellation_type::partial);
  run_until_done(gone);
  EXPECT_EQ(gone.code(), error::cancelled);
  out_->async_receive(keep(got));
  out_->async_send(make(1), asio::detached);
  run_until_done(got);
  EXPECT_EQ(**got.value, 1);
}

TEST_P(channel_of, asio_1041_item_on_its_way_to_a_cancelled_receive_is_not_lost) {
  asio::cancellation_signal signal;
  outcome<thing> gone;
  out_->async_receive(asio::bind_cancellation_slot(signal.slot(), keep(gone)));
  asio::post(loop_.context, [&] {
    EXPECT_TRUE(out_->try_send(make(1)));
    out_->async_send(make(2), asio::detached);
    signal.emit(asio::cancellation_type::terminal);  // the item is decided, and not delivered
  });
  run_until_done(gone);
  EXPECT_EQ(gone.code(), error::cancelled);
  for (int expected : {1, 2}) {
    outcome<thing> got;
    out_->async_receive(keep(got));
    run_until_done(got);
    EXPECT_EQ(**got.value, expected) << "in its place";
  }
}

TEST_P(channel_of, asio_1041_race_against_a_timer_loses_nothing) {
  constexpr int count = 200;
  asio::co_spawn(loop_.context, send_all(&*out_, count), asio::detached);
  int last = 0;
  run([](channel<thing>* from, int* last) -> asio::awaitable<void> {
    auto const executor = co_await asio::this_coro::executor;
    int round = 0;
    while (*last != count) {
      asio::steady_timer timer(executor);
      timer.expires_after(round++ % 3 == 0 ? 0us : 20us);
      auto race = from->async_receive(asio::use_awaitable) || timer.async_wait(asio::use_awaitable);
      auto first = co_await std::move(race);
      if (first.index() != 0) continue;
      int const number = *std::get<0>(first);
      EXPECT_EQ(number, ++*last);
    }
  }(&*out_, &last));
  EXPECT_EQ(last, count);
}

TEST_P(channel_of, asio_1318_and_1575_close_ends_pending_sends_and_receives) {
  fill();
  std::vector<outcome<void>> sends(5);
  for (auto& each : sends) out_->async_send(make(1), keep(each));
  out_->close();
  loop_.run_out();  // and with that the loop has nothing left to do
  for (auto const& each : sends) EXPECT_EQ(each.code(), error::closed);
  while (out_->try_receive()) {
  }
  outcome<thing> end;
  out_->async_receive(keep(end));
  run_until_done(end);
  EXPECT_EQ(end.code(), error::closed);
  EXPECT_FALSE(out_->try_send(make(1)));
  EXPECT_TRUE(out_->closed());
}

TEST_P(channel_of, asio_1241_send_after_a_cancelled_receive_has_room) {
  outcome<thing> gone;
  out_->async_receive(keep(gone));
  out_->cancel();
  run_until_done(gone);
  EXPECT_EQ(gone.code(), error::cancelled);
  EXPECT_EQ(out_->try_send(make(1)), GetParam().capacity != 0);
}

/// Races the channel against a timer again and again, on the coroutine's strand.
asio::awaitable<void> until_closed(channel<thing>* it, bool sends, std::atomic<int>* ended) {
  thing mine;
  while (!it->closed()) {
    asio::steady_timer timer(co_await asio::this_coro::executor, 50us);
    if (sends) {
      if (!mine) mine = make(1);
      auto race =
          it->async_send_from(mine, asio::use_awaitable) || timer.async_wait(asio::use_awaitable);
      co_await std::move(race);
    } else {
      auto race = it->async_receive(asio::use_awaitable) || timer.async_wait(asio::use_awaitable);
      co_await std::move(race);
    }
  }
  ++*ended;
}

TEST_P(channel_of, asio_1576_closing_from_another_thread_ends_coroutines_of_a_pool) {
  for (int round = 0; round != 20; ++round) {
    asio::thread_pool pool(3);
    channel<thing> it(pool.get_executor(), GetParam().options<thing>());
    std::atomic<int> ended{0};
    int const pairs = GetParam().many() ? 2 : 1;
    for (int i = 0; i != 2 * pairs; ++i)
      asio::co_spawn(asio::make_strand(pool), until_closed(&it, i % 2 == 0, &ended),
                     asio::detached);
    std::jthread closer([&] { it.close(); });
    pool.join();
    EXPECT_EQ(ended, 2 * pairs);
  }
}

// --- ends ---

TEST_P(channel_of, last_sender_that_goes_closes_it) {
  auto [sending, receiving] = std::move(*out_).split();
  EXPECT_FALSE(out_->valid());
  auto copy = std::make_optional(sending);
  { auto const gone = std::move(sending); }
  EXPECT_FALSE(receiving.closed());
  outcome<thing> end;
  receiving.async_receive(keep(end));
  copy.reset();
  run_until_done(end);
  EXPECT_EQ(end.code(), error::closed);
  EXPECT_TRUE(receiving.closed());
}

TEST_P(channel_of, last_receiver_that_goes_closes_it_and_drops_what_is_in_it) {
  auto [sending, receiving] = std::move(*out_).split();
  while (sending.try_send(make(1))) {
  }
  EXPECT_EQ(sending.size(), GetParam().capacity);
  outcome<void> waiting;
  sending.async_send(make(2), keep(waiting));
  {
    auto const copy = receiving;
    auto const gone = std::move(receiving);
  }
  run_until_done(waiting);
  EXPECT_EQ(waiting.code(), error::closed);
  EXPECT_EQ(sending.size(), 0u);
}

TEST_P(channel_of, destroyed_channel_ends_its_operations) {
  outcome<thing> end;
  out_->async_receive(keep(end));
  out_.reset();
  run_until_done(end);
  EXPECT_EQ(end.code(), error::closed);
}

TEST_P(channel_of, outlives_a_loop_that_waits_in_it) {
  channel<thing> it(GetParam().options<thing>());
  {
    asio::io_context gone;
    it.async_receive(asio::bind_executor(gone, [](std::exception_ptr, thing) { FAIL(); }));
    asio::co_spawn(
        gone,
        [](channel<thing>* it) -> asio::awaitable<void> {
          auto const item = co_await it->async_receive();
          ADD_FAILURE();
        }(&it),
        asio::detached);
    gone.poll();
  }
  EXPECT_EQ(it.try_send(make(1)), GetParam().capacity != 0) << "nobody waits any more";
}

// --- threads ---

TEST_P(channel_of, threads_block_on_both_ends) {
  std::jthread sends([this] {
    for (int i = 1; i <= 500; ++i) out_->send(make(i));
    out_->close();
  });
  for (int i = 1; i <= 500; ++i) EXPECT_EQ(*out_->receive(), i);
  EXPECT_EQ(thrown_by([&] { static_cast<void>(out_->receive()); }), error::closed);
  std::vector<thing> rest;
  EXPECT_EQ(thrown_by([&] { out_->receive_some(rest); }), error::closed);
}

TEST_P(channel_of, blocking_ends_time_out_and_keep_the_item) {
  EXPECT_EQ(thrown_by([&] { static_cast<void>(out_->receive(1ms)); }), error::timed_out);
  fill();
  thing mine = make(3);
  EXPECT_EQ(thrown_by([&] { out_->send_from(mine, 1ms); }), error::timed_out);
  ASSERT_NE(mine, nullptr);
  try {
    out_->send(std::move(mine), 0ms);
    ADD_FAILURE();
  } catch (not_sent<thing> const& failed) {
    EXPECT_EQ(*failed.item(), 3);
  }
  std::vector<thing> got;
  EXPECT_EQ(out_->try_receive_some(got), GetParam().capacity);
}

TEST_P(channel_of, blocking_on_its_loop_is_refused) {
  outcome<thing> waits;
  out_->async_receive(keep(waits));
  boost::system::error_code code;
  asio::post(loop_.context, [&] { code = thrown_by([&] { static_cast<void>(out_->receive()); }); });
  loop_.poll();
  EXPECT_EQ(code, error::would_deadlock);
  out_->close();
  run_until_done(waits);
}

TEST(channel_of_awkward_items, need_no_default_constructor) {
  struct awkward {
    explicit awkward(int number) : number(number) {}
    awkward(awkward&&) = default;
    int number;
  };
  loop loop;
  channel<awkward> it(loop.executor(), 1);
  it.async_send(awkward(3), asio::detached);
  int got = 0;
  it.async_receive([&](std::exception_ptr, std::optional<awkward> item) { got = item->number; });
  loop.run_out();
  EXPECT_EQ(got, 3);
  it.send(awkward(4));
  EXPECT_EQ(it.receive().number, 4);
}

}  // namespace
}  // namespace tokengate::test
