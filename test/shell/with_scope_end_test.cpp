// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// The io_context is destroyed while the body of with_scope() and its children are suspended: what
// the caller owns, and what it has passed, outlives them there too.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <memory>
#include <optional>
#include <string>

#include "support/outcome.hpp"
#include "tokengate/async_event.hpp"
#include "tokengate/with_scope.hpp"

namespace tokengate {
namespace {

using namespace std::chrono_literals;

/// Where a coroutine is when the context goes.
enum class place { timer, event, over };

struct books {
  explicit books(asio::io_context& context) : never(context) {}
  int owned = 0;    ///< things of the caller that are there
  int in_time = 0;  ///< destructors that found all of them
  int late = 0;     ///< those that did not
  async_event never;
};

/// A thing of the caller.
struct possession {
  explicit possession(books& of) : in(&of) { ++in->owned; }
  possession(possession const&) = delete;
  possession& operator=(possession const&) = delete;
  ~possession() { --in->owned; }
  books* in;
  std::string text = "a text that is too long for a string to keep within itself";
};

/// A local of a child or of the body, which refers to such things until its own end.
struct user_of_both {
  user_of_both(books& of, possession const& a, possession const& b) : in(&of), first(a), other(b) {}
  user_of_both(user_of_both const&) = delete;
  user_of_both& operator=(user_of_both const&) = delete;
  // Not looked at if they have gone: that would be for the sanitizer alone.
  ~user_of_both() { ++(in->owned == 2 && first.text == other.text ? in->in_time : in->late); }
  books* in;
  possession const& first;
  possession const& other;
};

asio::awaitable<void> stay_at(place where, books* of) {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
  if (where == place::timer) co_await timer.async_wait(asio::use_awaitable);
  if (where == place::event) co_await of->never.async_wait(asio::use_awaitable);
}

struct plan {
  place child;
  place body;
  bool timers_go_first;
  bool on_strand;
  bool functions;  ///< children are functions that own what refers to the caller
  scope_options options;
};

asio::awaitable<void> child_of(plan const* by, books* of, possession const* a,
                               possession const* b) {
  user_of_both local(*of, *a, *b);
  co_await stay_at(by->child, of);
}

void spawn_two(task_scope<>& scope, plan const* by, books* of, possession const* a,
               possession const* b) {
  for (int i = 0; i != 2; ++i)
    if (by->functions)
      scope.spawn([mine = std::make_unique<user_of_both>(*of, *a, *b), where = by->child] {
        return stay_at(where, mine->in);
      });
    else
      scope.spawn(child_of(by, of, a, b));
}

asio::awaitable<void> body_of(task_scope<>& scope, plan const*& by, books*& of, possession*& a,
                              std::unique_ptr<possession>& b) {
  user_of_both local(*of, *a, *b);
  spawn_two(scope, by, of, a, b.get());
  co_await stay_at(by->body, of);
  if (by->body != place::over) ADD_FAILURE() << "nothing ends the wait";
  spawn_two(scope, by, of, a, b.get());
}

asio::awaitable<void> caller_of(plan const* by, books* of) {
  possession local(*of);
  auto passed = std::make_unique<possession>(*of);
  co_await with_scope(by->options, body_of, by, of, &local, std::move(passed));
}

void destroy_while_all_wait(plan const& by, int threads) {
  std::optional<asio::io_context> context(std::in_place, threads);
  books counts(*context);
  // What is made last goes first.
  if (by.timers_go_first) counts.never.async_wait(asio::detached);
  asio::any_io_executor executor = context->get_executor();
  if (by.on_strand) executor = asio::make_strand(executor);
  asio::co_spawn(executor, caller_of(&by, &counts), asio::detached);
  executor = {};
  context->poll();
  int const ended = counts.in_time;
  int const spawned = by.body == place::over ? 4 : 2;
  // A function owns its things from the start, a coroutine from when it runs.
  int const begun = by.options.max_concurrency == 1 && !by.functions ? 1 : spawned;
  EXPECT_EQ(counts.owned, 2);
  context.reset();
  EXPECT_EQ(counts.late, 0);
  EXPECT_EQ(counts.in_time - ended, by.body == place::over ? begun : begun + 1);
  EXPECT_EQ(counts.owned, 0) << "and they are not kept";
}

class with_scope_end : public testing::TestWithParam<std::tuple<place, place, bool, int>> {};

TEST_P(with_scope_end, by_a_context_that_goes_leaves_the_caller_for_last) {
  auto const [child, body, timers_go_first, threads] = GetParam();
  for (auto on_error : {on_child_error::cancel_rest, on_child_error::collect})
    for (std::size_t at_once : {std::size_t{1}, std::size_t{100}}) {
      for (int kind = 0; kind != 4; ++kind) {
        plan by{child, body, timers_go_first, kind % 2 != 0, kind / 2 != 0, {}};
        by.options.on_error = on_error;
        by.options.max_concurrency = at_once;
        SCOPED_TRACE(kind);
        destroy_while_all_wait(by, threads);
      }
    }
}

INSTANTIATE_TEST_SUITE_P(places, with_scope_end,
                         testing::Combine(testing::Values(place::timer, place::event),
                                          testing::Values(place::timer, place::event, place::over),
                                          testing::Bool(), testing::Values(1, 2)));

asio::awaitable<void> wait_that_cannot_begin(std::string* thrown) {
  auto host = std::make_shared<detail::scope_host>();
  auto start = [](detail::host_resumer const&) { throw std::runtime_error("no memory"); };
  auto waiting = detail::wait_hosted(host, start);
  auto outcome = co_await std::move(waiting);
  EXPECT_TRUE(std::get<0>(outcome));
  *thrown = test::text_of(std::get<1>(outcome));
}

TEST(scope_host, wait_that_cannot_begin_goes_on_with_what_it_threw) {
  asio::io_context context(1);
  std::string thrown;
  asio::co_spawn(context, wait_that_cannot_begin(&thrown), asio::detached);
  context.run();
  EXPECT_EQ(thrown, "no memory");
}

}  // namespace
}  // namespace tokengate
