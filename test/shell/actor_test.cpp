// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/actor.hpp"

#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "support/gate_fixture.hpp"
#include "support/quiet_log.hpp"
#include "tokengate/task_scope.hpp"

namespace tokengate {
namespace {

using test::outcome;
using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;

/// A state that counts its lives.
struct counter {
  explicit counter(int* births = nullptr, int start = 0) : value(start) {
    if (births != nullptr) ++*births;
  }
  counter(counter const&) = delete;
  counter& operator=(counter const&) = delete;

  void add(int amount) { value += amount; }
  [[nodiscard]] int get() const { return value; }
  [[nodiscard]] std::unique_ptr<int> copy() const { return std::make_unique<int>(value); }
  int value;
};

int fail(counter&) {
  throw std::runtime_error("handler");
}

asio::awaitable<int> slow_add(counter& to, int amount) {
  int const before = to.value;
  auto const executor = co_await asio::this_coro::executor;
  for (int i = 0; i != 3; ++i) co_await asio::post(executor, asio::use_awaitable);
  to.value = before + amount;
  co_return to.value;
}
asio::awaitable<void> wait_for_ever(counter&) {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
  co_await timer.async_wait(asio::use_awaitable);
}

class actor_shell : public test::gate_fixture {
 public:
  void TearDown() override {
    quiet.reset();
    gate_fixture::TearDown();
  }
  /// The actor's end, and its books.
  template <class State>
  std::exception_ptr end(actor<State>& of) {
    of.close();
    outcome<void> joined;
    of.async_join(test::keep(joined));
    run_until_done(joined);
    auto const now = of.snapshot();
    EXPECT_TRUE(now.ended);
    EXPECT_EQ(now.accepted, now.handled + now.dropped + now.withdrawn);
    return joined.error;
  }
  std::optional<test::quiet_log> quiet{std::in_place};
};

TEST_F(actor_shell, messages_are_handled_in_order_on_a_lane) {
  actor<std::vector<int>> log(*gate_);
  for (int i = 0; i != 200; ++i)
    EXPECT_TRUE(log.tell([i](std::vector<int>& to) { to.push_back(i); }));
  outcome<std::vector<int>> all;
  log.ask([](std::vector<int>& from) { return from; })(test::keep(all));
  EXPECT_FALSE(all.done());
  run_until_done(all);
  ASSERT_EQ(all.value->size(), 200u);
  EXPECT_TRUE(std::is_sorted(all.value->begin(), all.value->end()));
  EXPECT_EQ(log.snapshot().handled, 201u);
  EXPECT_FALSE(end(log));
  EXPECT_LT(gate_->snapshot().issued, 50u) << "a token carries many messages";
}

TEST_F(actor_shell, state_lives_on_the_worker_or_on_the_loop) {
  struct home {
    std::thread::id built = std::this_thread::get_id();
  };
  auto where = [](home& state) { return std::pair(state.built, std::this_thread::get_id()); };
  actor<home> remote(*gate_), local(loop_.executor());
  outcome<std::pair<std::thread::id, std::thread::id>> there, here;
  remote.ask(where)(test::keep(there));
  local.ask(where)(test::keep(here));
  loop_.run_until([&] { return there.done() && here.done(); });
  EXPECT_EQ(there.value->first, there.value->second);
  EXPECT_NE(there.value->first, std::this_thread::get_id());
  EXPECT_EQ(here.value->first, std::this_thread::get_id());
  EXPECT_EQ(here.value->second, std::this_thread::get_id());
}

TEST_F(actor_shell, ask_gives_answers_and_exceptions) {
  actor<counter> on_lane(*gate_, {}, nullptr, 5), on_loop(loop_.executor(), {}, nullptr, 5);
  run_coroutine([](actor<counter>* each) -> asio::awaitable<void> {
    co_await each->ask(&counter::add, 2);
    int const value = co_await each->ask(&counter::get);
    EXPECT_EQ(value, 7);
    auto pointer = co_await each->ask(&counter::copy);
    EXPECT_EQ(*pointer, 7);
    std::string text;
    try {
      co_await each->ask(fail);
    } catch (std::runtime_error const& caught) {
      text = caught.what();
    }
    EXPECT_EQ(text, "handler");
    int const after = co_await each->ask(&counter::get);
    EXPECT_EQ(after, 7) << "what an ask throws is its answer";
  }(&on_lane));
  outcome<int> got;
  on_loop.ask (&counter::get)(test::keep(got));
  run_until_done(got);
  EXPECT_EQ(got.value, 5);
  EXPECT_EQ(on_lane.snapshot().restarts, 0u);
}

TEST_F(actor_shell, coroutine_handlers_run_one_at_a_time) {
  actor<counter> adder(loop_.executor());
  for (int i = 0; i != 10; ++i) adder.tell(slow_add, 1);
  outcome<int> sum;
  adder.ask(slow_add, 5)(test::keep(sum));
  run_until_done(sum);
  EXPECT_EQ(sum.value, 15) << "none was started while another was suspended";
  EXPECT_FALSE(end(adder));
}

TEST_F(actor_shell, coroutine_on_a_lane_is_refused) {
  actor<counter> adder(*gate_);
  EXPECT_THROW(adder.tell(slow_add, 1), std::logic_error);
}

TEST_F(actor_shell, full_mailbox_refuses_lets_wait_or_drops) {
  block(weight::light);
  for (auto policy : {full_mailbox::wait, full_mailbox::reject, full_mailbox::drop_oldest}) {
    actor_options options;
    options.mailbox = 2;
    options.when_full = policy;
    std::vector<int> told;
    auto note = [&told](counter&, int value) { told.push_back(value); };
    actor<counter> small(*gate_, options);
    EXPECT_TRUE(small.tell(note, 1));
    EXPECT_TRUE(small.tell(note, 2));
    EXPECT_EQ(small.tell(note, 3), policy == full_mailbox::drop_oldest);
    outcome<void> waited;
    small.async_tell(note, 4)(test::keep(waited));
    loop_.poll();
    EXPECT_EQ(waited.done(), policy != full_mailbox::wait);
    busy_.release();
    EXPECT_FALSE(end(small));
    run_until_done(waited);
    EXPECT_EQ(waited.code(),
              policy == full_mailbox::reject ? error::backlog_full : boost::system::error_code());
    auto const expected = policy == full_mailbox::wait     ? std::vector{1, 2, 4}
                          : policy == full_mailbox::reject ? std::vector{1, 2}
                                                           : std::vector{3, 4};
    EXPECT_EQ(told, expected);
    if (policy == full_mailbox::wait) break;  // the lane is free from here on
  }
}

TEST_F(actor_shell, failing_tell_restarts_with_a_new_state_and_keeps_the_mailbox) {
  int births = 0;
  actor<counter> restarted(*gate_, {}, &births, 10);
  restarted.tell(&counter::add, 5);
  restarted.tell(fail);
  restarted.tell(&counter::add, 1);
  outcome<int> value;
  restarted.ask (&counter::get)(test::keep(value));
  run_until_done(value);
  EXPECT_EQ(value.value, 11);
  EXPECT_EQ(births, 2);
  EXPECT_EQ(restarted.snapshot().restarts, 1u);
  EXPECT_FALSE(end(restarted));
  EXPECT_NE(quiet->text().find("handler"), std::string::npos) << "it is in the log";
}

TEST_F(actor_shell, too_many_restarts_escalate_to_the_supervising_scope) {
  actor_options options;
  options.max_restarts = 2;
  actor<counter> failing(*gate_, options);
  task_scope<> supervisor(loop_.executor());
  supervisor.spawn(failing.async_join());
  for (int i = 0; i != 4; ++i) failing.tell(fail);
  outcome<void> joined;
  supervisor.async_join(test::keep(joined));
  run_until_done(joined);
  EXPECT_EQ(test::text_of(joined.error), "handler");
  EXPECT_EQ(failing.snapshot().handled, 3u);
  EXPECT_EQ(failing.snapshot().dropped, 1u);
  EXPECT_FALSE(failing.tell(fail));
}

TEST_F(actor_shell, policies_resume_and_stop) {
  actor<counter> resumed(*gate_, {.on_failure = on_actor_failure::resume}, nullptr, 1);
  resumed.tell(&counter::add, 1);
  resumed.tell(fail);
  outcome<int> value;
  resumed.ask (&counter::get)(test::keep(value));
  run_until_done(value);
  EXPECT_EQ(value.value, 2);

  actor<counter> stopped(*gate_, {.on_failure = on_actor_failure::stop});
  stopped.tell(fail);
  outcome<void> joined;
  outcome<int> late;
  stopped.ask (&counter::get)(test::keep(late));
  stopped.async_join(test::keep(joined));
  loop_.run_until([&] { return joined.done() && late.done(); });
  EXPECT_FALSE(joined.error);
  EXPECT_TRUE(late.code() == error::stopped || late.code() == error::closed);
}

TEST_F(actor_shell, state_that_cannot_be_built_escalates) {
  int tries = 0;
  auto factory = [&tries]() -> counter {
    ++tries;
    throw std::runtime_error("no state");
  };
  actor<counter> never(*gate_, {.max_restarts = 3}, factory);
  outcome<int> asked;
  outcome<void> joined;
  never.ask (&counter::get)(test::keep(asked));
  never.async_join(test::keep(joined));
  loop_.run_until([&] { return joined.done() && asked.done(); });
  EXPECT_EQ(tries, 4);
  EXPECT_EQ(test::text_of(joined.error), "no state");
  EXPECT_EQ(asked.code(), error::stopped);
}

TEST_F(actor_shell, stop_drops_what_is_queued_and_counts_it) {
  block(weight::light);
  actor<counter> stopped(*gate_);
  int ran = 0;
  for (int i = 0; i != 3; ++i) stopped.tell([&ran](counter&) { ++ran; });
  outcome<int> asked;
  stopped.ask (&counter::get)(test::keep(asked));
  stopped.stop();
  run_until_done(asked);
  EXPECT_EQ(asked.code(), error::stopped);
  busy_.release();
  EXPECT_FALSE(end(stopped));
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(stopped.snapshot().dropped, 4u);
}

TEST_F(actor_shell, stop_cancels_a_coroutine_handler) {
  actor<counter> waiting(loop_.executor());
  outcome<void> asked;
  waiting.ask(wait_for_ever)(test::keep(asked));
  loop_.poll();
  EXPECT_TRUE(waiting.snapshot().running);
  waiting.stop();
  run_until_done(asked);
  EXPECT_EQ(asked.code(), asio::error::operation_aborted);
  EXPECT_FALSE(end(waiting));
}

/// Stays until it is asked to stop.
int work_until_stopped(counter& state, std::stop_token const& stop, test::blocker* entered,
                       int amount) {
  entered->stay();
  while (!stop.stop_requested()) std::this_thread::yield();
  return state.value += amount;
}

TEST_F(actor_shell, stop_asks_a_running_handler_that_takes_a_stop_token) {
  test::blocker entered;
  entered.release();
  actor<counter> busy(*gate_);
  outcome<int> asked;
  busy.ask(work_until_stopped, &entered, 3)(test::keep(asked));
  entered.wait_entered();
  busy.stop();
  run_until_done(asked);
  EXPECT_EQ(asked.value, 3);
  EXPECT_FALSE(end(busy));
}

TEST_F(actor_shell, ask_given_up_asks_its_handler_to_stop) {
  test::blocker entered;
  entered.release();
  actor<counter> busy(*gate_);
  outcome<int> late;
  busy.ask(work_until_stopped, &entered, 5).within(20ms)(test::keep(late));
  run_until_done(late);
  EXPECT_EQ(late.code(), error::timed_out);
  outcome<int> value;
  busy.ask (&counter::get)(test::keep(value));
  run_until_done(value);
  EXPECT_TRUE(value.value == 5 || entered.entered() == 0);  // 0: the limit passed before its turn
}

asio::awaitable<bool> yield_until_stopped(counter&, std::stop_token const& stop, int times) {
  auto const executor = co_await asio::this_coro::executor;
  for (int i = 0; i != times && !stop.stop_requested(); ++i)
    co_await asio::post(executor, asio::use_awaitable);
  co_return stop.stop_requested();
}

TEST_F(actor_shell, coroutine_may_take_its_stop_token_by_reference) {
  actor<counter> patient(loop_.executor());
  outcome<bool> whole;
  patient.ask(yield_until_stopped, 3)(test::keep(whole));
  run_until_done(whole);
  EXPECT_EQ(whole.value, false);
}

TEST_F(actor_shell, nobody_asks_a_handler_to_stop_that_is_waited_for) {
  actor<counter> calm(*gate_);
  outcome<bool> asked;
  calm.ask([](counter&, std::stop_token const& stop) { return stop.stop_requested(); })(
      test::keep(asked));
  run_until_done(asked);
  EXPECT_EQ(asked.value, false);
}

TEST_F(actor_shell, cancelled_or_late_ask_is_withdrawn) {
  block(weight::light);
  actor<counter> busy(*gate_);
  bool ran = false;
  auto note = [&ran](counter&) { ran = true; };
  outcome<void> late, cancelled;
  busy.ask(note).within(1ms)(test::keep(late));
  asio::cancellation_signal signal;
  busy.ask(note)(asio::bind_cancellation_slot(signal.slot(), test::keep(cancelled)));
  signal.emit(asio::cancellation_type::total);
  loop_.run_until([&] { return late.done() && cancelled.done(); });
  EXPECT_EQ(late.code(), error::timed_out);
  EXPECT_EQ(cancelled.code(), error::cancelled);
  busy_.release();
  EXPECT_FALSE(end(busy));
  EXPECT_FALSE(ran);
  EXPECT_EQ(busy.snapshot().withdrawn, 2u);
}

TEST_F(actor_shell, ask_given_up_while_it_runs_drops_its_answer) {
  test::blocker inside;
  actor<counter> busy(*gate_);
  asio::cancellation_signal signal;
  outcome<void> cancelled;
  busy.ask([&inside](counter& state) {
    inside.stay();
    state.value = 3;
  })(asio::bind_cancellation_slot(signal.slot(), test::keep(cancelled)));
  inside.wait_entered();
  signal.emit(asio::cancellation_type::terminal);
  run_until_done(cancelled);
  EXPECT_EQ(cancelled.code(), error::cancelled);
  inside.release();
  outcome<int> value;
  busy.ask (&counter::get)(test::keep(value));
  run_until_done(value);
  EXPECT_EQ(value.value, 3);
}

TEST_F(actor_shell, works_with_operators_and_completion_tokens) {
  actor<counter> one(*gate_, {}, nullptr, 1), two(loop_.executor(), {}, nullptr, 2);
  auto future = one.ask(&counter::get)(asio::use_future);
  one.ask (&counter::get)(asio::detached);
  loop_.run_out();
  EXPECT_EQ(future.get(), 1);
  run_coroutine([](actor<counter>* a, actor<counter>* b) -> asio::awaitable<void> {
    auto both =
        a->ask(&counter::get)(asio::use_awaitable) && b->ask(&counter::get)(asio::use_awaitable);
    auto const [x, y] = co_await std::move(both);
    EXPECT_EQ(x + y, 3);
    auto question = b->ask(&counter::get);
    auto [error, value] = co_await std::move(question)(asio::as_tuple(asio::use_awaitable));
    EXPECT_FALSE(error);
    EXPECT_EQ(value, 2);
  }(&one, &two));
}

TEST_F(actor_shell, closed_gate_ends_the_actor) {
  actor<counter> orphan(*gate_);
  gate_->close();
  outcome<int> asked;
  outcome<void> joined;
  orphan.ask (&counter::get)(test::keep(asked));
  orphan.async_join(test::keep(joined));
  loop_.run_until([&] { return asked.done() && joined.done(); });
  EXPECT_EQ(asked.code(), error::stopped);
  EXPECT_EQ(joined.code(), error::closed);
}

#if defined(TOKENGATE_FAULT_POINTS)

/// Calls something once, when the thread that made this comes to a fault point.
class at_point {
 public:
  at_point(std::string_view point, std::function<void()> call)
      : point_(point), call_(std::move(call)) {
    current = this;
    detail::at_fault_points.store(
        [](char const* point) noexcept {
          if (current != nullptr && point == current->point_)
            if (auto const call = std::exchange(current->call_, nullptr)) call();
        },
        std::memory_order_release);
  }
  at_point(at_point const&) = delete;
  at_point& operator=(at_point const&) = delete;
  ~at_point() {
    detail::at_fault_points.store(nullptr, std::memory_order_release);
    current = nullptr;
  }

