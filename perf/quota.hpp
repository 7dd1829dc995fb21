// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <string>

namespace perf {

/// Whether this process may put itself under a CPU quota: the right to write cgroups.
bool quota_possible();

/// Puts the whole process under a quota of so many cores for a scope, as a container would be; 0
/// does nothing. Throws std::runtime_error when the system refuses.
class scoped_quota {
 public:
  explicit scoped_quota(double cores);
  ~scoped_quota();
  scoped_quota(scoped_quota const&) = delete;
  scoped_quota& operator=(scoped_quota const&) = delete;

 private:
  std::string group_;  ///< the folder of the quota's group; empty when there is none
  std::string home_;   ///< where the process was before
};

}  // namespace perf
