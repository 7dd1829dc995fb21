// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// expect: its move constructor must not throw
#include "tokengate/channel.hpp"

struct item {
  item() = default;
#if defined(TOKENGATE_FIXED)
  item(item&&) noexcept {}
#else
  item(item&&) {}
#endif
};

int main() {
  tokengate::channel<item> some(1);
  (void)some.try_send(item());
}
