// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <string>
#include <tuple>

#include "support/gate_fixture.hpp"

// Gate, pool and io_context destroyed in every order, with a token in every state and of every
// form. What matters: everything ends, once, and nothing leaks (AddressSanitizer looks for that).

namespace tokengate::test {
namespace {

enum class state { idle, backlog, mailbox, running, return_ring, ready };
enum class form { callback, coroutine, detached, flow_variable, foreign };

constexpr std::array state_names{"idle", "backlog", "mailbox", "running", "return_ring", "ready"};
constexpr std::array form_names{"callback", "coroutine", "detached", "flow_variable", "foreign"};

struct probe {
  std::atomic<int> started{0};
  std::atomic<int> invoked{0};
  std::atomic<int> failed{0};
  std::atomic<bool> go{false};
  std::atomic<bool> stop_seen{false};
  std::atomic<bool> released{false};
};
using shared_probe = std::shared_ptr<probe>;

/// The function of the token under test.
auto body(shared_probe seen, state when) {
  return [seen = std::move(seen), when] {
    ++seen->started;
    if (when == state::running) {
      EXPECT_TRUE(stay_until_stopped());
      seen->stop_seen = true;
      EXPECT_TRUE(poll_until([&] { return seen->released.load(); }));
    } else {
      EXPECT_TRUE(poll_until([&] { return seen->go.load() || this_token::stop_requested(); }));
    }
  };
}

auto note(shared_probe seen) {
  return [seen = std::move(seen)](std::exception_ptr error) {
    ++seen->invoked;
    if (error) ++seen->failed;
  };
}

asio::awaitable<void> await_token(gate& through, shared_probe seen, state when) {
  auto function = body(seen, when);
  std::exception_ptr error;
  try {
    co_await through.async_run(function);
  } catch (...) {
    error = std::current_exception();
  }
  ++seen->invoked;
  if (error) ++seen->failed;
}

using matrix_case = std::tuple<int, state, form, bool>;

class lifetime_matrix : public testing::TestWithParam<matrix_case> {
 protected:
  state const when_ = std::get<1>(GetParam());
  form const how_ = std::get<2>(GetParam());
  bool const run_between_ = std::get<3>(GetParam());

  shared_probe seen_ = std::make_shared<probe>();
  std::jthread releaser_{[seen = seen_](std::stop_token quit) {
    while (!seen->stop_seen && !quit.stop_requested()) std::this_thread::yield();
    seen->released = true;
  }};
  asio::io_context other_;
  flow_var<void> variable_;
  std::optional<asio::io_context> loop_{std::in_place};
  std::optional<worker_pool> workers_{std::in_place, small_pool()};
  std::optional<gate> gate_;
  bool loop_went_first_ = false;

  void run_loop() {
    if (!loop_) return;
    loop_->restart();
    loop_->run_for(patience);
    EXPECT_TRUE(loop_->stopped()) << "run() has to return when nothing is out";
  }

  /// Blocks the one worker of the lane until it is asked to stop.
  void occupy(int tokens) {
    for (int i = 0; i != tokens; ++i)
      gate_->async_run([] { (void)stay_until_stopped(); }, asio::detached);
    wait_executing();
  }
  void wait_executing() {
    EXPECT_TRUE(poll_until([&] {
      return std::ranges::any_of(
          gate_->tokens(), [](auto const& token) { return token.state == token_state::executing; });
    }));
  }
  /// Until so many functions have run and their results are in the return rings: a worker counts a
  /// function before it hands its result over, but parks only after that.
  void wait_executed(std::uint64_t count) {
    EXPECT_TRUE(poll_until([&] {
      std::uint64_t executed = 0;
      bool all_parked = true;
      for (auto const& each : workers_->snapshot().workers) {
        executed += each.executed;
        all_parked = all_parked && each.state == worker_state::parked;
      }
      return executed == count && all_parked;
    }));
  }

