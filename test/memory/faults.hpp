// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <gtest/gtest.h>

#include <new>

#include "memory/allocation_hooks.hpp"
#include "support/gate_fixture.hpp"

// The n-th allocation of a call fails, for n = 0, 1, 2 ... until a run is clean; once, and from
// then on. The call throws or works; nothing leaks, nothing hangs, and the gate goes on.

namespace tokengate::test {

/// Calls round(n, from_then_on) until it says that nothing failed.
template <class Round>
void for_each_allocation(Round round) {
  for (bool const from_then_on : {false, true}) {
    int n = 0;
    while (n != 2000 && round(n, from_then_on)) ++n;
    EXPECT_LT(n, 2000) << "no run is ever clean";
  }
}

class faults : public gate_fixture {
 public:  // for coroutines
  /// Runs a call with the n-th allocation failing. It may throw bad_alloc and nothing else.
  template <class Call>
  bool attempt(int n, bool from_then_on, Call call) {
    failing_allocations failing(n, from_then_on);
    try {
      call();
    } catch (std::bad_alloc const&) {
      threw_ = true;
      EXPECT_TRUE(failing.hit());
    }
    return failing.hit();
  }
  void still_works(gate& through) {
    outcome<int> ended;
    through.async_run([] { return 7; }, keep(ended));
    run_until_done(ended);
    EXPECT_EQ(ended.value, 7);
  }

  /// For calls that issue one token and count its handler.
  template <class Call>
  void check(Call call) {
    for_each_allocation([&](int n, bool from_then_on) {
      handled_ = 0;
      threw_ = false;
      bool const hit = attempt(n, from_then_on, call);
      loop_.run_out();
      EXPECT_EQ(handled_, threw_ ? 0 : 1) << "allocation " << n;
      still_works(*gate_);
      loop_.run_out();
      return hit;
    });
  }
  auto count() {
    return [this](auto&&...) { ++handled_; };
  }

  int handled_ = 0;  ///< calls of the handlers that count() made
  bool threw_ = false;
};

}  // namespace tokengate::test
