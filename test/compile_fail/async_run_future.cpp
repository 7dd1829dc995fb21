// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// expect: tokengate: this function returns a std::future
#include <future>

#include "tokengate/gate.hpp"

void use(tokengate::gate& gate) {
#ifdef TOKENGATE_FIXED
  auto token = gate.async_run([] { return 1; });
#else
  auto token = gate.async_run([] { return std::async([] { return 1; }); });
#endif
  (void)token;
}
