// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "tokengate/fwd.hpp"

namespace tokengate::detail {

/// Whether a type is what a coroutine of Asio returns.
template <class T>
inline constexpr bool is_awaitable = false;
template <class T, class Executor>
inline constexpr bool is_awaitable<asio::awaitable<T, Executor>> = true;

}  // namespace tokengate::detail
