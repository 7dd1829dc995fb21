// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

/// @file
/// Faults put into real code from outside: a mutant picks atomic operations by the function they
/// stand in, and has them carried out wrongly. A test suite that still passes proves too little.

namespace tokengate::mc {

enum class kind : std::uint8_t { load, store, exchange, compare_exchange, fetch };

[[nodiscard]] constexpr const char* name(kind what) noexcept {
  constexpr const char* names[] = {"load", "store", "exchange", "compare_exchange", "fetch"};
  return names[static_cast<unsigned>(what)];
}

/// One atomic operation as the code asked for it.
struct operation {
  kind what;
  std::memory_order order;
  std::uint64_t desired = 0;
  std::source_location where;

  [[nodiscard]] bool in(std::string_view function) const {
    const std::string_view text = where.function_name();
    for (auto at = text.find(function); at != text.npos; at = text.find(function, at + 1))
      if (text.substr(at + function.size()).starts_with("(") && (at == 0 || text[at - 1] == ':'))
        return true;
    return false;
  }
};

struct mutant {
  enum class action : std::uint8_t {
    reorder,      ///< use `order` instead
    split,        ///< read-modify-write as a load, then a store
    store_blind,  ///< compare-exchange or exchange as a plain store of `order`
    load_first,   ///< do it only when a plain load returns `value`
    drop          ///< not at all; a compare-exchange fails
  };

  std::string name;
  std::function<bool(const operation&)> hits;
  action act = action::reorder;
  std::memory_order order = std::memory_order_relaxed;
  std::uint64_t value = 0;
};

/// The operations of one kind in one member function.
[[nodiscard]] inline auto in(std::string function, kind what) {
  return [function = std::move(function), what](const operation& op) {
    return op.what == what && op.in(function);
  };
}
/// The same, of those the ones with this order / with this value to be written.
[[nodiscard]] inline auto in(std::string function, kind what, std::memory_order order) {
  return [here = in(std::move(function), what), order](const operation& op) {
    return here(op) && op.order == order;
  };
}
[[nodiscard]] inline auto in_writing(std::string function, kind what, std::uint64_t desired) {
  return [here = in(std::move(function), what), desired](const operation& op) {
    return here(op) && op.desired == desired;
  };
}

}  // namespace tokengate::mc
