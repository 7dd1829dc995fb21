// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <concepts>
#include <memory>
#include <stop_token>
#include <tuple>
#include <utility>

#include "tokengate/gate.hpp"

namespace tokengate {

namespace detail {

/// A function that many calls share. Small and trivial ones are copied into each call.
template <class F>
inline constexpr bool copied_per_call = std::is_trivially_copyable_v<F> &&
                                        sizeof(F) <= 2 * sizeof(void*);

template <class F>
class shared_function {
 public:
  explicit shared_function(F function)
      : function_(std::make_shared<F const>(std::move(function))) {}
  F const& operator*() const noexcept { return *function_; }

 private:
  std::shared_ptr<F const> function_;
};
template <class F>
requires copied_per_call<F>
class shared_function<F> {
 public:
  explicit shared_function(F function) noexcept : function_(function) {}
  F const& operator*() const noexcept { return function_; }

 private:
  [[no_unique_address]] F function_;
};

/// A shared function and the arguments of one call.
template <class F, class... Args>
struct call_of {
  static constexpr bool takes_stop = !std::invocable<F const&, Args&&...>;
  using raw_result =
      typename std::conditional_t<takes_stop,
                                  std::invoke_result<F const&, std::stop_token, Args&&...>,
                                  std::invoke_result<F const&, Args&&...>>::type;

  shared_function<F> function;
  [[no_unique_address]] std::tuple<Args...> arguments;

  decltype(auto) operator()() {
    return std::apply(
        [&](Args&... each) -> decltype(auto) { return std::invoke(*function, std::move(each)...); },
        arguments);
  }
  decltype(auto) operator()(std::stop_token stop) {
    return std::apply(
        [&](Args&... each) -> decltype(auto) {
          return std::invoke(*function, std::move(stop), std::move(each)...);
        },
        arguments);
  }
};

template <class F, class... Args>
concept callable_with = std::invocable<F const&, std::decay_t<Args> &&...> ||
                        std::invocable<F const&, std::stop_token, std::decay_t<Args>&&...>;

template <class F, class Indices, class... Args>
inline constexpr bool callable_with_first = false;
template <class F, std::size_t... I, class... Args>
inline constexpr bool callable_with_first<F, std::index_sequence<I...>, Args...> =
    callable_with<F, std::tuple_element_t<I, std::tuple<Args...>>...>;

}  // namespace detail

/// A plain synchronous function made into an operation of a gate: the decorator. Call it with the
/// function's arguments and await what it gives, or add a completion token as the last argument.
///
/// Arguments are stored by value and moved into the function, as by std::thread. The function is
/// called by several workers at once, hence as const.
///
/// @par Thread safety  any thread may call it; copies share the function
/// @par Cost           as lazy_token; making it: one look into the table of the gate's operations
template <class Function>
class guarded {
 public:
  guarded(operation of, Function function)
      : operation_(std::move(of)), function_(std::move(function)) {}

  template <class... Args>
  auto operator()(Args&&... args) const {
    using all_but_last = std::make_index_sequence<sizeof...(Args) == 0 ? 0 : sizeof...(Args) - 1>;
    if constexpr (detail::callable_with<Function, Args...>) {
      using bound = detail::call_of<Function, std::decay_t<Args>...>;
      return lazy_token<bound>(
          *operation_.gate_, *operation_.record_, operation_.terms_,
          bound{function_, std::tuple<std::decay_t<Args>...>(std::forward<Args>(args)...)});
    } else if constexpr (sizeof...(Args) != 0 &&
                         detail::callable_with_first<Function, all_but_last, Args...>) {
      return with_token(all_but_last{}, std::forward_as_tuple(std::forward<Args>(args)...));
    } else {
      static_assert(
          detail::callable_with<Function, Args...>,
          "tokengate: the guarded function cannot be called with these arguments. They are "
          "passed as values that may be moved from, and the function is called as const "
          "because several workers call it at once (so no `mutable` lambda).");
    }
  }

  /// Issues a token now and keeps its result.
  template <class... Args>
  requires detail::callable_with<Function, Args...>
  [[nodiscard]] auto spawn(Args&&... args) const {
    return (*this)(std::forward<Args>(args)...).spawn();
  }

  [[nodiscard]] operation const& of() const noexcept { return operation_; }

 private:
  template <std::size_t... I, class Tuple>
  auto with_token(std::index_sequence<I...>, Tuple&& all) const {
    return (*this)(std::get<I>(std::forward<Tuple>(all))...)(
        std::get<sizeof...(I)>(std::forward<Tuple>(all)));
  }

  operation operation_;
  detail::shared_function<Function> function_;
};

/// Makes a guarded operation from a function.
/// @par Example  example/01_coroutine.cpp
template <class Function>
[[nodiscard]] guarded<std::decay_t<Function>> guard(gate& through, token_options const& options,
                                                    Function&& function) {
  return {through.define(options), std::forward<Function>(function)};
}
template <class Function>
[[nodiscard]] guarded<std::decay_t<Function>> guard(gate& through, Function&& function) {
  return guard(through, token_options{}, std::forward<Function>(function));
}

}  // namespace tokengate
