// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

/// @file
/// Forward declarations of the public types, and the one namespace alias of the library.

namespace boost::asio {}

namespace tokengate {

namespace asio = boost::asio;

class gate;
class operation;
class worker_pool;
class worker_pool_options;
struct gate_options;
struct token_options;

template <class R>
class flow_var;

template <class Function>
class guarded;

template <class Bound>
class lazy_token;

}  // namespace tokengate
