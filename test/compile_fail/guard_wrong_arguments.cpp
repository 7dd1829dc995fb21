// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// expect: tokengate: the guarded function cannot be called with these arguments
#include "tokengate/guard.hpp"

void use(tokengate::gate& gate) {
  auto guarded = tokengate::guard(gate, [](int x) { return x; });
#ifdef TOKENGATE_FIXED
  auto token = guarded(1);
#else
  auto token = guarded("text", 1);
#endif
  (void)token;
}
