// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/lock_snapshot.hpp"

namespace tokengate {
namespace {

void append(std::string& text, std::vector<lock_party> const& parties) {
  char const* between = "";
  for (auto const& each : parties) {
    text += between;
    text += each.owner.empty() ? std::string("(unnamed)") : each.owner;
    if (!each.exclusive) text += " x" + std::to_string(each.permits);
    between = ", ";
  }
}

}  // namespace

std::string to_string(lock_snapshot const& lock) {
  std::string text = lock.name.empty() ? "(unnamed lock)" : lock.name;
  text += lock.closed ? " (closed): " : ": ";
  if (lock.holders.empty())
    text += "free";
  else
    text += "held by ";
  append(text, lock.holders);
  if (!lock.waiters.empty()) text += "; waiting: ";
  append(text, lock.waiters);
  return text;
}

}  // namespace tokengate
