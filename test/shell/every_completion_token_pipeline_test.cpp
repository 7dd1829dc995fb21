// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Operations of pipelines, with every completion token.
#include "support/every_completion_token.hpp"
#include "tokengate/pipeline.hpp"

namespace tokengate::test {
namespace {

struct pipeline_push {
  explicit pipeline_push(gate& on) : line(pipeline<int>(on).stage(+[](int x) { return x; })) {}
  auto operation(int i) { return line.async_push(i); }
  bool right(int) { return line.snapshot().pushed != 0; }
  pipeline<int> line;
};
struct pipeline_pull : pipeline_push {
  using pipeline_push::pipeline_push;
  auto operation(int i) {
    EXPECT_TRUE(line.try_push(int(i)));
    return line.async_pull();
  }
  bool right(int i, std::optional<int> const& got) { return got == i; }
};
struct pipeline_join {
  explicit pipeline_join(gate& on) : through(&on) {}
  auto operation(int i) {
    line.emplace(pipeline<int>(*through).stage([this](int x) { got = x; }));
    EXPECT_TRUE(line->try_push(int(i)));
    line->close();
    return line->async_join();
  }
  bool right(int i) { return got == i; }
  gate* through;
  std::atomic<int> got{0};
  std::optional<pipeline<int, void>> line;
};
template <class Kind>
class pipeline_operation : public every_completion_token<Kind> {};
using pipeline_operations = testing::Types<pipeline_push, pipeline_pull, pipeline_join>;
TYPED_TEST_SUITE(pipeline_operation, pipeline_operations);
TYPED_TEST(pipeline_operation, takes_every_completion_token) {
  this->prove();
}

}  // namespace
}  // namespace tokengate::test
