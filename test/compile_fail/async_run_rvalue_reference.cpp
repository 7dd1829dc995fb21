// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// expect: tokengate: this function returns an rvalue reference
#include <string>
#include <utility>

#include "tokengate/gate.hpp"

void use(tokengate::gate& gate, std::string& text) {
#ifdef TOKENGATE_FIXED
  auto token = gate.async_run([&] { return std::move(text); });
#else
  auto token = gate.async_run([&]() -> std::string&& { return std::move(text); });
#endif
  (void)token;
}
