// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/lock_graph.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

namespace tokengate::detail {
namespace {

/// Locks and owners by name; what is left at the end is dropped.
class lock_graph : public testing::Test {
 protected:
  void TearDown() override {
    for (auto& each : stakes_) drop(each);
  }
  stake& make(char const* owner, lock_node& lock, std::size_t count) {
    auto& node = owners_[owner];
    if (!node) node = std::make_shared<owner_node>(owner);
    return stakes_.emplace_back(node, lock, count);
  }
  stake& hold(char const* owner, lock_node& lock, std::size_t count = 1) {
    auto& one = make(owner, lock, count);
    give(one);
    return one;
  }
  /// What the check says of the wait.
  std::string wait(char const* owner, lock_node& lock, std::size_t count = 1) {
    auto& one = make(owner, lock, count);
    wait_for(one);
    auto text = to_string(find_cycle(one));
    if (!text.empty()) drop(one);
    return text;
  }

  lock_node a{"a", 1}, b{"b", 1}, c{"c", 1};
  std::map<std::string, std::shared_ptr<owner_node>> owners_;
  std::deque<stake> stakes_;
};

TEST_F(lock_graph, two_that_wait_for_each_other_are_found) {
  hold("one", a);
  hold("two", b);
  EXPECT_EQ(wait("one", b), "");
  EXPECT_EQ(wait("two", a), "two waits for a, held by one; one waits for b, held by two");
}

TEST_F(lock_graph, owner_that_waits_for_what_it_holds_is_found) {
  hold("one", a);
  EXPECT_EQ(wait("one", a), "one waits for a, held by one");
}

TEST_F(lock_graph, ring_of_three_is_found_by_the_last) {
  hold("one", a);
  hold("two", b);
  hold("three", c);
  EXPECT_EQ(wait("one", b), "");
  EXPECT_EQ(wait("two", c), "");
  EXPECT_EQ(wait("three", a),
            "three waits for a, held by one; one waits for b, held by two; two waits for c, held "
            "by three");
}

TEST_F(lock_graph, long_chain_that_ends_with_a_runner_is_none) {
  hold("one", a);
  hold("two", b);
  hold("three", c);
  EXPECT_EQ(wait("one", b), "");
  EXPECT_EQ(wait("two", c), "");
  EXPECT_EQ(wait("four", a), "");
}

TEST_F(lock_graph, reader_behind_a_writer_behind_the_same_reader_is_found) {
  lock_node shared{"shared", 10};
  hold("reader", shared, 1);
  EXPECT_EQ(wait("writer", shared, 10), "");
  EXPECT_EQ(wait("reader", shared, 1), "reader waits for shared, held by reader");
}

TEST_F(lock_graph, semaphore_with_another_holder_that_runs_is_none) {
  lock_node slots{"slots", 2};
  hold("one", slots);
  hold("busy", slots);
  hold("two", a);
  EXPECT_EQ(wait("one", a), "");
  EXPECT_EQ(wait("two", slots), "") << "busy will give one back";
}

TEST_F(lock_graph, semaphore_whose_holders_all_wait_is_found) {
  lock_node slots{"slots", 2};
  hold("one", slots);
  hold("three", slots);
  hold("two", a);
  EXPECT_EQ(wait("one", a), "");
  EXPECT_EQ(wait("three", a), "");
  EXPECT_NE(wait("two", slots), "");
}

TEST_F(lock_graph, wish_that_added_permits_may_fulfil_is_none) {
  lock_node bucket{"bucket", 1, 10};
  hold("one", bucket);
  EXPECT_EQ(wait("one", bucket, 10), "one waits for bucket, held by one") << "nine more at most";
  EXPECT_EQ(wait("one", bucket, 9), "");
}

TEST_F(lock_graph, owner_that_also_waits_for_something_it_gets_is_none) {
  hold("one", a);
  hold("two", b);
  EXPECT_EQ(wait("one", b), "");
  EXPECT_EQ(wait("one", c), "") << "free: one goes on with that";
  EXPECT_EQ(wait("two", a), "");
}

TEST_F(lock_graph, after_a_drop_nothing_is_found) {
  auto& held = hold("one", a);
  hold("two", b);
  EXPECT_EQ(wait("one", b), "");
  drop(held);
  EXPECT_EQ(wait("two", a), "");
}

/// The same by search: a lock graph is stuck for an owner if no order of ends lets it through.
/// Mutexes only, one wait per owner, so that "stuck" is "the chain of holders runs in a ring".
TEST_F(lock_graph, random_mutexes_match_a_walk_along_the_holders) {
  for (unsigned seed = 0; seed != 3000; ++seed) {
    std::mt19937 random{seed};
    std::vector<std::unique_ptr<lock_node>> locks;
    std::vector<std::shared_ptr<owner_node>> owners;
    for (int i = 0; i != 5; ++i) {
      locks.push_back(std::make_unique<lock_node>(std::to_string(i), 1));
      owners.push_back(std::make_shared<owner_node>(std::string(1, static_cast<char>('a' + i))));
    }
    std::deque<stake> stakes;
    std::map<owner_node*, stake*> waits;
    std::map<lock_node*, std::deque<stake*>> queue;  // the first one holds
    for (int step = 0; step != 60; ++step) {
      auto const& owner = owners[random() % owners.size()];
      if (waits.contains(owner.get())) continue;
      auto& lock = *locks[random() % locks.size()];
      auto& line = queue[&lock];
      if (!line.empty() && line.front()->owner == owner && random() % 2 == 0) {
        drop(*line.front());
        line.pop_front();
        if (!line.empty()) {
          give(*line.front());
          waits.erase(line.front()->owner.get());
        }
        continue;
      }
      auto& one = stakes.emplace_back(owner, lock, 1);
      if (line.empty()) {
        give(one);
        line.push_back(&one);
        continue;
      }
      bool ring = false;
      for (owner_node* at = line.front()->owner.get();;) {
        if (ring = at == owner.get(); ring) break;
        auto const found = waits.find(at);
        if (found == waits.end()) break;
        at = queue[found->second->lock].front()->owner.get();
      }
      wait_for(one);
      ASSERT_EQ(!find_cycle(one).empty(), ring) << "seed " << seed << " step " << step;
      if (ring) {
        drop(one);
      } else {
        waits[owner.get()] = &one;
        line.push_back(&one);
      }
    }
    for (auto& each : stakes) drop(each);
  }
}

}  // namespace
}  // namespace tokengate::detail
