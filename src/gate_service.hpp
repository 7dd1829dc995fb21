// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/asio/execution_context.hpp>
#include <memory>
#include <mutex>
#include <vector>

#include "tokengate/fwd.hpp"

namespace tokengate::detail {

class gate_core;

/// Tells the gates of an io_context that it goes, while what their handlers refer to is still
/// there.
class gate_service final : public asio::execution_context::service {
 public:
  static asio::execution_context::id id;

  explicit gate_service(asio::execution_context& owner) : service(owner) {}

  void add(std::shared_ptr<gate_core> gate);

  /// Whether the calling thread runs the loop of any gate of this process.
  [[nodiscard]] static bool on_any_loop();

 private:
  void shutdown() override;

  std::mutex mutex_;
  /// Owned, or a worker that lets go of a gate last would end it while the io_context goes. Those
  /// that nobody else holds are let go of with the next add().
  std::vector<std::shared_ptr<gate_core>> gates_;
};

}  // namespace tokengate::detail