 private:
  static inline thread_local at_point* current = nullptr;  // others pass by
  std::string_view const point_;
  std::function<void()> call_;
};

TEST_F(actor_shell, message_that_comes_while_there_is_no_state_gets_a_new_one) {
  int births = 0, seen = 0;
  actor<counter> restarted(loop_.executor(), {}, &births, 10);
  std::optional<at_point> late;
  auto read = [&](counter& state) { seen = state.value; };
  restarted.tell([&](counter& state) {
    state.value = -1;
    // The next look for a state is the one after the restart.
    late.emplace("actor state looked for", [&] { EXPECT_TRUE(restarted.tell(read)); });
    throw std::runtime_error("handler");
  });
  loop_.poll();
  EXPECT_EQ(seen, 10);
  EXPECT_EQ(births, 2);
  EXPECT_EQ(restarted.snapshot().handled, 2u);
  EXPECT_FALSE(end(restarted));
}

/// An actor whose turns are run by the test.
class turned_actor final : public detail::actor_state<counter> {
 public:
  explicit turned_actor(asio::any_io_executor const& on)
      : actor_state(on, {}, [](std::optional<counter>& to) { to.emplace(); }) {}
  [[nodiscard]] bool has_coroutines() const noexcept override { return false; }
  template <class F>
  void say(F function) {
    using message = detail::bound_message<counter, false, F>;
    EXPECT_TRUE(tell(std::make_unique<message>(std::move(function))));
  }

