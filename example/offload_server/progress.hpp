// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#pragma once

#include <string>

namespace offload_server {

/// One line that shows that something is going on. On a terminal it rewrites itself; elsewhere
/// only begin() and end() print, so that a log stays readable.
class progress {
 public:
  progress();
  void begin(const std::string& what);
  void update(const std::string& state);
  void end(const std::string& result);

 private:
  bool terminal_;
  std::string what_;
};

}  // namespace offload_server
