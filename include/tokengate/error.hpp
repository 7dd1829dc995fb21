// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/system/error_category.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/is_error_code_enum.hpp>
#include <boost/system/system_error.hpp>
#include <exception>

namespace tokengate {

/// What the library itself can say about a token or an operation that did not give its result.
///
/// An exception of the function is never turned into one of these; it reaches its awaiter as it is.
enum class error {
  cancelled = 1,    ///< the caller gave the token up
  deadline_passed,  ///< the deadline passed before the function started; it was not run
  backlog_full,     ///< the lane's backlog has no place and the admission policy does not wait
  overloaded,       ///< by the measured service times the token could not end before its deadline
  closed,           ///< the gate takes no more tokens
  stopped,          ///< the gate or the pool was stopped before the function started
  killed,           ///< an operator ended the token
  would_deadlock,   ///< the call would have blocked a loop thread or a worker on a token
  timed_out,        ///< a blocking wait took too long; nothing is lost
  broken_promise,   ///< the source of a value went away without giving one
  disconnected,     ///< the other side went away
  no_subscriber     ///< nobody is there to take it
};

/// The category "tokengate". Its codes compare equal to the fitting generic conditions:
/// cancelled to `operation_canceled`, deadline_passed and timed_out to `timed_out`, would_deadlock
/// to `resource_deadlock_would_occur`, backlog_full and overloaded to
/// `resource_unavailable_try_again`.
boost::system::error_category const& error_category() noexcept;

inline boost::system::error_code make_error_code(error value) noexcept {
  return {static_cast<int>(value), error_category()};
}

/// Gives the ready-made exception for a code: a `boost::system::system_error`.
///
/// All threads that rethrow it share one object, so catch it by reference to const.
/// @par Thread safety  any thread, at any time, during static initialisation and after main too
/// @par Cost           a table look-up; neither allocates nor throws
std::exception_ptr const& make_exception(error value) noexcept;

}  // namespace tokengate

template <>
struct boost::system::is_error_code_enum<tokengate::error> {
  static bool const value = true;
};
