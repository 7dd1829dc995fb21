// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "support/gate_fixture.hpp"

// Handlers that run their loop inside themselves.

namespace tokengate {
namespace {

gate_options sleeping() {
  gate_options options;
  options.hot = hot_drain::off;  // the loop knows of nothing but what it is told
  return options;
}

class nested_run : public test::gate_fixture {
 protected:
  nested_run() : gate_fixture(sleeping()) {}

  void issue(std::function<void()> function, std::function<void()> then) {
    gate_->async_run(std::move(function))([then = std::move(then)](std::exception_ptr) { then(); });
  }
};

TEST_F(nested_run, token_issued_after_one_is_not_left_lying) {
  // Until the gate knows that these are brief, its worker gets two at a time.
  int warm = 0;
  for (int i = 0; i != 64; ++i) issue([] {}, [&] { ++warm; });
  loop_.run_until([&] { return warm == 64; });

  bool blocked_ended = false;
  bool last_ended = false;
  auto const nothing = [] {};
  issue(nothing, [&] {
    // The other result of this turn is still to come, and the worker was busy when it began.
    busy_.release();
    loop_.run_until([&] { return blocked_ended; });
    issue(nothing, [&] { last_ended = true; });
    loop_.run_until([&] { return last_ended; });
  });
  issue(nothing, nothing);
  gate_->async_run({.operation = "long"},
                   busy_.function())([&](std::exception_ptr) { blocked_ended = true; });
  busy_.wait_entered();
  loop_.run_until([&] { return last_ended; });
}

}  // namespace
}  // namespace tokengate
