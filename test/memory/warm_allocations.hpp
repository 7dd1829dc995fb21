// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>

#include "memory/allocation_hooks.hpp"

namespace tokengate::test {

/// A fixture for what takes no memory, or how much, once the pools are warm.
template <class Fixture = testing::Test>
class warm_allocations : public Fixture {
 public:
  void SetUp() override {
    if (each_block_is_asked_for) GTEST_SKIP() << "this build recycles nothing";
  }

  /// Calls of operator new in a thousand rounds, by all threads. A few are allowed for: blocks move
  /// between threads in chains, and now and then a thread's cache is a block short.
  template <class Round>
  static std::uint64_t per_thousand(Round round) {
    for (int i = 0; i != 2000; ++i) round();
    auto const before = allocations();
    for (int i = 0; i != 1000; ++i) round();
    auto const used = allocations() - before;
    testing::Test::RecordProperty("per_thousand_rounds", static_cast<int>(used));
    std::printf("[          ] %llu calls of operator new per 1000 rounds\n",
                static_cast<unsigned long long>(used));
    return used;
  }
};

}  // namespace tokengate::test
