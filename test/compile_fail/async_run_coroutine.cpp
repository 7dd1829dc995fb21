// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// A coroutine returns before its work is done, so a token cannot run it.
// expect: tokengate: this function is asynchronous .it returns a coroutine or an awaitable.
#include <boost/asio/awaitable.hpp>

#include "tokengate/gate.hpp"

void use(tokengate::gate& gate) {
#ifdef TOKENGATE_FIXED
  auto token = gate.async_run([] {});
#else
  auto token = gate.async_run([]() -> boost::asio::awaitable<void> { co_return; });
#endif
  (void)token;
}
