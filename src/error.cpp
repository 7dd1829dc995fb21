// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/error.hpp"

#include <array>
#include <boost/system/errc.hpp>
#include <cstddef>
#include <string>

namespace tokengate {
namespace {

constexpr std::size_t error_count = static_cast<std::size_t>(error::no_subscriber);

char const* text(int value) noexcept {
  switch (static_cast<error>(value)) {
    case error::cancelled:
      return "the token was cancelled";
    case error::deadline_passed:
      return "the deadline passed before the token started";
    case error::backlog_full:
      return "the backlog is full";
    case error::overloaded:
      return "the gate is overloaded";
    case error::closed:
      return "closed, no more is accepted";
    case error::stopped:
      return "the gate or the worker pool was stopped";
    case error::killed:
      return "the token was killed by an operator";
    case error::would_deadlock:
      return "blocking here would deadlock";
    case error::timed_out:
      return "timed out";
    case error::broken_promise:
      return "the promise was broken: no value will come";
    case error::disconnected:
      return "the other side went away";
    case error::no_subscriber:
      return "nobody is there to take it";
  }
  return "unknown tokengate error";
}

class category final : public boost::system::error_category {
 public:
  // The fixed id keeps codes equal when the library is linked into several shared objects.
  constexpr category() noexcept : error_category(0x746f6b656e676174) {}

  char const* name() const noexcept override { return "tokengate"; }

  std::string message(int value) const override { return text(value); }

  char const* message(int value, char*, std::size_t) const noexcept override { return text(value); }

  boost::system::error_condition default_error_condition(int value) const noexcept override {
    namespace errc = boost::system::errc;
    switch (static_cast<error>(value)) {
      case error::cancelled:
        return errc::make_error_condition(errc::operation_canceled);
      case error::deadline_passed:
      case error::timed_out:
        return errc::make_error_condition(errc::timed_out);
      case error::would_deadlock:
        return errc::make_error_condition(errc::resource_deadlock_would_occur);
      case error::backlog_full:
      case error::overloaded:
        return errc::make_error_condition(errc::resource_unavailable_try_again);
      default:
        return {value, *this};
    }
  }
};

constexpr category the_category;

// Index 0 serves values outside the enumeration.
using exception_table = std::array<std::exception_ptr, error_count + 1>;

exception_table const& exceptions() noexcept {
  // Never destroyed: a worker may still reject a token while static objects go.
  static exception_table const& table = *[] {
    auto* built = new exception_table;
    for (std::size_t i = 0; i != built->size(); ++i) {
      auto const code = make_error_code(static_cast<error>(i));
      (*built)[i] = std::make_exception_ptr(boost::system::system_error(code));
    }
    return built;
  }();
  return table;
}

// Builds the table while the program is loaded, not at the first rejection under memory pressure.
[[maybe_unused]] exception_table const& built_at_load = exceptions();

}  // namespace

boost::system::error_category const& error_category() noexcept {
  return the_category;
}

std::exception_ptr const& make_exception(error value) noexcept {
  auto const index = static_cast<std::size_t>(value);
  return exceptions()[index <= error_count ? index : 0];
}

}  // namespace tokengate
