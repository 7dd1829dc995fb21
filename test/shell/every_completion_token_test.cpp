// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Operations that hand on values, with every completion token.
#include "support/every_completion_token.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "tokengate/broadcast.hpp"
#include "tokengate/channel.hpp"
#include "tokengate/promise.hpp"
#include "tokengate/watch.hpp"
#include "tokengate/when.hpp"

namespace tokengate::test {

asio::awaitable<void> await_together(asio::awaitable<bool> plain, asio::awaitable<bool> both,
                                     asio::awaitable<bool> either) {
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
  bool right = co_await std::move(plain);
  EXPECT_TRUE(right);
  auto joined = std::move(both) && asio::post(asio::use_awaitable);
  right = co_await std::move(joined);
  EXPECT_TRUE(right);
  auto raced = std::move(either) || timer.async_wait(asio::use_awaitable);
  auto const first = co_await std::move(raced);
  EXPECT_EQ(first.index(), 0u);
  right = first.index() == 0 && std::get<0>(first);
  EXPECT_TRUE(right);
}

namespace {

struct broadcast_send {
  explicit broadcast_send(gate& on) : out(on.get_executor(), 16) {}
  auto operation(int i) { return out.async_send(i); }
  bool right(int) { return *in.try_receive(); }
  broadcast<int> out;
  broadcast<int>::reader in = out.subscribe();
};
struct broadcast_receive : broadcast_send {
  using broadcast_send::broadcast_send;
  auto operation(int i) {
    EXPECT_TRUE(out.try_send(i));
    return in.async_receive();
  }
  bool right(int i, broadcast_item<int> const& got) { return *got == i; }
};
struct watch_changed {
  explicit watch_changed(gate& on) : of(on.get_executor()) {}
  auto operation(int i) {
    of.set(i);
    return in.async_changed();
  }
  bool right(int i, std::shared_ptr<int const> const& got) { return *got == i; }
  watch<int> of;
  watch<int>::reader in = of.subscribe();
};
struct spawned_value {
  explicit spawned_value(gate& on) : through(&on) {}
  auto operation(int i) {
    return through->spawn([i] { return i; });
  }
  bool right(int i, int got) { return got == i; }
  gate* through;
};
struct promised_nothing {
  explicit promised_nothing(gate& on) : through(&on) {}
  auto operation(int) {
    promise<void> source(through->get_executor());
    auto var = source.get_flow_var();
    source.set_value();
    return var;
  }
  bool right(int) { return true; }
  gate* through;
};
struct receive_some {
  explicit receive_some(gate& on) : items(on.get_executor(), 4) {}
  auto operation(int i) {
    got.clear();
    EXPECT_TRUE(items.try_send(int(i)));
    EXPECT_TRUE(items.try_send(-i));
    return items.async_receive_some(got, 3);
  }
  bool right(int i, std::size_t count) { return count == 2 && got == std::vector{i, -i}; }
  channel<int> items;
  std::vector<int> got;
};
/// Two of them: one has its value, the other gets it later, or not at all.
struct all_promised {
  using variable = flow_var<int>;
  using result = std::vector<variable>;

  explicit all_promised(gate& on) : through(&on) {}
  std::vector<variable> two(int i) {
    std::vector<variable> variables;
    sources.clear();
    for (int k = 0; k != 2; ++k)
      variables.push_back(sources.emplace_back(through->get_executor()).get_flow_var());
    sources[index(i)].set_value(i);
    return variables;
  }
  auto operation(int i) {
    auto all = when_all(two(i), through->get_executor());
    asio::post(through->get_executor(), [this, i] { sources[1 - index(i)].set_value(i); });
    return all;
  }
  bool right(int, result const& got) { return got.size() == 2 && got[0].ready() && got[1].ready(); }
  static std::size_t index(int i) { return static_cast<std::size_t>(i) % 2; }
  gate* through;
  std::vector<promise<int>> sources;
};
struct any_promised : all_promised {
  using all_promised::all_promised;
  auto operation(int i) { return when_any(two(i), through->get_executor()); }
  bool right(int i, any_ready<int> const& got) {
    return got.index == index(i) && got.variables.at(got.index).ready();
  }
};
template <class Kind>
class hand_on : public every_completion_token<Kind> {};
using operations = testing::Types<broadcast_send, broadcast_receive, watch_changed, spawned_value,
                                  promised_nothing, receive_some, all_promised, any_promised>;
TYPED_TEST_SUITE(hand_on, operations);
TYPED_TEST(hand_on, takes_every_completion_token) {
  this->prove();
}

}  // namespace
}  // namespace tokengate::test
