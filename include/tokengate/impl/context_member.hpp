// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/system_executor.hpp>
#include <memory>
#include <mutex>
#include <optional>

#include "tokengate/detail/intrusive_list.hpp"
#include "tokengate/impl/wait_node.hpp"

/// @file
/// Objects that may outlive the execution_context of their executor. Nothing may be posted to it
/// then, and a strand may not even be destroyed, so they are told.
///
/// Invariant: a member is linked in the list of its context, under the mutex of that list, until
/// one of the two ends. The list is shared by its context and its members.

namespace tokengate::detail {

class context_member;

struct context_members {
  std::mutex mutex;
  intrusive_list<context_member, context_members> all;
};

class context_member_service final : public asio::execution_context::service {
 public:
  static inline asio::execution_context::id id;
  explicit context_member_service(asio::execution_context& owner)
      : service(owner), members_(std::make_shared<context_members>()) {}
  [[nodiscard]] std::shared_ptr<context_members> const& members() const noexcept {
    return members_;
  }

 private:
  void shutdown() override;
  std::shared_ptr<context_members> members_;
};

class context_member : public list_hook<context_members> {
 public:
  explicit context_member(asio::any_io_executor executor)
      : executor_(std::move(executor)),
        members_(asio::use_service<context_member_service>(context_of(executor_)).members()) {
    std::lock_guard hold(members_->mutex);
    members_->all.push_back(*this);
  }
  context_member(context_member const&) = delete;
  context_member& operator=(context_member const&) = delete;

  /// The system's after the end of the context.
  [[nodiscard]] asio::any_io_executor const& executor() const noexcept { return executor_; }
  /// acquire: pairs with the release of the context's end.
  [[nodiscard]] bool context_ended() const noexcept {
    return ended_.load(std::memory_order_acquire);
  }

 protected:
  ~context_member() {
    std::lock_guard hold(members_->mutex);
    if (linked()) members_->all.remove(*this);
    executor_ = asio::system_executor();  // under the lock, or the context might go before it
  }

 private:
  friend class context_member_service;
  asio::any_io_executor executor_;
  std::shared_ptr<context_members> const members_;
  std::atomic<bool> ended_{false};
};

/// An executor that may be kept for longer than its context lives. That of an io_context is no more
/// than a pointer; others, such as strands, are let go of in time.
class kept_executor {
 public:
  kept_executor() = default;
  explicit kept_executor(asio::any_io_executor executor) {
    if (loop_of(executor) != nullptr)
      plain_ = std::move(executor);
    else
      member_.emplace(std::move(executor));
  }
  [[nodiscard]] asio::any_io_executor const& get() const noexcept {
    return member_ ? member_->executor() : plain_;
  }
  operator asio::any_io_executor const&() const noexcept { return get(); }  // NOLINT: stands for it

 private:
  struct member : context_member {
    using context_member::context_member;
  };
  asio::any_io_executor plain_;
  std::optional<member> member_;
};

inline void context_member_service::shutdown() {
  std::lock_guard hold(members_->mutex);
  while (context_member* const each = members_->all.pop_front()) {
    each->ended_.store(true, std::memory_order_release);
    each->executor_ = asio::system_executor();
  }
}

}  // namespace tokengate::detail
