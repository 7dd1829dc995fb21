// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <cassert>
#include <concepts>
#include <cstddef>

namespace tokengate::detail {

template <class T, class Tag>
class intrusive_list;

/// The links of an element: derive publicly from it, once per list with a tag of its own when an
/// element is in several lists. An element must not be destroyed while it is linked.
template <class Tag = void>
class list_hook {
 public:
  list_hook() = default;
  list_hook(list_hook const&) = delete;
  list_hook& operator=(list_hook const&) = delete;

  bool linked() const noexcept { return next_ != nullptr; }

 protected:
  ~list_hook() { assert(!linked()); }

 private:
  template <class, class>
  friend class intrusive_list;

  list_hook* next_ = nullptr;
  list_hook* prev_ = nullptr;
};

/// Doubly linked FIFO of elements that others own. Never allocates, never throws, all operations
/// but `for_each` and `clear` take constant time. Not thread-safe.
///
/// The links form a ring through `root_`, so there is no special case for either end; `root_` has
/// an address that elements hold, hence moving relinks the two of them.
template <class T, class Tag = void>
class intrusive_list {
  using hook = list_hook<Tag>;

  struct root_hook : hook {
    ~root_hook() { this->next_ = nullptr; }
  };

 public:
  intrusive_list() noexcept { reset(); }
  intrusive_list(intrusive_list&& other) noexcept : intrusive_list() { splice_back(other); }
  intrusive_list& operator=(intrusive_list&& other) noexcept {
    if (this != &other) {
      clear();
      splice_back(other);
    }
    return *this;
  }
  ~intrusive_list() { clear(); }

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }

  /// The oldest and the newest element; null when the list is empty.
  T* front() const noexcept { return empty() ? nullptr : &element(*root_.next_); }
  T* back() const noexcept { return empty() ? nullptr : &element(*root_.prev_); }

  void push_back(T& item) noexcept { insert_before(root_, item); }
  void push_front(T& item) noexcept { insert_before(*root_.next_, item); }

  /// Takes the oldest or the newest element out; null when the list is empty.
  T* pop_front() noexcept { return pop(front()); }
  T* pop_back() noexcept { return pop(back()); }

  /// Takes an element out. It must be in this list, not in another of the same type.
  void remove(T& item) noexcept {
    hook& links = item;
    assert(links.linked() && size_ != 0);
    links.prev_->next_ = links.next_;
    links.next_->prev_ = links.prev_;
    links.next_ = nullptr;
    links.prev_ = nullptr;
    --size_;
  }

  /// Moves all elements of another list behind the own ones, in their order.
  void splice_back(intrusive_list& other) noexcept {
    if (this == &other || other.empty()) return;
    hook* const first = other.root_.next_;
    hook* const last = other.root_.prev_;
    first->prev_ = root_.prev_;
    root_.prev_->next_ = first;
    last->next_ = &root_;
    root_.prev_ = last;
    size_ += other.size_;
    other.reset();
  }

  /// Calls `visit` with each element, oldest first. It may remove the element it was given.
  template <std::invocable<T&> Visitor>
  void for_each(Visitor visit) const {
    for (hook *at = root_.next_, *next = nullptr; at != &root_; at = next) {
      next = at->next_;
      visit(element(*at));
    }
  }

  /// Unlinks all elements.
  void clear() noexcept {
    while (pop_front() != nullptr) {
    }
  }

 private:
  static T& element(hook& links) noexcept {
    static_assert(std::derived_from<T, hook>, "T derives publicly from list_hook<Tag>");
    return static_cast<T&>(links);
  }

  void insert_before(hook& position, T& item) noexcept {
    hook& links = item;
    assert(!links.linked());
    links.next_ = &position;
    links.prev_ = position.prev_;
    position.prev_->next_ = &links;
    position.prev_ = &links;
    ++size_;
  }

  T* pop(T* item) noexcept {
    if (item != nullptr) remove(*item);
    return item;
  }

  void reset() noexcept {
    root_.next_ = &root_;
    root_.prev_ = &root_;
    size_ = 0;
  }

  root_hook root_;
  std::size_t size_ = 0;
};

}  // namespace tokengate::detail
