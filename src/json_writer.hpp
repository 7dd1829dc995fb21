// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace tokengate::detail {

/// Writes JSON text piece by piece. Boost.JSON would do, but in its header-only form its
/// definitions are not inline: a program that also uses it could not link with us.
class json_writer {
 public:
  json_writer& key(std::string_view name) {
    string(name);
    text_ += ':';
    pending_comma_ = false;
    return *this;
  }

  void value(std::string_view text) { string(text); }
  void value(char const* text) { string(text); }
  void value(bool truth) {
    comma();
    text_ += truth ? "true" : "false";
  }
  void value(std::integral auto number) { plain(number); }
  void value(double number) {
    if (std::isfinite(number)) return plain(number);
    comma();
    text_ += "null";  // JSON has no infinity
  }

  template <class T>
  void field(std::string_view name, T const& content) {
    key(name).value(content);
  }

  /// Braces or brackets around what `content` writes.
  void object(std::invocable auto content) { group('{', content, '}'); }
  void array(std::invocable auto content) { group('[', content, ']'); }

  std::string take() && { return std::move(text_); }

 private:
  void comma() {
    if (pending_comma_) text_ += ',';
    pending_comma_ = true;
  }

  void group(char open, std::invocable auto& content, char close) {
    comma();
    text_ += open;
    pending_comma_ = false;
    content();
    text_ += close;
    pending_comma_ = true;
  }

  void plain(auto number) {
    comma();
    char digits[32];
    auto const end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    text_.append(digits, end);
  }

  void string(std::string_view text);
  void escape(char plain);

  std::string text_;
  bool pending_comma_ = false;
};

}  // namespace tokengate::detail
