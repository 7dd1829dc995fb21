// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/detail/subject.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "tokengate/detail/subject_trie.hpp"

namespace tokengate::detail {
namespace {

TEST(subject, levels_without_wildcards_are_valid) {
  for (auto const* good : {"a", "orders.eu.paid", "a.b-c_d.0", "größe.x"}) {
    EXPECT_TRUE(valid_subject(good)) << good;
    EXPECT_TRUE(valid_pattern(good)) << good;
    EXPECT_TRUE(is_literal(good)) << good;
  }
}

TEST(subject, empty_levels_and_blanks_are_refused) {
  for (auto const* bad : {"", ".", "a.", ".a", "a..b", "a b", "a\tb", "a.\n", "\x7f"}) {
    EXPECT_FALSE(valid_subject(bad)) << bad;
    EXPECT_FALSE(valid_pattern(bad)) << bad;
  }
  EXPECT_TRUE(valid_subject(std::string(longest_subject, 'a')));
  EXPECT_FALSE(valid_subject(std::string(longest_subject + 1, 'a')));
}

TEST(subject, wildcards_are_valid_in_patterns_only_and_as_whole_levels) {
  for (auto const* good : {"*", ">", "a.*", "a.*.c", "a.>", "*.*.>"}) {
    EXPECT_FALSE(valid_subject(good)) << good;
    EXPECT_TRUE(valid_pattern(good)) << good;
    EXPECT_FALSE(is_literal(good)) << good;
  }
  for (auto const* bad : {"a*", "*a", "a.b>", ">.a", "a.>.b", "**", "a.>>"})
    EXPECT_FALSE(valid_pattern(bad)) << bad;
}

TEST(subject, star_stands_for_one_level_and_greater_for_one_or_more) {
  EXPECT_TRUE(matches("orders.*.paid", "orders.eu.paid"));
  EXPECT_FALSE(matches("orders.*.paid", "orders.paid"));
  EXPECT_FALSE(matches("orders.*.paid", "orders.eu.north.paid"));
  EXPECT_FALSE(matches("orders.*", "orders.eu.paid"));
  EXPECT_TRUE(matches("orders.>", "orders.eu.paid"));
  EXPECT_TRUE(matches("orders.>", "orders.eu"));
  EXPECT_FALSE(matches("orders.>", "orders"));
  EXPECT_TRUE(matches(">", "a"));
  EXPECT_TRUE(matches("a", "a"));
  EXPECT_FALSE(matches("a", "a.b"));
  EXPECT_FALSE(matches("a.b", "a"));
}

TEST(subject, topic_without_a_name_is_matched_by_no_wildcard) {
  EXPECT_TRUE(matches("", ""));
  EXPECT_FALSE(matches(">", ""));
  EXPECT_FALSE(matches("*", ""));
  EXPECT_FALSE(matches("", "a"));
}

std::vector<int> found(subject_trie<int> const& trie, std::string_view subject) {
  std::vector<int> all;
  trie.match(subject, [&](int each) { all.push_back(each); });
  std::ranges::sort(all);
  return all;
}

TEST(subject_trie, value_is_found_once_for_each_pattern_it_was_inserted_with) {
  subject_trie<int> trie;
  trie.insert("a.*", 1);
  trie.insert("a.>", 1);
  trie.insert("a.b", 2);
  trie.insert("", 3);
  EXPECT_EQ(found(trie, "a.b"), (std::vector{1, 1, 2}));
  EXPECT_EQ(found(trie, "a.b.c"), (std::vector{1}));
  EXPECT_EQ(found(trie, ""), (std::vector{3}));
  EXPECT_EQ(trie.size(), 4u);
}

TEST(subject_trie, removal_takes_one_value_and_the_nodes_that_nobody_needs) {
  subject_trie<int> trie;
  trie.insert("a.b.c", 1);
  trie.insert("a.b.c", 1);
  trie.insert("a.*.c", 2);
  trie.insert("a.>", 3);
  EXPECT_FALSE(trie.remove("a.b.c", 7));
  EXPECT_FALSE(trie.remove("a.b", 1));
  EXPECT_FALSE(trie.remove("x.y.z", 1));
  EXPECT_TRUE(trie.remove("a.b.c", 1));
  EXPECT_EQ(found(trie, "a.b.c"), (std::vector{1, 2, 3}));
  EXPECT_TRUE(trie.remove("a.b.c", 1));
  EXPECT_TRUE(trie.remove("a.*.c", 2));
  EXPECT_EQ(trie.node_count(), 2u);
  EXPECT_TRUE(trie.remove("a.>", 3));
  EXPECT_TRUE(trie.empty());
  EXPECT_EQ(trie.node_count(), 1u);
}

/// Few letters, so that patterns and subjects meet.
std::string random_text(std::mt19937_64& random, bool wildcards) {
  std::size_t const levels = 1 + random() % 4;
  std::string text;
  for (std::size_t i = 0; i != levels; ++i) {
    if (i != 0) text += '.';
    auto const dice = random() % (wildcards ? 6 : 3);
    if (dice == 5 && i + 1 == levels)
      text += '>';
    else if (dice >= 3)
      text += '*';
    else
      text += static_cast<char>('a' + dice);
  }
  return text;
}

TEST(subject_trie, random_patterns_match_as_one_by_one) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    std::mt19937_64 random(seed);
    subject_trie<int> trie;
    std::vector<std::pair<std::string, int>> all;
    for (int step = 0; step != 100; ++step) {
      if (all.empty() || random() % 5 < 3) {
        all.emplace_back(random_text(random, true), step);
        ASSERT_TRUE(valid_pattern(all.back().first));
        trie.insert(all.back().first, step);
      } else {
        auto const gone = all.begin() + static_cast<std::ptrdiff_t>(random() % all.size());
        ASSERT_TRUE(trie.remove(gone->first, gone->second));
        all.erase(gone);
      }
      auto const subject = random_text(random, false);
      ASSERT_TRUE(valid_subject(subject));
      std::vector<int> expected;
      for (auto const& [pattern, value] : all)
        if (matches(pattern, subject)) expected.push_back(value);
      ASSERT_EQ(found(trie, subject), expected) << "seed " << seed << ", subject " << subject;
      ASSERT_EQ(trie.size(), all.size());
    }
    for (auto const& [pattern, value] : all) ASSERT_TRUE(trie.remove(pattern, value));
    ASSERT_EQ(trie.node_count(), 1u) << "seed " << seed;
  }
}

}  // namespace
}  // namespace tokengate::detail
