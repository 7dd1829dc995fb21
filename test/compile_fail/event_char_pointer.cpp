// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// expect: tokengate: an event that is a pointer to characters
#include <string>

#include "tokengate/event_bus.hpp"

void publish(tokengate::event_bus& bus) {
#ifdef TOKENGATE_FIXED
  (void)bus.try_publish("a.b", std::string("text"));
#else
  (void)bus.try_publish("a.b", "text");
#endif
}
