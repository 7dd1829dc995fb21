// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/pipeline.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/gate_fixture.hpp"
#include "tokengate/task_scope.hpp"

namespace tokengate {
namespace {

using test::outcome;
using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;

class pipeline_shell : public test::gate_fixture {
 public:
  pipeline_shell() : gate_fixture({}, 2) {}

  template <class In, class Out>
  std::exception_ptr join(pipeline<In, Out>& of) {
    outcome<void> joined;
    of.async_join(test::keep(joined));
    run_until_done(joined);
    loop_.run_out();
    auto const now = of.snapshot();
    EXPECT_TRUE(now.ended);
    if (now.failed) {
      EXPECT_EQ(now.pushed, now.completed + now.dropped);
    }
    return joined.error;
  }
};

std::string text(int of) {
  if (of % 3 == 0) std::this_thread::yield();  // let another worker go first
  return std::to_string(of);
}
int number(std::string of) {
  return std::stoi(of);
}
asio::awaitable<int> next(int of) {
  auto const executor = co_await asio::this_coro::executor;
  for (int i = of % 3; i != 0; --i) co_await asio::post(executor, asio::use_awaitable);
  co_return of + 1;
}

asio::awaitable<void> push_all(pipeline<int, int>* to, int count) {
  for (int i = 0; i != count; ++i) co_await to->async_push(i);
  to->close();
}
asio::awaitable<std::vector<int>> pull_all(pipeline<int, int>* from) {
  std::vector<int> all;
  for (auto x = co_await from->async_pull(); x; x = co_await from->async_pull()) all.push_back(*x);
  co_return all;
}
std::vector<int> count_from(int first, int count) {
  std::vector<int> numbers;
  for (int i = 0; i != count; ++i) numbers.push_back(first + i);
  return numbers;
}

TEST_F(pipeline_shell, ordered_stages_keep_the_order) {
  auto p = pipeline<int>(*gate_)
               .stage({.parallel = 4}, text)
               .stage({.weight = weight::light}, number)
               .stage({.parallel = 3}, next);
  run_coroutine([](pipeline<int, int>* p) -> asio::awaitable<void> {
    auto both = push_all(p, 500) && pull_all(p);
    auto const all = co_await std::move(both);
    EXPECT_EQ(all, count_from(1, 500));
  }(&p));
  EXPECT_FALSE(join(p));
  auto const now = p.snapshot();
  EXPECT_EQ(now.pushed, 500u);
  EXPECT_EQ(now.completed, 500u);
  EXPECT_EQ(now.dropped, 0u);
  ASSERT_EQ(now.stages.size(), 3u);
  for (auto const& each : now.stages) EXPECT_EQ(each.left, 500u);
}

TEST_F(pipeline_shell, unordered_stage_conserves_items) {
  auto p = pipeline<int>(*gate_)
               .stage({.parallel = 4, .ordered = false}, text)
               .stage({.parallel = 4, .ordered = false}, number)
               .stage({.parallel = 2, .ordered = false}, next);
  run_coroutine([](pipeline<int, int>* p) -> asio::awaitable<void> {
    auto both = push_all(p, 500) && pull_all(p);
    auto all = co_await std::move(both);
    std::sort(all.begin(), all.end());
    EXPECT_EQ(all, count_from(1, 500));
  }(&p));
  EXPECT_FALSE(join(p));
}

TEST_F(pipeline_shell, sink_is_joined) {
  std::vector<int> seen;
  auto sink = [&seen](int x) { seen.push_back(x); };
  auto p = pipeline<int>(*gate_).stage({.parallel = 2}, next).stage(sink);
  static_assert(std::same_as<decltype(p), pipeline<int, void>>);
  std::jthread feeder([&] {
    for (int i = 0; i != 100; ++i)
      while (!p.try_push(int(i))) std::this_thread::yield();
    p.close();
  });
  EXPECT_FALSE(join(p));
  EXPECT_EQ(seen, count_from(1, 100));
  EXPECT_EQ(p.snapshot().completed, 100u);
}

TEST_F(pipeline_shell, items_may_be_move_only_and_without_default) {
  struct boxed {
    explicit boxed(std::unique_ptr<int> x) noexcept : of(std::move(x)) {}
    std::unique_ptr<int> of;
  };
  auto p = pipeline<std::unique_ptr<int>>(*gate_)
               .stage([](std::unique_ptr<int> x) { return boxed(std::move(x)); })
               .stage([](boxed x) -> asio::awaitable<std::unique_ptr<int>> {
                 co_return std::move(x.of);
               });
  outcome<void> pushed;
  outcome<std::optional<std::unique_ptr<int>>> pulled;
  p.async_push(std::make_unique<int>(4), test::keep(pushed));
  p.async_pull(test::keep(pulled));
  loop_.run_until([&] { return pulled.done() && pushed.done(); });
  ASSERT_TRUE(pulled.value && *pulled.value);
  EXPECT_EQ(***pulled.value, 4);
  p.close();
  EXPECT_FALSE(join(p));
}

TEST_F(pipeline_shell, who_is_not_pulled_from_takes_no_more) {
  auto p = pipeline<int>(*gate_, 2)
               .stage({.parallel = 2, .capacity = 2}, next)
               .stage({.weight = weight::light, .capacity = 1}, [](int x) { return x; });
  constexpr int room = 11;  // channels 2 + 2 + 1, windows 4 + 2
  for (int i = 0; i != room; ++i) {
    outcome<void> sent;
    p.async_push(i)(test::keep(sent));
    run_until_done(sent);
    ASSERT_FALSE(sent.error);
  }
  outcome<void> too_much;
  p.async_push(room).within(50ms)(test::keep(too_much));
  run_until_done(too_much);
  EXPECT_EQ(too_much.code(), error::timed_out);
  outcome<std::optional<int>> first;
  p.async_pull(test::keep(first));
  run_until_done(first);
  EXPECT_EQ(first.value, std::optional(1));
  outcome<void> sent;
  p.async_push(room, test::keep(sent));
  run_until_done(sent);
  EXPECT_FALSE(sent.error) << "there is room again";
  p.cancel();
  EXPECT_EQ(test::code_of(join(p)), error::cancelled);
}

TEST_F(pipeline_shell, first_error_ends_the_whole) {
  std::atomic<bool> running{false}, stopped{false};
  auto p = pipeline<int>(*gate_)
               .stage({.weight = weight::heavy, .parallel = 2},
                      [&](std::stop_token stop, int x) {
                        if (x == 0) return x;
                        running = true;
                        stopped = test::poll_until([&] { return stop.stop_requested(); });
                        return x;
                      })
               .stage(next)
               .stage([&](int) -> int {
                 EXPECT_TRUE(test::poll_until([&] { return running.load(); }));
                 throw std::runtime_error("stage");
               });
  for (int i = 0; i != 5; ++i) EXPECT_TRUE(p.try_push(int(i)));
  outcome<std::optional<int>> pulled;
  p.async_pull(test::keep(pulled));
  EXPECT_EQ(test::text_of(join(p)), "stage");
  EXPECT_EQ(test::text_of(pulled.error), "stage");
  EXPECT_TRUE(stopped);
  outcome<void> sent;
  p.async_push(7, test::keep(sent));
  run_until_done(sent);
  EXPECT_EQ(test::text_of(sent.error), "stage");
  EXPECT_EQ(p.snapshot().dropped, 5u);
}

TEST_F(pipeline_shell, cancelled_join_cancels_the_whole) {
  int cancelled = 0;
  auto p =
      pipeline<int>(*gate_).stage({.parallel = 2}, [&cancelled](int x) -> asio::awaitable<int> {
        asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
        boost::system::error_code ended;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
        if (ended == asio::error::operation_aborted) ++cancelled;
        co_return x;
      });
  for (int i = 0; i != 5; ++i) EXPECT_TRUE(p.try_push(int(i)));
  task_scope<> scope(loop_.executor());
  scope.spawn(p.async_join());
  loop_.poll();
  scope.request_cancel();
  outcome<void> joined;
  scope.async_join(test::keep(joined));
  run_until_done(joined);
  EXPECT_EQ(joined.code(), error::cancelled);
  EXPECT_EQ(cancelled, 2);
  EXPECT_EQ(p.snapshot().dropped, 5u);
}

TEST_F(pipeline_shell, dropped_one_cancels_itself) {
  outcome<void> joined;
  {
    auto p = pipeline<int>(*gate_).stage(next);
    EXPECT_TRUE(p.try_push(1));
    p.async_join(test::keep(joined));
  }
  run_until_done(joined);
  EXPECT_EQ(joined.code(), error::cancelled);
  { auto unused = pipeline<int>(*gate_).stage(next); }
}

TEST_F(pipeline_shell, used_one_takes_no_more_stages) {
  auto p = pipeline<int>(*gate_).stage(next);
  EXPECT_TRUE(p.try_push(1));
  EXPECT_THROW(static_cast<void>(std::move(p).stage(next)), std::logic_error);
  outcome<std::optional<int>> pulled;
  p.async_pull(test::keep(pulled));
  run_until_done(pulled);
  EXPECT_EQ(pulled.value, std::optional(2)) << "it goes on as it was";
  p.close();
  EXPECT_FALSE(join(p));
}

TEST_F(pipeline_shell, one_without_stages_is_refused_when_it_is_used) {
  auto p = pipeline<int>(*gate_);
  EXPECT_THROW(static_cast<void>(p.try_push(1)), std::logic_error);
  p.cancel();
  EXPECT_THROW(p.async_join(asio::detached), std::logic_error);
  EXPECT_THROW(p.async_pull(asio::detached), std::logic_error);
}

TEST_F(pipeline_shell, late_join_is_given_up_and_the_pipeline_goes_on) {
  auto p = pipeline<int>(*gate_).stage(next);
  outcome<void> late;
  p.async_join().within(0ns)(test::keep(late));
  run_until_done(late);
  EXPECT_EQ(late.code(), error::timed_out);
  EXPECT_TRUE(p.try_push(1));
  p.close();
  EXPECT_FALSE(join(p));
}

asio::awaitable<bool> lives_on(std::shared_ptr<int> const& item) {
  std::weak_ptr<int> const seen = item;
  auto const executor = co_await asio::this_coro::executor;
  co_await asio::post(executor, asio::use_awaitable);
  co_return !seen.expired();
}

/// One item goes through, and what comes out is `true`.
template <class In>
void expect_true(pipeline_shell& in, pipeline<In, bool> through, In item) {
  EXPECT_TRUE(through.try_push(std::move(item)));
  outcome<std::optional<bool>> pulled;
  through.async_pull(test::keep(pulled));
  in.run_until_done(pulled);
  EXPECT_EQ(pulled.value, std::optional(true));
  through.close();
  EXPECT_FALSE(in.join(through));
}

TEST_F(pipeline_shell, item_taken_by_reference_lives_as_long_as_its_coroutine) {
  expect_true(*this, pipeline<std::shared_ptr<int>>(*gate_).stage(lives_on),
              std::make_shared<int>(1));
}

TEST_F(pipeline_shell, coroutine_may_take_a_stop_token) {
  auto const check = [](std::stop_token stop, int x) -> asio::awaitable<bool> {
    co_return x == 1 && stop.stop_possible();
  };
  expect_true(*this, pipeline<int>(*gate_).stage(check), 1);
}

TEST(pipeline_of_a_dead_loop, goes_with_its_context) {
  worker_pool workers(test::small_pool());
  test::loop other;
  outcome<void> joined;
  auto context = std::make_unique<asio::io_context>();
  auto through = std::make_unique<gate>(context->get_executor(), workers);
  std::atomic<int> ran{0};
  {
    auto p = pipeline<int>(*through)
                 .stage({.parallel = 2}, [&ran](int x) { return ran += x; })
                 .stage(next);
    for (int i = 0; i != 5; ++i) EXPECT_TRUE(p.try_push(int(i)));
    p.async_join(asio::bind_executor(other.executor(), test::keep(joined)));
    context->poll();
    context.reset();
    EXPECT_FALSE(p.try_push(1));
  }
  other.run_out();
  EXPECT_EQ(joined.code(), error::broken_promise);
  through.reset();
}

}  // namespace
}  // namespace tokengate