 private:
  void start_turn() noexcept override {}
};

TEST_F(actor_shell, turn_on_its_way_out_does_not_hide_the_next_one) {
  auto const turned = std::make_shared<turned_actor>(loop_.executor());
  test::blocker inside;
  std::jthread next;
  {
    at_point const handed_over("actor turn handed over", [&] {
      turned->say([&](counter&) { inside.stay(); });
      next = std::jthread([turned] { EXPECT_FALSE(turned->run_turn()); });
      inside.wait_entered();
    });
    turned->say([](counter&) {});
    EXPECT_FALSE(turned->run_turn());
  }
  turned->turn_lost(make_exception(error::closed));
  EXPECT_FALSE(turned->snapshot().ended) << "a handler uses the state";
  inside.release();
  next.join();
  EXPECT_TRUE(turned->snapshot().ended);
}

#endif

TEST(actor_of_a_dead_loop, goes_with_its_context) {
  test::quiet_log quiet;
  test::blocker inside;
  worker_pool workers(test::small_pool());
  auto context = std::make_unique<asio::io_context>();
  auto through = std::make_unique<gate>(context->get_executor(), workers);
  actor<counter> lane(*through), coroutine(context->get_executor());
  actor<counter> idle(context->get_executor()), unused(context->get_executor());
  idle.tell(&counter::add, 1);
  bool called = false;
  lane.tell([&inside](counter& state) {
    inside.stay();
    state.value = 1;
  });
  lane.ask (&counter::get)([&](std::exception_ptr, int) { called = true; });
  coroutine.ask(wait_for_ever)([&](std::exception_ptr) { called = true; });
  coroutine.tell(&counter::add, 1);
  context->poll();
  inside.wait_entered();
  std::jthread release([&] { inside.release(); });
  context.reset();
  through.reset();
  EXPECT_TRUE(test::poll_until([&] { return lane.snapshot().ended; }));
  EXPECT_TRUE(coroutine.snapshot().ended);
  EXPECT_FALSE(called);
  EXPECT_EQ(idle.snapshot().handled, 1u);
  idle.tell(&counter::add, 1);
  EXPECT_TRUE(idle.snapshot().ended) << "there is no loop to handle it on";
  EXPECT_FALSE(lane.tell(&counter::add, 1));
}

}  // namespace
}  // namespace tokengate
