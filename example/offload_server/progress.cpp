// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "progress.hpp"

#include <unistd.h>

#include <cstdio>

namespace offload_server {

progress::progress() : terminal_(isatty(STDOUT_FILENO) == 1) {}

void progress::begin(const std::string& what) {
  what_ = what;
  std::printf("  %s ...%s", what.c_str(), terminal_ ? "" : "\n");
  std::fflush(stdout);
}

void progress::update(const std::string& state) {
  if (!terminal_) return;
  std::printf("\r  %s ... %s\033[K", what_.c_str(), state.c_str());
  std::fflush(stdout);
}

void progress::end(const std::string& result) {
  if (terminal_)
    std::printf("\r  %s: %s\033[K\n", what_.c_str(), result.c_str());
  else
    std::printf("  %s: %s\n", what_.c_str(), result.c_str());
  std::fflush(stdout);
}

}  // namespace offload_server
