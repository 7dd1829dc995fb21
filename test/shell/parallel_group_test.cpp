// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <thread>
#include <vector>

#include "support/gate_fixture.hpp"
#include "tokengate/actor.hpp"
#include "tokengate/async_semaphore.hpp"
#include "tokengate/channel.hpp"
#include "tokengate/pipeline.hpp"
#include "tokengate/task_scope.hpp"

// Operations of this library in Asio's group of as many as there are at run time. They are given as
// they are: Boost 1.81 knows no executor of what `deferred` makes, and takes the system's. (For a
// fixed number see completion_token_test.cpp and every_completion_token_*.)

namespace tokengate::test {
namespace {

using asio::experimental::make_parallel_group;
using failures = std::vector<std::exception_ptr>;
using sequence = std::vector<std::size_t>;

class ranged_group : public gate_fixture {
 public:
  static constexpr std::size_t many = 20;
  void run_until_called() {
    loop_.run_until([&] { return called_; });
    EXPECT_EQ(on_, std::this_thread::get_id());
  }
  /// All complete without an error, and on the loop.
  template <class Operation>
  void expect_all_here(std::vector<Operation> all) {
    auto const count = all.size();
    make_parallel_group(std::move(all))
        .async_wait(asio::experimental::wait_for_all(),
                    [this, count](sequence const&, failures const& failed, auto const&...) {
                      EXPECT_EQ(failed.size(), count);
                      for (auto const& each : failed) EXPECT_EQ(text_of(each), "");
                      called();
                    });
    run_until_called();
    called_ = false;
  }
  void called() {
    called_ = true;
    on_ = std::this_thread::get_id();
  }

  bool called_ = false;
  std::thread::id on_{};
};

TEST_F(ranged_group, waits_for_all_tokens) {
  auto const square = guard(
      *gate_, +[](int x) {
        if (x == 3) throw std::runtime_error("three");
        return x * x;
      });
  std::vector<decltype(square(0))> all;
  for (int i = 0; i != many; ++i) all.push_back(square(i));
  make_parallel_group(std::move(all))
      .async_wait(asio::experimental::wait_for_all(),
                  [&](sequence order, failures failed, std::vector<int> got) {
                    std::sort(order.begin(), order.end());
                    for (std::size_t i = 0; i != many; ++i) {
                      EXPECT_EQ(order[i], i);
                      EXPECT_EQ(text_of(failed[i]), i == 3 ? "three" : "");
                      if (i != 3) {
                        EXPECT_EQ(got[i], static_cast<int>(i * i));
                      }
                    }
                    called();
                  });
  run_until_called();
}

TEST_F(ranged_group, race_of_receives_takes_one_item) {
  channel<int> items(loop_.executor(), many);
  std::vector<decltype(items.async_receive())> all;
  for (std::size_t i = 0; i != many; ++i) all.push_back(items.async_receive());
  make_parallel_group(std::move(all))
      .async_wait(asio::experimental::wait_for_one(),
                  [&](sequence order, failures failed, std::vector<int> got) {
                    EXPECT_EQ(got.at(order[0]), 1);
                    for (std::size_t i = 0; i != many; ++i) {
                      if (i != order[0]) {
                        EXPECT_EQ(code_of(failed[i]), error::cancelled);
                      }
                    }
                    called();
                  });
  loop_.poll();
  EXPECT_FALSE(called_);
  for (int i = 1; i != 4; ++i) EXPECT_TRUE(items.try_send(int(i)));
  run_until_called();
  EXPECT_EQ(items.try_receive(), 2);
  EXPECT_EQ(items.try_receive(), 3);
}

TEST_F(ranged_group, hands_on_what_can_only_be_moved) {
  async_semaphore slots(loop_.context, many);
  std::vector<decltype(slots.async_acquire())> all;
  for (std::size_t i = 0; i != many; ++i) all.push_back(slots.async_acquire());
  std::vector<async_semaphore::permit> held;
  make_parallel_group(std::move(all))
      .async_wait(asio::experimental::wait_for_all(),
                  [&](sequence const&, failures const&, std::vector<async_semaphore::permit> got) {
                    held = std::move(got);
                    called();
                  });
  run_until_called();
  EXPECT_EQ(slots.available(), 0u);
  held.clear();
  EXPECT_EQ(slots.available(), many);
}

TEST_F(ranged_group, takes_asks_variables_items_and_joins) {
  actor<int> number(*gate_);
  auto const ask = [&] { return number.ask([](int& value) { return ++value; }); };
  std::vector<decltype(ask())> asks;
  for (std::size_t i = 0; i != many; ++i) asks.push_back(ask());
  expect_all_here(std::move(asks));

  std::vector<flow_var<int>> variables;
  for (std::size_t i = 0; i != many; ++i) variables.push_back(gate_->spawn([] { return 1; }));
  expect_all_here(std::move(variables));

  auto line = pipeline<int>(*gate_).stage([](int) {});
  std::vector<decltype(line.async_push(1))> pushes;
  for (std::size_t i = 0; i != many; ++i) pushes.push_back(line.async_push(1));
  expect_all_here(std::move(pushes));
  line.close();

  task_scope<> scope(loop_.context);
  scope.spawn(gate_->async_run([] {}));
  std::vector<decltype(scope.async_join())> joins;
  joins.push_back(scope.async_join());
  expect_all_here(std::move(joins));
}

TEST_F(ranged_group, given_up_as_a_whole_takes_nothing) {
  channel<int> items(loop_.executor(), 1);
  std::vector<decltype(items.async_receive())> all;
  for (std::size_t i = 0; i != many; ++i) all.push_back(items.async_receive());
  asio::cancellation_signal signal;
  make_parallel_group(std::move(all))
      .async_wait(
          asio::experimental::wait_for_all(),
          asio::bind_cancellation_slot(
              signal.slot(), [&](sequence const&, failures const& failed, std::vector<int> const&) {
                for (auto const& each : failed) EXPECT_EQ(code_of(each), error::cancelled);
                called();
              }));
  loop_.poll();
  EXPECT_FALSE(called_);
  signal.emit(asio::cancellation_type::terminal);
  run_until_called();
  EXPECT_TRUE(items.try_send(1));
  EXPECT_EQ(items.try_receive(), 1);
}

asio::awaitable<void> await_group(ranged_group* self, channel<int>* items) {
  std::vector<decltype(items->async_send(0))> all;
  for (int i = 0; i != ranged_group::many; ++i) all.push_back(items->async_send(int(i)));
  auto group = make_parallel_group(std::move(all));
  auto [order, failed] =
      co_await group.async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
  EXPECT_EQ(order.size(), ranged_group::many);
  for (auto const& each : failed) EXPECT_FALSE(each);
  self->called();
}

TEST_F(ranged_group, can_be_awaited) {
  channel<int> items(loop_.executor(), many);
  run_coroutine(await_group(this, &items));
  EXPECT_TRUE(called_);
  for (int i = 0; i != many; ++i) EXPECT_EQ(items.try_receive(), i);
}

}  // namespace
}  // namespace tokengate::test
