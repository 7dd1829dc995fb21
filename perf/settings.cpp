// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "settings.hpp"

#include "machine.hpp"

namespace perf {

std::vector<setting> other_settings() {
  entrants some;
  some.only = {"asio_callback", "asio_two_hops_deferred", "asio_lean_deferred", "asio_co_spawn",
               "asio_post_function"};
  setup every_core;
  every_core.where = placement::every_core;
  setup unpinned;
  unpinned.where = placement::unpinned_worker;
  auto contained = some;
  contained.quota = 1;
  auto const cores = static_cast<double>(usable_cores().size());
  return {{"every_core", "a worker on every core, the loop not pinned", every_core, some, cores,
           "all cores"},
          {"unpinned", "one worker, nothing pinned", unpinned, some, 1, "one core"},
          {"quota", "a worker on every core, the process under a quota of one core", every_core,
           contained, contained.quota, "the quota"}};
}

}  // namespace perf
