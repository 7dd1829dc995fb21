// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// expect: tokengate: this function is asynchronous .it returns a coroutine or an awaitable.
#include <boost/asio/awaitable.hpp>

#include "tokengate/guard.hpp"

void use(tokengate::gate& gate) {
#ifdef TOKENGATE_FIXED
  auto guarded = tokengate::guard(gate, [](int x) { return x; });
#else
  auto guarded = tokengate::guard(gate, [](int x) -> boost::asio::awaitable<int> { co_return x; });
#endif
  auto token = guarded(1);
  (void)token;
}
