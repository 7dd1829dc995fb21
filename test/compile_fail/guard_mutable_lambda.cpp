// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Several workers call a guarded function at once, so its state must not change.
// expect: tokengate: the guarded function cannot be called with these arguments.*mutable
#include "tokengate/guard.hpp"

void use(tokengate::gate& gate) {
#ifdef TOKENGATE_FIXED
  auto guarded = tokengate::guard(gate, [count = 0](int x) { return count + x; });
#else
  auto guarded = tokengate::guard(gate, [count = 0](int x) mutable { return count += x; });
#endif
  auto token = guarded(1);
  (void)token;
}
