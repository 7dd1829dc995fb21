// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Operations of actors and scopes, with every completion token.
#include "support/every_completion_token.hpp"
#include "tokengate/actor.hpp"
#include "tokengate/task_scope.hpp"

namespace tokengate::test {
namespace {

using namespace std::chrono_literals;

struct sum {
  int of = 0;
};
struct actor_ask {
  explicit actor_ask(gate& on) : one(on) {}
  auto operation(int i) {
    auto add = [](sum& all, int x) {
      all.of += x;
      return x;
    };
    return one.ask(add, i);
  }
  bool right(int i, int got) { return got == i; }
  actor<sum> one;
};
struct actor_tell : actor_ask {
  using actor_ask::actor_ask;
  auto operation(int i) {
    return one.async_tell([](sum& all, int x) { all.of += x; }, i);
  }
  bool right(int) { return one.snapshot().accepted != 0; }
};
struct actor_join {
  explicit actor_join(gate& on) : through(&on) {}
  auto operation(int i) {
    one.emplace(*through);
    one->tell([](sum& all, int x) { all.of += x; }, i);
    one->close();
    return one->async_join();
  }
  bool right(int) { return one->snapshot().handled == 1; }
  gate* through;
  std::optional<actor<sum>> one;
};
struct scope_join {
  explicit scope_join(gate& on) : through(&on), scope(on.get_executor()) {}
  void add(int i) {
    scope.spawn(through->async_run([i] { return i; }));
  }
  auto operation(int i) {
    add(i);
    return scope.async_join().within(1h);
  }
  bool right(int i, std::vector<int> const& got) { return got == std::vector{i}; }
  gate* through;
  task_scope<int> scope;
};
struct scope_collect : scope_join {
  using scope_join::scope_join;
  auto operation(int i) {
    add(i);
    return scope.async_collect().within(1h);
  }
  bool right(int i, std::vector<scope_result<int>> const& got) { return got.at(0).value == i; }
};

template <class Kind>
class actor_or_scope_operation : public every_completion_token<Kind> {};
using scope_operations =
    testing::Types<actor_ask, actor_tell, actor_join, scope_join, scope_collect>;
TYPED_TEST_SUITE(actor_or_scope_operation, scope_operations);
TYPED_TEST(actor_or_scope_operation, takes_every_completion_token) {
  this->prove();
}

}  // namespace
}  // namespace tokengate::test
