// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <mutex>

#include "support/conserved_items.hpp"
#include "support/outcome.hpp"
#include "tokengate/channel.hpp"

/// @file
/// Channels that are closed at any moment and replaced, and what all who send and receive through
/// them do.

namespace tokengate::test {

/// One channel after another in one place.
class line {
 public:
  /// A channel of it. Who lets it go last reads what it was closed with.
  struct generation {
    generation(channel_options<item> const& options, item_books& books)
        : of(options), books(&books) {}
    generation(generation const&) = delete;
    generation& operator=(generation const&) = delete;
    ~generation() {
      of.close();
      while (auto const left = of.try_receive()) books->settle(*left, fate::left);
    }
    channel<item> of;
    item_books* books;
  };
  using pointer = std::shared_ptr<generation>;

  line(channel_options<item> const& options, item_books& books, int senders, bool in_order)
      : in_order(in_order), options_(options), books_(&books), senders_(senders), at_(make()) {}

  /// Null once all senders are done.
  [[nodiscard]] pointer now() {
    std::lock_guard hold(mutex_);
    return at_;
  }
  void replace(pointer const& old) {
    auto fresh = make();
    {
      std::lock_guard hold(mutex_);
      if (at_ == old) {
        at_.swap(fresh);
        ++closed_;
      }
    }
    old->of.close();
  }
  void sender_done() {
    pointer last;
    std::lock_guard hold(mutex_);
    if (--senders_ != 0) return;
    last.swap(at_);
    last->of.close();
  }

  [[nodiscard]] std::uint64_t closed() const { return closed_; }  ///< at the end

  bool const in_order;  ///< one receiver sees them all

 private:
  [[nodiscard]] pointer make() const { return std::make_shared<generation>(options_, *books_); }

  channel_options<item> const options_;
  item_books* const books_;
  std::mutex mutex_;
  int senders_;
  std::uint64_t closed_ = 1;
  pointer at_;
};

/// Either end of a line.
struct line_end {
  line_end(line& where, item_books& books, std::uint32_t id, std::uint32_t seed)
      : where(&where), books(&books), id(id), random(seed), at(where.now()) {}

  /// Now and then the channel is closed, or all its waits are given up.
  void meddle() {
    if (random.one_in(1000)) where->replace(at);
    if (random.one_in(500)) at->of.cancel();
  }

  line* where;
  item_books* books;
  std::uint32_t id;
  chance random;
  line::pointer at;
};

struct sending_end : line_end {
  using line_end::line_end;

  /// False: it has sent its share.
  [[nodiscard]] bool ready() {
    if (at->of.closed()) at = where->now();
    if (books->more(id)) return true;
    at = nullptr;
    where->sender_done();
    return false;
  }
  [[nodiscard]] item mint() {
    meddle();
    return books->mint(id);
  }
  void give_back(item const& what) {
    EXPECT_EQ(what.sender, id);
    books->settle(what, fate::given_back);
  }
  /// Of a send that owned its item.
  void give_back(std::exception_ptr const& failed) {
    if (!failed) return;
    try {
      std::rethrow_exception(failed);
    } catch (not_sent<item> const& back) {
      give_back(back.item());
    }
  }
  /// Of one that did not.
  void give_back(item const& what, std::exception_ptr const& failed) {
    EXPECT_EQ(what.here(), failed != nullptr) << "taken, and failed";
    if (failed) give_back(what);
  }
};

struct receiving_end : line_end {
  receiving_end(line& where, item_books& books, std::uint32_t senders, std::uint32_t seed)
      : line_end(where, books, nobody, seed), seen("channel", senders) {}

  /// False: there is no channel any more. It leaves a closed one at once, or reads it to its end.
  [[nodiscard]] bool ready() {
    if (at == nullptr) return false;
    if (at->of.closed() && random.one_in(4)) at = where->now();
    if (at != nullptr) meddle();
    return at != nullptr;
  }
  void take(item const& what) {
    books->settle(what, fate::received);
    if (where->in_order) seen.saw(what.sender, what.number);
  }
  void take(std::vector<item>& batch) {
    for (item const& each : batch) take(each);
    batch.clear();
  }
  void told(std::exception_ptr const& failed) {
    if (code_of(failed) == error::closed) at = where->now();
  }
  void take(std::exception_ptr const& failed, item const& what) {
    EXPECT_EQ(what.here(), failed == nullptr);
    if (!failed) take(what);
    told(failed);
  }

  rising_numbers seen;
};

}  // namespace tokengate::test
