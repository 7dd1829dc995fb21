// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "cpu_work.hpp"

namespace offload_server {

enum class task_kind : std::uint8_t { light, medium, heavy };

inline constexpr std::array<const char*, 3> task_names{"light", "medium", "heavy"};

/// How long each kind computes, in milliseconds of CPU time.
inline constexpr std::array<double, 3> task_ms{1, 8, 30};

/// Where the tasks of the burst and of the window run. Used on the loop's thread.
class task_runner {
 public:
  virtual ~task_runner() = default;

  /// Computes for the time of this kind elsewhere, then calls done on the loop.
  virtual void submit(task_kind kind, std::function<void()> done) = 0;
};

std::unique_ptr<task_runner> make_pool_runner(boost::asio::io_context& loop, std::size_t threads,
                                              const cpu_work& work);
std::unique_ptr<task_runner> make_gate_runner(boost::asio::io_context& loop, std::size_t cores,
                                              const cpu_work& work);

/// How many cores a worker pool finds here, by affinity mask and quota, but no more than the given
/// number unless that is 0.
std::size_t usable_cores(std::size_t at_most);

/// The share of the cores' time that bare threads without any hand-over put to use: what this
/// machine can give at all, right now. At most 1.
double bare_thread_ceiling(std::size_t threads, const cpu_work& work);

}  // namespace offload_server
