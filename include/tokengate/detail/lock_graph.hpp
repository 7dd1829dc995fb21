// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "tokengate/detail/intrusive_list.hpp"
#include "tokengate/lock_checks.hpp"

/// @file
/// Who holds what and who waits for what: owners, locks, and the stakes between them.
///
/// Locks have `total` permits and grant them first come, first served; a mutex has one, a shared
/// mutex as many as readers fit, of which a writer wants all. A semaphore may be given more, up to
/// `most`. Not thread-safe: a lock's `holders` belong to the mutex of that lock; everything else
/// here to the mutex of the graph, and for locks in the graph `holders` to both (written under
/// both, so either is enough for reading).
///
/// The search is the reduction of a resource graph (Holt, "Some deadlock properties of computer
/// systems", 1972) with first come, first served queues: let every owner that does not wait give
/// back what it holds, grant what can be granted, and repeat. Who is left can never go on. Permits
/// that may still be added count as there: anybody may add them.

namespace tokengate::detail {

struct by_lock;
struct by_owner;
struct owner_node;
struct lock_node;

/// What one owner has in one lock, or wants of it.
struct stake : list_hook<by_lock>, list_hook<by_owner> {
  stake(std::shared_ptr<owner_node> of, lock_node& in, std::size_t permits) noexcept
      : owner(std::move(of)), lock(&in), count(permits) {}

  std::shared_ptr<owner_node> owner;
  lock_node* lock;
  std::size_t count;
  bool holds = false;
};

struct owner_node {
  explicit owner_node(std::string called) : name(std::move(called)) {}

  std::string const name;
  intrusive_list<stake, by_owner> stakes{};
  bool stuck = false;  ///< of the search
  bool seen = false;
};

struct lock_node {
  lock_node(std::string called, std::size_t permits)
      : lock_node(std::move(called), permits, permits) {}
  lock_node(std::string called, std::size_t permits, std::size_t most_permits)
      : name(std::move(called)), most(most_permits), total(permits) {}

  std::string const name;
  std::size_t const most;  ///< permits that there can ever be
  std::size_t total;       ///< that there are
  intrusive_list<stake, by_lock> holders{};
  intrusive_list<stake, by_lock> waiting{};  ///< oldest first
  std::size_t spare = 0;                     ///< of the search
  bool reached = false;
};

/// The stake becomes the newest that waits.
void wait_for(stake& wanted) noexcept;
/// The stake holds what it wanted. It may have waited or not.
void give(stake& wanted) noexcept;
/// Without the graph: only among the holders of its lock.
void give_unchecked(stake& wanted) noexcept;
/// The stake has and wants nothing any more.
void drop(stake& any) noexcept;

/// Empty, unless the owner of a waiting stake can never go on. Where memory runs out it finds
/// nothing.
[[nodiscard]] lock_cycle find_cycle(stake const& waiting) noexcept;

}  // namespace tokengate::detail
