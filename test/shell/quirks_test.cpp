// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <functional>
#include <string>
#include <tokengate/tokengate.hpp>

// The forms that the README tells users of g++ 12 to write must work on every compiler. The forms
// that it warns of are not run: what they do is undefined by a defect of the compiler.

namespace tokengate {
namespace {

using namespace std::chrono_literals;

/// Long enough to live on the heap, so that a second destruction is noticed.
std::string text() {
  return std::string(200, 'x');
}
std::size_t length(std::string const& of) {
  return of.size();
}

struct quirks : testing::Test {
  asio::io_context loop{1};
  worker_pool workers;
  gate through{loop.get_executor(), workers};
  std::size_t seen = 0;

  void run(asio::awaitable<void> body) {
    asio::co_spawn(loop, std::move(body), [](std::exception_ptr failed) {
      if (failed) std::rethrow_exception(failed);
    });
    loop.run();
  }
};

// No local variables but the named result, see the first row of the table in the README.
asio::awaitable<void> named_condition(gate& through, std::size_t& seen) {
  bool const yes = co_await through.async_run([] { return true; });
  if (yes) seen = 1;
}
TEST_F(quirks, named_condition_takes_the_branch) {
  run(named_condition(through, seen));
  EXPECT_EQ(seen, 1u);
}

asio::awaitable<void> named_closure(gate& through, std::size_t& seen) {
  auto job = [kept = text()] { return kept.size(); };
  seen = co_await through.async_run(std::move(job));
}
TEST_F(quirks, named_closure_is_destroyed_once) {
  run(named_closure(through, seen));
  EXPECT_EQ(seen, 200u);
}

asio::awaitable<void> bound_function(gate& through, std::size_t& seen) {
  seen = co_await through.async_run(std::bind_front(&length, text()));
}
TEST_F(quirks, bound_function_is_destroyed_once) {
  run(bound_function(through, seen));
  EXPECT_EQ(seen, 200u);
}

asio::awaitable<void> plain_arguments(gate& through, std::size_t& seen) {
  auto const measure = guard(through, {.operation = "measure"}, &length);
  seen = co_await measure(text());
  seen += co_await measure(text()).within(1min).keyed("one");
}
TEST_F(quirks, arguments_of_a_guarded_call_are_destroyed_once) {
  run(plain_arguments(through, seen));
  EXPECT_EQ(seen, 400u);
}

asio::awaitable<void> options_in_place(gate& through, std::size_t& seen) {
  seen = co_await through.async_run({.operation = "here", .deadline = 1min}, [] { return 5u; });
}
TEST_F(quirks, options_may_be_built_inside_the_expression) {
  run(options_in_place(through, seen));
  EXPECT_EQ(seen, 5u);
}

asio::awaitable<void> caught(gate& through, std::size_t& seen) {
  auto failing = [kept = text()]() -> int { throw std::runtime_error(kept); };
  try {
    co_await through.async_run(std::move(failing));
  } catch (std::runtime_error const& e) {
    seen = std::string(e.what()).size();
  }
}
TEST_F(quirks, exception_is_caught_where_it_is_awaited) {
  run(caught(through, seen));
  EXPECT_EQ(seen, 200u);
}

#if defined(TOKENGATE_FAULT_POINTS)
constexpr int many = 4'000;  // a sanitizer build: frames are larger, and looked for slowly
#else
constexpr int many = 20'000;
#endif
asio::awaitable<void> many_in_a_row(gate& through, std::size_t& seen) {
  for (int i = 0; i != many; ++i) seen += co_await through.async_run([] { return 1u; });
}
TEST_F(quirks, stack_stays_flat_over_many_awaits) {
  run(many_in_a_row(through, seen));
  EXPECT_EQ(seen, static_cast<std::size_t>(many));
}

}  // namespace
}  // namespace tokengate
