// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <typeindex>
#include <unordered_map>
#include <vector>

#include "tokengate/detail/subject_trie.hpp"
#include "tokengate/detail/topic_record.hpp"
#include "tokengate/event_bus_options.hpp"

namespace tokengate {
struct event_bus_snapshot;
struct subscription_snapshot;
}  // namespace tokengate

namespace tokengate::detail {

/// All topics and subscriptions of one event type.
///
/// Invariants, under `mutex`
///  - A topic is in `topics` while somebody has a handle of it, while it is sticky, and for a while
///    longer in `cached`. A subscription that is routed is in the trie, and in the list of members
///    of every topic here that its pattern matches.
struct type_space {
  explicit type_space(std::type_index type) : type(type) {}

  std::type_index const type;
  std::mutex mutex;
  subject_trie<subscriber*> patterns{};
  std::unordered_map<std::string_view, ref<topic_record>> topics{};  ///< keyed by their own names
  intrusive_list<topic_record> cached{};  ///< without handles and not sticky, oldest use first
  std::vector<subscriber*> listed{};      ///< each with a reference
  std::size_t sticky_topics = 0;
  std::uint64_t subscriptions = 0;  ///< that there ever were
  bool closed = false;
  type_space* next = nullptr;  ///< constant once it is in the bus
};

/// The bus below its shell: who gets what. Without Asio; any thread may call any function.
///
/// Subscribers refer to the core weakly and are owned by their handles; the core holds a reference
/// to each until it has ended, so that closing the bus reaches all.
class bus_core {
 public:
  explicit bus_core(event_bus_options const& options) : options_(options) {}
  ~bus_core();
  bus_core(bus_core const&) = delete;
  bus_core& operator=(bus_core const&) = delete;

  /// The space of a type; lives as long as the core. May throw bad_alloc.
  [[nodiscard]] type_space& space_of(std::type_index type);

  /// A handle to a topic: keeps it. May throw bad_alloc, length_error when there are too many
  /// sticky ones.
  [[nodiscard]] ref<topic_record> open(type_space& space, std::string_view subject, bool sticky);
  void add_handle(type_space& space, topic_record& topic) noexcept;
  void drop_handle(type_space& space, topic_record& topic) noexcept;
  /// Forgets the last event of a sticky topic.
  void forget(type_space& space, topic_record& topic) noexcept;

  [[nodiscard]] publish_result publish(topic_record& topic, event_base& event) noexcept;
  [[nodiscard]] publish_result try_publish(topic_record& topic, event_base& event) noexcept;
  /// By subject, for publishers without a handle. May throw bad_alloc, before anything happened.
  [[nodiscard]] publish_result publish(type_space& space, std::string_view subject,
                                       event_base& event);
  [[nodiscard]] publish_result try_publish(type_space& space, std::string_view subject,
                                           event_base& event);
  /// The topic of a subject, where it is remembered: for a publisher that will be back. An empty
  /// ref else; nothing is made.
  [[nodiscard]] ref<topic_record> known(type_space& space, std::string_view subject) noexcept;
  /// A publisher that waits has given up: takes its event back from those who hold it back.
  static void withdraw(event_base& event) noexcept;

  /// Strong exception guarantee. A bus that is closed gives a subscription that is closed.
  void subscribe(type_space& space, ref<subscriber> who, std::string_view pattern);
  /// Ends a subscription: when it returns no handler of it starts any more. Any number of times.
  static void end(type_space& space, subscriber& who) noexcept;

  /// Nothing is published any more; what is queued is handled.
  void close() noexcept;
  /// Ends all subscriptions.
  void stop() noexcept;
  [[nodiscard]] bool closed() const noexcept { return closed_.load(std::memory_order_relaxed); }

  void read_into(event_bus_snapshot& all);

 private:
  [[nodiscard]] ref<topic_record> find(type_space& space, std::string_view subject);
  [[nodiscard]] ref<topic_record> look_up(type_space& space, std::string_view subject) noexcept;
  [[nodiscard]] topic_record& make(type_space& space, std::string_view subject);
  void trim(type_space& space) noexcept;
  static void detach(type_space& space, topic_record& topic) noexcept;
  static void unroute(type_space& space, subscriber& who) noexcept;
  static void run(publish_round& round) noexcept;
  template <class Function>
  void for_each_space(Function with) {
    type_space* each = nullptr;
    {
      std::lock_guard hold(mutex_);
      each = first_;
    }
    for (; each != nullptr; each = each->next) with(*each);
  }

  event_bus_options const options_;
  std::atomic<bool> closed_{false};  ///< the truth is in each space; this is for those who ask
  mutable std::mutex mutex_;
  std::unordered_map<std::type_index, std::unique_ptr<type_space>> spaces_;  ///< under mutex_
  type_space* first_ = nullptr;                                              ///< under mutex_
};

[[nodiscard]] subscription_snapshot snapshot_of(subscriber const& who, std::string_view pattern);

}  // namespace tokengate::detail
