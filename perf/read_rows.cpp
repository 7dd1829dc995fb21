// Distributed under the Boost Software License, Version 1.0. See LICENSE.
//
// A reader of what write_json() writes, strict: it also says whether a file is well formed.
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>

#include "report.hpp"

namespace perf {
namespace {

class reader {
 public:
  explicit reader(std::string text) : text_(std::move(text)) {}

  std::vector<row> rows() {
    std::vector<row> all;
    expect('[');
    if (!taken(']')) {
      do all.push_back(one());
      while (taken(','));
      expect(']');
    }
    blanks();
    if (at_ != text_.size()) fail("more after the end");
    return all;
  }

 private:
  row one() {
    std::map<std::string, std::string> words;
    std::map<std::string, std::optional<double>> numbers;
    expect('{');
    do {
      auto const key = word();
      expect(':');
      blanks();
      if (at_ < text_.size() && text_[at_] == '"')
        words[key] = word();
      else
        numbers[key] = number();
    } while (taken(','));
    expect('}');
    if (words.size() != 4 || numbers.size() != 4) fail("a row with other than its eight fields");
    row read;
    read.workload = need(words, "workload");
    read.variant = need(words, "variant");
    read.metric = need(words, "metric");
    read.unit = need(words, "unit");
    read.median = present(need(numbers, "median"));
    read.mad = present(need(numbers, "mad"));
    read.runs = static_cast<std::size_t>(present(need(numbers, "runs")));
    read.ratio_to_best_stock = need(numbers, "ratio_to_best_stock");
    if (read.runs == 0) fail("a row of no runs");
    return read;
  }

  template <class Map>
  auto need(Map const& from, char const* key) -> typename Map::mapped_type {
    auto const found = from.find(key);
    if (found == from.end()) fail(std::string{"a row without "} + key);
    return found->second;
  }

  double present(std::optional<double> value) {
    if (!value) fail("a figure that is null");
    return *value;
  }

  std::string word() {
    expect('"');
    std::string letters;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] == '\\') fail("an escape, which no name has");
      letters += text_[at_++];
    }
    if (at_ == text_.size()) fail("a word without an end");
    ++at_;
    return letters;
  }

  std::optional<double> number() {
    if (text_.compare(at_, 4, "null") == 0) {
      at_ += 4;
      return {};
    }
    char const* const begin = text_.c_str() + at_;
    char* end = nullptr;
    auto const value = std::strtod(begin, &end);
    if (end == begin || !std::isfinite(value)) fail("no number");
    at_ += static_cast<std::size_t>(end - begin);
    return value;
  }

  void blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool taken(char mark) {
    blanks();
    if (at_ == text_.size() || text_[at_] != mark) return false;
    ++at_;
    return true;
  }
  void expect(char mark) {
    if (!taken(mark)) fail(std::string{"no "} + mark);
  }
  [[noreturn]] void fail(std::string const& why) const {
    throw std::runtime_error(why + " at byte " + std::to_string(at_));
  }

  std::string text_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<row> read_json(std::string const& file) {
  std::ifstream from{file};
  if (!from) throw std::runtime_error("cannot read " + file);
  try {
    return reader{{std::istreambuf_iterator<char>{from}, {}}}.rows();
  } catch (std::runtime_error const& error) {
    throw std::runtime_error(file + ": " + error.what());
  }
}

}  // namespace perf
