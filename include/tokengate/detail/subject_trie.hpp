// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tokengate/detail/subject.hpp"

namespace tokengate::detail {

/// Finds the values of all patterns that match a subject. One node per level of a pattern, so a
/// look-up visits at most the nodes that match the subject's first levels, however many patterns
/// there are. Nodes without values below them are taken away again.
///
/// Not thread-safe. There is no cache of results here: a topic keeps the subscribers that match it,
/// so the trie is asked when a topic is made, not when an event is published.
template <class Value>
requires std::equality_comparable<Value>
class subject_trie {
 public:
  /// The pattern is valid, or empty for the topic without a name. Strong exception guarantee.
  void insert(std::string_view pattern, Value value) {
    try {
      place(root_, pattern).push_back(std::move(value));
    } catch (...) {
      prune(root_, pattern);
      throw;
    }
    ++size_;
  }

  /// Takes one value out that was inserted with this pattern; false when there is none.
  bool remove(std::string_view pattern, Value const& value) noexcept {
    std::vector<Value>* const at = find(root_, pattern);
    if (at == nullptr) return false;
    auto const found = std::ranges::find(*at, value);
    if (found == at->end()) return false;
    at->erase(found);
    --size_;
    prune(root_, pattern);
    return true;
  }

  /// Calls `visit` with each value whose pattern matches, in no particular order.
  template <std::invocable<Value const&> Visitor>
  void match(std::string_view subject, Visitor visit) const {
    descend(root_, subject, visit);
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t node_count() const noexcept { return count(root_); }

 private:
  struct hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  struct node {
    std::unordered_map<std::string, std::unique_ptr<node>, hash, std::equal_to<>> named{};
    std::unique_ptr<node> any{};  ///< below `*`
    std::vector<Value> here{};    ///< patterns that end here
    std::vector<Value> rest{};    ///< patterns that end with `>` here

    [[nodiscard]] bool empty() const noexcept {
      return named.empty() && any == nullptr && here.empty() && rest.empty();
    }
  };

  static std::vector<Value>& place(node& at, std::string_view rest) {
    if (rest.empty()) return at.here;
    auto const level = next_level(rest);
    if (level == ">") return at.rest;
    std::unique_ptr<node>& next = level == "*" ? at.any : at.named[std::string(level)];
    if (next == nullptr) next = std::make_unique<node>();
    return place(*next, rest);
  }

  static std::vector<Value>* find(node& at, std::string_view rest) noexcept {
    if (rest.empty()) return &at.here;
    auto const level = next_level(rest);
    if (level == ">") return &at.rest;
    if (level == "*") return at.any == nullptr ? nullptr : find(*at.any, rest);
    auto const next = at.named.find(level);
    return next == at.named.end() ? nullptr : find(*next->second, rest);
  }

  /// Removes what is empty on the way of a pattern, from its end.
  static void prune(node& at, std::string_view rest) noexcept {
    if (rest.empty()) return;
    auto const level = next_level(rest);
    if (level == ">") return;
    if (level == "*") {
      if (at.any == nullptr) return;
      prune(*at.any, rest);
      if (at.any->empty()) at.any.reset();
      return;
    }
    auto const next = at.named.find(level);
    if (next == at.named.end()) return;
    if (next->second != nullptr) prune(*next->second, rest);
    if (next->second == nullptr || next->second->empty()) at.named.erase(next);
  }

  template <class Visitor>
  static void descend(node const& at, std::string_view rest, Visitor& visit) {
    if (rest.empty()) {
      for (Value const& each : at.here) visit(each);
      return;
    }
    for (Value const& each : at.rest) visit(each);
    auto const level = next_level(rest);
    if (auto const next = at.named.find(level); next != at.named.end())
      descend(*next->second, rest, visit);
    if (at.any != nullptr) descend(*at.any, rest, visit);
  }

  static std::size_t count(node const& at) noexcept {
    std::size_t all = 1;
    for (auto const& [name, next] : at.named) all += count(*next);
    return at.any == nullptr ? all : all + count(*at.any);
  }

  node root_;
  std::size_t size_ = 0;
};

}  // namespace tokengate::detail
