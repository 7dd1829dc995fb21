// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/intrusive_list.hpp"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <random>
#include <utility>
#include <vector>

namespace tokengate::detail {
namespace {

struct other_tag {};

struct item : list_hook<>, list_hook<other_tag> {
  int value = 0;

  bool in_main_list() const { return list_hook<>::linked(); }
};

using item_list = intrusive_list<item>;

std::vector<int> values(item_list const& list) {
  std::vector<int> found;
  list.for_each([&](item const& one) { found.push_back(one.value); });
  return found;
}

class intrusive_list_test : public testing::Test {
 protected:
  intrusive_list_test() {
    for (int i = 0; i != static_cast<int>(items_.size()); ++i) items_[i].value = i;
  }

  void fill(item_list& list, int from, int to) {
    for (int i = from; i != to; ++i) list.push_back(items_[i]);
  }

  std::array<item, 8> items_;  // outlives the lists
};

TEST_F(intrusive_list_test, new_list_is_empty) {
  item_list list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.size(), 0U);
  EXPECT_EQ(list.front(), nullptr);
  EXPECT_EQ(list.back(), nullptr);
  EXPECT_EQ(list.pop_front(), nullptr);
  EXPECT_EQ(list.pop_back(), nullptr);
}

TEST_F(intrusive_list_test, pushed_items_come_in_order) {
  item_list list;
  fill(list, 0, 3);
  list.push_front(items_[7]);
  EXPECT_EQ(values(list), (std::vector{7, 0, 1, 2}));
  EXPECT_EQ(list.front(), &items_[7]);
  EXPECT_EQ(list.back(), &items_[2]);
  EXPECT_EQ(list.pop_front(), &items_[7]);
  EXPECT_EQ(list.pop_back(), &items_[2]);
  EXPECT_EQ(list.size(), 2U);
  EXPECT_FALSE(items_[7].in_main_list());
  EXPECT_TRUE(items_[0].in_main_list());
}

TEST_F(intrusive_list_test, item_removed_anywhere_leaves_the_rest_in_order) {
  item_list list;
  fill(list, 0, 5);
  list.remove(items_[2]);
  list.remove(items_[0]);
  list.remove(items_[4]);
  EXPECT_EQ(values(list), (std::vector{1, 3}));
  list.push_back(items_[2]);
  EXPECT_EQ(values(list), (std::vector{1, 3, 2}));
}

TEST_F(intrusive_list_test, splice_appends_and_empties_the_source) {
  item_list list;
  item_list source;
  fill(list, 0, 2);
  fill(source, 2, 4);
  list.splice_back(source);
  EXPECT_EQ(values(list), (std::vector{0, 1, 2, 3}));
  EXPECT_EQ(list.size(), 4U);
  EXPECT_TRUE(source.empty());
  list.splice_back(source);
  list.splice_back(list);
  EXPECT_EQ(list.size(), 4U);
  source.splice_back(list);
  EXPECT_EQ(values(source), (std::vector{0, 1, 2, 3}));
}

TEST_F(intrusive_list_test, moved_list_keeps_its_items) {
  item_list first;
  fill(first, 0, 3);
  item_list second{std::move(first)};
  EXPECT_EQ(values(second), (std::vector{0, 1, 2}));
  item_list third;
  fill(third, 5, 6);
  third = std::move(second);
  EXPECT_EQ(values(third), (std::vector{0, 1, 2}));
  EXPECT_FALSE(items_[5].in_main_list());
}

TEST_F(intrusive_list_test, visitor_may_remove_the_item_it_was_given) {
  item_list list;
  fill(list, 0, 6);
  list.for_each([&](item& one) {
    if (one.value % 2 == 0) list.remove(one);
  });
  EXPECT_EQ(values(list), (std::vector{1, 3, 5}));
}

TEST_F(intrusive_list_test, item_is_in_two_lists_by_two_tags) {
  item_list list;
  intrusive_list<item, other_tag> other;
  fill(list, 0, 2);
  other.push_back(items_[1]);
  other.push_back(items_[0]);
  EXPECT_EQ(list.pop_front(), &items_[0]);
  EXPECT_EQ(other.pop_front(), &items_[1]);
  EXPECT_EQ(other.front(), &items_[0]);
}

TEST_F(intrusive_list_test, destroyed_list_lets_its_items_go) {
  {
    item_list list;
    fill(list, 0, 3);
  }
  EXPECT_FALSE(items_[1].in_main_list());
}

TEST(intrusive_list_model, random_operations_match_a_deque) {
  std::array<item, 16> items;
  for (int i = 0; i != 16; ++i) items[static_cast<std::size_t>(i)].value = i;
  item_list list;
  std::deque<int> model;
  std::mt19937 random{1};
  for (int step = 0; step != 20000; ++step) {
    auto const at = random() % items.size();
    item& one = items[at];
    if (one.in_main_list()) {
      list.remove(one);
      std::erase(model, one.value);
    } else if (random() % 2 == 0) {
      list.push_back(one);
      model.push_back(one.value);
    } else {
      list.push_front(one);
      model.push_front(one.value);
    }
    ASSERT_EQ(list.size(), model.size());
    ASSERT_EQ(values(list), std::vector(model.begin(), model.end())) << "step " << step;
  }
}

}  // namespace
}  // namespace tokengate::detail
