// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/system/system_error.hpp>
#include <concepts>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <typeindex>

#include "tokengate/impl/bus_state.hpp"
#include "tokengate/impl/lazy_wait.hpp"

namespace tokengate::detail {

using accepted_signature = void(std::exception_ptr, std::size_t);
using handled_signature = void(std::exception_ptr, publish_report);

template <class Signature, class Waiter>
using lazy_publish = lazy_wait<Signature, Waiter, bus_state, event_ref, destination>;

[[nodiscard]] inline auto publish_accepted(std::shared_ptr<bus_state> const& bus, event_ref&& event,
                                           destination&& to) {
  return lazy_publish<accepted_signature, accept_waiter>(bus, bus->executor(), std::move(event),
                                                         std::move(to));
}
[[nodiscard]] inline auto publish_handled(std::shared_ptr<bus_state> const& bus, event_ref&& event,
                                          destination&& to) {
  return lazy_publish<handled_signature, handled_waiter>(bus, bus->executor(), std::move(event),
                                                         std::move(to));
}

/// What try_publish() tells.
[[nodiscard]] inline std::optional<std::size_t> told(publish_result const& result) {
  if (result.is == publish_result::state::closed) throw boost::system::system_error(error::closed);
  if (result.is == publish_result::state::full) return std::nullopt;
  return result.accepted;
}

template <class T>
inline constexpr bool is_char_pointer = false;
template <class C>
requires std::same_as<C, char> || std::same_as<C, wchar_t> || std::same_as<C, char8_t> ||
    std::same_as<C, char16_t> || std::same_as<C, char32_t>
inline constexpr bool is_char_pointer<C*> = true;
template <class C>
inline constexpr bool is_char_pointer<C const*> = is_char_pointer<C*>;

template <class T>
constexpr void check_event() {
  static_assert(!is_char_pointer<T>,
                "tokengate: an event that is a pointer to characters, such as a string literal, "
                "would go to a topic of that pointer type, where no subscriber of std::string "
                "hears it, and might dangle. Publish a std::string.");
}

inline void check_subject(std::string_view subject) {
  if (!valid_subject(subject))
    throw std::invalid_argument("tokengate: not a subject: " + std::string(subject));
}
inline void check_pattern(std::string_view pattern) {
  if (!valid_pattern(pattern))
    throw std::invalid_argument("tokengate: not a pattern of subjects: " + std::string(pattern));
}

}  // namespace tokengate::detail
