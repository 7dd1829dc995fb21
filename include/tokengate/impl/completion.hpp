// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <concepts>
#include <coroutine>
#include <exception>
#include <functional>
#include <future>
#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

namespace tokengate {

/// How a result of type T& arrives: refers to it, and converts to it. Empty beside an exception.
template <class T>
class reference_result {
 public:
  reference_result() = default;
  explicit reference_result(T& to) noexcept : to_(&to) {}
  [[nodiscard]] T& get() const noexcept { return *to_; }
  operator T&() const noexcept { return *to_; }  // NOLINT: stands for the reference
  T* operator->() const noexcept { return to_; }

 private:
  T* to_ = nullptr;
};

namespace detail {

template <class R>
struct value_of {
  using type = std::conditional_t<std::is_default_constructible_v<R>, R, std::optional<R>>;
};
template <class T>
struct value_of<T&> {
  using type = reference_result<T>;
};

/// What a completion handler is given for a function that returns R: R itself where it can be
/// default-constructed (beside an exception there is no other value to give), else optional<R>.
template <class R>
using value_of_t = typename value_of<R>::type;

template <class R>
struct signature_of {
  using type = void(std::exception_ptr, value_of_t<R>);
};
template <>
struct signature_of<void> {
  using type = void(std::exception_ptr);
};
template <class R>
using signature_of_t = typename signature_of<R>::type;

template <class R>
concept coroutine_result = requires {
  typename std::coroutine_traits<R>::promise_type;
}
|| requires(R& r) {
  r.await_ready();
}
|| requires(R& r) {
  std::move(r).operator co_await();
};

template <class R>
inline constexpr bool is_future = false;
template <class R>
inline constexpr bool is_future<std::future<R>> = true;

/// Refuses what would come back before its work is done.
template <class R>
constexpr void check_result() {
  static_assert(
      !coroutine_result<R>,
      "tokengate: this function is asynchronous (it returns a coroutine or an awaitable). "
      "A token runs a plain synchronous function to its end on a worker; co_spawn a "
      "coroutine on its own loop instead, and issue tokens from inside it.");
  static_assert(!is_future<R>,
                "tokengate: this function returns a std::future, so its work would go on after the "
                "token has ended. Return the value itself.");
  static_assert(!std::is_rvalue_reference_v<R>,
                "tokengate: this function returns an rvalue reference, which would dangle. Return "
                "the value.");
}

/// A function that is called once, with nothing but the stop token it may ask for.
template <class F>
struct once {
  static constexpr bool takes_stop = !std::invocable<F>;
  using raw_result = typename std::conditional_t<takes_stop, std::invoke_result<F, std::stop_token>,
                                                 std::invoke_result<F>>::type;

  F function;

  decltype(auto) operator()() { return std::invoke(std::move(function)); }
  decltype(auto) operator()(std::stop_token stop) {
    return std::invoke(std::move(function), std::move(stop));
  }
};

template <class F>
concept token_function = std::move_constructible<std::decay_t<F>> &&
    (std::invocable<std::decay_t<F>> || std::invocable<std::decay_t<F>, std::stop_token>);

template <class Bound>
using result_of_t = typename Bound::raw_result;

}  // namespace detail
}  // namespace tokengate
