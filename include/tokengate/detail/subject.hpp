// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <string_view>

/// @file
/// Subjects and patterns as text. A subject is levels joined by dots, `orders.eu.paid`; a level is
/// one or more characters, none of them a dot, a space, a control character, `*` or `>`. In a
/// pattern `*` stands for exactly one level and `>`, as the last level, for one or more.

namespace tokengate::detail {

inline constexpr std::size_t longest_subject = 255;

/// Takes the first level off.
constexpr std::string_view next_level(std::string_view& rest) noexcept {
  auto const dot = rest.find('.');
  auto const level = rest.substr(0, dot);
  rest = dot == std::string_view::npos ? std::string_view{} : rest.substr(dot + 1);
  return level;
}

constexpr bool valid_level(std::string_view level) noexcept {
  for (char const each : level)
    if (static_cast<unsigned char>(each) <= ' ' || each == '*' || each == '>' || each == '\x7f')
      return false;
  return !level.empty();
}

constexpr bool valid_text(std::string_view text, bool wildcards) noexcept {
  if (text.empty() || text.size() > longest_subject || text.back() == '.') return false;
  while (!text.empty()) {
    auto const level = next_level(text);
    if (wildcards && (level == "*" || (level == ">" && text.empty()))) continue;
    if (!valid_level(level)) return false;
  }
  return true;
}

constexpr bool valid_subject(std::string_view subject) noexcept {
  return valid_text(subject, false);
}
constexpr bool valid_pattern(std::string_view pattern) noexcept {
  return valid_text(pattern, true);
}

/// Whether a valid pattern names one subject only.
constexpr bool is_literal(std::string_view pattern) noexcept {
  return pattern.find_first_of("*>") == std::string_view::npos;
}

/// One pattern against one subject, both valid. The empty subject is that of a topic without a
/// name: only the empty pattern matches it.
constexpr bool matches(std::string_view pattern, std::string_view subject) noexcept {
  while (!pattern.empty() && !subject.empty()) {
    auto const wanted = next_level(pattern);
    if (wanted == ">") return true;
    auto const given = next_level(subject);
    if (wanted != "*" && wanted != given) return false;
  }
  return pattern.empty() && subject.empty();
}

}  // namespace tokengate::detail
