// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "json_writer.hpp"

namespace tokengate::detail {
namespace {

constexpr unsigned byte_at(std::string_view text, std::size_t i) {
  return static_cast<unsigned char>(text[i]);
}

// The length of the well-formed UTF-8 sequence that the text begins with, 0 if there is none.
// Ranges after table 3-7 of the Unicode standard: no surrogates, no overlong forms.
std::size_t sequence_length(std::string_view text) {
  unsigned const lead = byte_at(text, 0);
  if (lead < 0x80) return 1;
  std::size_t length = 0;
  unsigned low = 0x80;
  unsigned high = 0xbf;
  if (lead >= 0xc2 && lead <= 0xdf) {
    length = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    length = 3;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    length = 4;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
  }
  if (length == 0 || text.size() < length) return 0;
  if (byte_at(text, 1) < low || byte_at(text, 1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte_at(text, i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

}  // namespace

void json_writer::string(std::string_view text) {
  comma();
  text_ += '"';
  while (!text.empty()) {
    auto const length = sequence_length(text);
    if (length == 0) {
      text_ += "\\ufffd";
    } else if (length == 1) {
      escape(text.front());
    } else {
      text_ += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  text_ += '"';
}

void json_writer::escape(char plain) {
  constexpr std::string_view hex = "0123456789abcdef";
  auto const code = static_cast<unsigned char>(plain);
  if (plain == '"' || plain == '\\') {
    text_ += '\\';
    text_ += plain;
  } else if (code < 0x20 || code == 0x7f) {
    text_ += "\\u00";
    text_ += hex[code >> 4];
    text_ += hex[code & 15];
  } else {
    text_ += plain;
  }
}

}  // namespace tokengate::detail
