// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/deadline_heap.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <new>
#include <random>
#include <vector>

namespace tokengate::detail {
namespace {

struct item {
  std::size_t place = not_in_heap;
};

using heap_type = deadline_heap<item, &item::place, int>;

TEST(deadline_heap, new_heap_has_nothing) {
  heap_type heap;
  EXPECT_TRUE(heap.empty());
  EXPECT_EQ(heap.next(), std::nullopt);
  EXPECT_EQ(heap.pop_expired(1000), nullptr);
}

TEST(deadline_heap, items_expire_in_order_of_their_moments) {
  std::array<item, 4> items;
  heap_type heap;
  int const moments[] = {30, 10, 40, 20};
  for (std::size_t i = 0; i != 4; ++i) heap.push(moments[i], items[i]);
  EXPECT_EQ(heap.next(), 10);
  EXPECT_EQ(heap.pop_expired(9), nullptr);
  EXPECT_EQ(heap.pop_expired(30), &items[1]);
  EXPECT_EQ(heap.pop_expired(30), &items[3]);
  EXPECT_EQ(heap.pop_expired(30), &items[0]) << "a moment that is now has come";
  EXPECT_EQ(heap.pop_expired(30), nullptr);
  EXPECT_EQ(heap.next(), 40);
  EXPECT_EQ(items[1].place, not_in_heap);
}

TEST(deadline_heap, removed_item_does_not_expire) {
  std::array<item, 3> items;
  heap_type heap;
  for (int i = 0; i != 3; ++i) heap.push(i, items[static_cast<std::size_t>(i)]);
  heap.remove(items[0]);
  heap.remove(items[2]);
  EXPECT_EQ(heap.size(), 1U);
  EXPECT_EQ(heap.pop_expired(5), &items[1]);
  EXPECT_TRUE(heap.empty());
}

TEST(deadline_heap, removing_an_item_that_is_not_in_changes_nothing) {
  item inside;
  item outside;
  heap_type heap;
  heap.push(1, inside);
  heap.remove(outside);
  EXPECT_EQ(heap.size(), 1U);
}

TEST(deadline_heap, expired_item_can_be_pushed_again) {
  item one;
  heap_type heap;
  heap.push(1, one);
  EXPECT_EQ(heap.pop_expired(1), &one);
  heap.push(2, one);
  EXPECT_EQ(heap.next(), 2);
}

TEST(deadline_heap, destroyed_heap_lets_its_items_go) {
  item one;
  {
    heap_type heap;
    heap.push(1, one);
  }
  EXPECT_EQ(one.place, not_in_heap);
}

TEST(deadline_heap, default_moment_is_a_steady_time_point) {
  item one;
  deadline_heap<item, &item::place> heap;
  auto const now = std::chrono::steady_clock::time_point{} + std::chrono::hours{1};
  heap.push(now + std::chrono::nanoseconds{1}, one);
  EXPECT_EQ(heap.pop_expired(now), nullptr);
  EXPECT_EQ(heap.pop_expired(now + std::chrono::seconds{1}), &one);
}

TEST(deadline_heap, random_operations_match_a_sorted_map) {
  std::array<item, 64> items;
  heap_type heap;
  std::multimap<int, item*> model;
  std::mt19937 random{1};
  for (int step = 0; step != 50000; ++step) {
    item& one = items[random() % items.size()];
    if (one.place == not_in_heap) {
      int const when = static_cast<int>(random() % 100);
      heap.push(when, one);
      model.emplace(when, &one);
    } else if (random() % 2 == 0) {
      heap.remove(one);
      auto const found =
          std::ranges::find(model, &one, [](auto const& entry) { return entry.second; });
      model.erase(found);
    } else {
      int const earliest = model.begin()->first;
      ASSERT_EQ(heap.pop_expired(earliest - 1), nullptr);
      item* const expired = heap.pop_expired(earliest);
      auto const [first, last] = model.equal_range(earliest);
      auto const found = std::find_if(first, last, [&](auto& e) { return e.second == expired; });
      ASSERT_NE(found, last) << "step " << step;
      model.erase(found);
    }
    ASSERT_EQ(heap.size(), model.size());
    if (!model.empty()) {
      ASSERT_EQ(heap.next(), model.begin()->first) << "step " << step;
    }
  }
}

}  // namespace
}  // namespace tokengate::detail
