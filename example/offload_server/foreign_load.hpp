// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#pragma once

namespace offload_server {

/// How much of the cores' time went to others while this object lived: other processes, and on a
/// virtual machine other guests. What is measured on a busy machine is worth little without it.
class foreign_load {
 public:
  foreign_load() : start_(now()) {}

  /// The share, 0 to 1, of the cores that this process may use. 0 where the system does not tell.
  double share() const;

 private:
  struct reading {
    double all_seconds = 0;   // of all these cores, busy or not
    double busy_seconds = 0;  // in use by anybody, or taken away by the host
    double own_seconds = 0;   // in use by this process
  };
  static reading now();

  reading start_;
};

}  // namespace offload_server
