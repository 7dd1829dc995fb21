// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

/// @file
/// The source of everything that is not determined in a run of the model checker: who goes on,
/// which store a load returns, whether a futex wakes early. A run is the list of its choices, and
/// the text of that list replays it.

namespace tokengate::mc {

class choices {
 public:
  enum class about : std::uint8_t { schedule, read, event };

  /// Next run takes the first path of a depth-first search; next() moves on to the following one.
  void start_search() {
    mode_ = mode::search;
    path_.clear();
  }

  void start_random(std::uint64_t seed) {
    mode_ = mode::random;
    path_.clear();
    random_.seed(seed);
    // Runs differ in kind, not only in detail: some switch at every step, some hardly ever.
    stay_of_8_ = static_cast<unsigned>(random_() % 8);
  }

  /// Follows `text`, then always takes the first choice.
  void start_replay(std::string_view text) {
    mode_ = mode::search;
    path_.clear();
    for (char c : text)
      path_.push_back({static_cast<std::uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10), 0});
  }

  void rewind() noexcept { position_ = 0; }

  /// One of 0 .. count-1. Zero is the plain case: stay, read the newest, nothing unusual.
  unsigned choose(unsigned count, about what) {
    if (count < 2) return 0;
    if (position_ == path_.size()) {
      const unsigned taken = mode_ == mode::random ? draw(count, what) : 0;
      path_.push_back({static_cast<std::uint8_t>(taken), static_cast<std::uint8_t>(count)});
    }
    return path_[position_++].taken;
  }

  /// Search only: false when all paths have been taken.
  bool next() noexcept {
    path_.resize(position_);
    while (!path_.empty() && path_.back().taken + 1U >= path_.back().count) path_.pop_back();
    if (path_.empty()) return false;
    ++path_.back().taken;
    return true;
  }

  [[nodiscard]] std::string text() const {
    std::string all;
    for (std::size_t i = 0; i < position_; ++i)
      all += "0123456789abcdefghijklmnopqrstuvwxyz"[path_[i].taken];
    all.erase(all.find_last_not_of('0') + 1);
    return all.empty() ? "0" : all;
  }

 private:
  enum class mode : std::uint8_t { search, random };
  struct choice {
    std::uint8_t taken;
    std::uint8_t count;
  };

  unsigned draw(unsigned count, about what) {
    const auto bits = random_();
    if (what == about::schedule && bits % 8 < stay_of_8_) return 0;
    if (what == about::read && bits % 2 == 0) return 0;
    if (what == about::event && bits % 4 != 0) return 0;
    return static_cast<unsigned>((bits >> 8) % count);
  }

  mode mode_ = mode::search;
  std::vector<choice> path_;
  std::size_t position_ = 0;
  std::mt19937_64 random_;
  unsigned stay_of_8_ = 0;
};

}  // namespace tokengate::mc