  void issue() {
    switch (how_) {
      case form::callback:
        gate_->async_run(body(seen_, when_), note(seen_));
        break;
      case form::coroutine:
        asio::co_spawn(*loop_, await_token(*gate_, seen_, when_), asio::detached);
        loop_->poll();  // up to its first suspension
        loop_->restart();
        break;
      case form::detached:
        gate_->async_run(body(seen_, when_), asio::detached);
        break;
      case form::flow_variable:
        variable_ = gate_->spawn(body(seen_, when_));
        break;
      case form::foreign:
        gate_->async_run(body(seen_, when_),
                         asio::bind_executor(other_.get_executor(), note(seen_)));
        break;
    }
  }

  void bring_about() {
    struct thrown {};
    switch (when_) {
      case state::idle:
        seen_->go = true;
        issue();
        run_loop();
        other_.run();
        break;
      case state::backlog:
        occupy(4);
        issue();
        break;
      case state::mailbox:
        occupy(1);
        issue();
        break;
      case state::running:
        issue();
        wait_executing();
        break;
      case state::return_ring:
        issue();
        seen_->go = true;
        wait_executed(1);
        break;
      case state::ready: {
        // A handler that throws leaves the rest of its batch behind; the light lane comes first.
        issue();
        gate_->async_run(
            token_options{.weight = weight::light}, [] {},
            [](std::exception_ptr) { throw thrown(); });
        seen_->go = true;
        wait_executed(2);
        EXPECT_THROW(loop_->run_one(), thrown);
        EXPECT_EQ(seen_->invoked, 0);
        break;
      }
    }
  }

  void destroy(char what) {
    switch (what) {
      case 'g':
        if (loop_went_first_) {
          auto const books = gate_->snapshot();
          EXPECT_EQ(books.issued, books.finished + books.destroyed);
          EXPECT_EQ(books.rescued_wakeups, 0u);
        }
        gate_.reset();
        break;
      case 'p':
        workers_.reset();
        break;
      case 'l':
        loop_.reset();
        loop_went_first_ = true;
        break;
    }
  }
};

TEST_P(lifetime_matrix, everything_ends_once) {
  gate_options options;
  options.hot = hot_drain::off;
  gate_.emplace(loop_->get_executor(), *workers_, options);
  bring_about();
  int const before = seen_->invoked;

  std::string order = "glp";
  for (int i = 0; i != std::get<0>(GetParam()); ++i)
    std::next_permutation(order.begin(), order.end());
  bool handlers_run = false;
  for (char what : order) {
    destroy(what);
    if (run_between_ && loop_ && (!gate_ || !workers_)) {
      run_loop();
      handlers_run = true;
    }
  }
  other_.restart();
  other_.run_for(patience);
  EXPECT_TRUE(other_.stopped());

  if (how_ == form::flow_variable) {
    EXPECT_TRUE(variable_.ready());
    variable_ = {};
  }
  EXPECT_LE(seen_->started, 1);
  EXPECT_LE(seen_->invoked, 1);
  bool const counted = how_ != form::detached && how_ != form::flow_variable;
  if (counted) {
    EXPECT_EQ(seen_->invoked, handlers_run ? 1 : before);
  }
  if (when_ == state::backlog || when_ == state::mailbox) {
    EXPECT_EQ(seen_->started, 0);
  }
  releaser_.request_stop();
  releaser_.join();
  EXPECT_EQ(seen_.use_count(), 1) << "function and handler are gone";
}

INSTANTIATE_TEST_SUITE_P(
    all, lifetime_matrix,
    testing::Combine(testing::Range(0, 6),
                     testing::Values(state::idle, state::backlog, state::mailbox, state::running,
                                     state::return_ring, state::ready),
                     testing::Values(form::callback, form::coroutine, form::detached,
                                     form::flow_variable, form::foreign),
                     testing::Bool()),
    [](auto const& info) {
      std::string order = "glp";
      for (int i = 0; i != std::get<0>(info.param); ++i)
        std::next_permutation(order.begin(), order.end());
      return order + "_" + state_names[static_cast<int>(std::get<1>(info.param))] + "_" +
             form_names[static_cast<int>(std::get<2>(info.param))] +
             (std::get<3>(info.param) ? "_loop_runs" : "_loop_rests");
    });

}  // namespace
}  // namespace tokengate::test
