// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/system/system_error.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "tokengate/error.hpp"

namespace tokengate::test {

/// The code of a library error; the default code for success. Any other exception is rethrown.
[[nodiscard]] inline boost::system::error_code code_of(std::exception_ptr const& error) {
  if (!error) return {};
  try {
    std::rethrow_exception(error);
  } catch (boost::system::system_error const& caught) {
    return caught.code();
  }
}

/// The code of the library error that a call throws; the default code for none.
template <class Call>
[[nodiscard]] boost::system::error_code thrown_by(Call call) {
  try {
    call();
  } catch (boost::system::system_error const& caught) {
    return caught.code();
  }
  return {};
}

/// What a std::exception says; empty for success.
[[nodiscard]] inline std::string text_of(std::exception_ptr const& error) {
  if (!error) return {};
  try {
    std::rethrow_exception(error);
  } catch (std::exception const& caught) {
    return caught.what();
  } catch (...) {
    return "not a std::exception";
  }
}

/// What a completion handler was given.
template <class T>
struct outcome {
  int calls = 0;
  std::exception_ptr error{};
  std::optional<T> value{};
  std::thread::id thread{};

  [[nodiscard]] bool done() const noexcept { return calls != 0; }
  [[nodiscard]] auto code() const { return code_of(error); }
};
template <>
struct outcome<void> {
  int calls = 0;
  std::exception_ptr error{};
  std::thread::id thread{};

  [[nodiscard]] bool done() const noexcept { return calls != 0; }
  [[nodiscard]] auto code() const { return code_of(error); }
};

/// A completion handler that keeps what it is given. It can only be moved.
template <class T>
class keep {
 public:
  explicit keep(outcome<T>& to) : to_(std::make_unique<outcome<T>*>(&to)) {}

  void operator()(std::exception_ptr error) { settle(std::move(error)); }
  template <class V>
  void operator()(std::exception_ptr error, V&& value) {
    if (!error) (**to_).value.emplace(std::forward<V>(value));
    settle(std::move(error));
  }

 private:
  void settle(std::exception_ptr error) {
    outcome<T>& to = **to_;
    ++to.calls;
    to.error = std::move(error);
    to.thread = std::this_thread::get_id();
  }
  std::unique_ptr<outcome<T>*> to_;
};

/// As keep, but can only be called as an rvalue. (Some of Asio's binders call what they bind as an
/// lvalue.)
template <class T>
class keep_once {
 public:
  explicit keep_once(outcome<T>& to) : inner_(to) {}
  template <class... Args>
  void operator()(Args&&... args) && {
    inner_(std::forward<Args>(args)...);
  }

 private:
  keep<T> inner_;
};

}  // namespace tokengate::test
