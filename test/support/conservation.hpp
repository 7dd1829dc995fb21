// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <gtest/gtest.h>

#include "tokengate/gate.hpp"

namespace tokengate::test {

/// Every token that was issued has ended exactly once. For a gate that has nothing out.
inline void expect_conserved(gate_snapshot const& books) {
  EXPECT_EQ(books.issued, books.finished + books.destroyed);
  EXPECT_EQ(books.out, 0u);
  for (auto const& each : books.operations) {
    EXPECT_EQ(each.issued, each.completed + each.failed + each.killed + each.timed_out +
                               each.cancelled + each.rejected)
        << each.name;
    EXPECT_EQ(each.out, 0u) << each.name;
  }
  for (auto const& lane : books.lanes) {
    EXPECT_EQ(lane.backlog, 0u);
    EXPECT_EQ(lane.waiting, 0u);
  }
  EXPECT_EQ(books.rescued_wakeups, 0u);
  EXPECT_EQ(books.chains_open, 0u);
}
inline void expect_conserved(gate const& of) {
  expect_conserved(of.snapshot());
  EXPECT_TRUE(of.tokens().empty());
}

}  // namespace tokengate::test
