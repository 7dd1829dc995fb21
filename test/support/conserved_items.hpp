// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio.hpp>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

/// @file
/// Items with an identity, the books in which each has to come to exactly one end, and the chance
/// by which those who pass them on act.

namespace tokengate::test {

inline constexpr std::uint32_t nobody = 0xffffffff;

/// Who has it can tell: it is moved from when it was taken, and only then.
struct item {
  item() = default;
  item(std::uint32_t sender, std::uint32_t number) noexcept : sender(sender), number(number) {}
  item(item&& other) noexcept : sender(std::exchange(other.sender, nobody)), number(other.number) {}
  item& operator=(item&& other) noexcept {
    sender = std::exchange(other.sender, nobody);
    number = other.number;
    return *this;
  }
  [[nodiscard]] bool here() const noexcept { return sender != nobody; }

  std::uint32_t sender = nobody;
  std::uint32_t number = 0;
};

enum class fate : std::uint8_t { none, received, given_back, left };

/// The end that each item came to. Any thread; an item is minted by its sender's.
class item_books {
 public:
  item_books(std::string name, std::uint32_t senders, std::uint32_t each)
      : name_(std::move(name)), each_(each), minted_(senders, 0), ends_(senders) {
    for (auto& ends : ends_) ends = std::make_unique<std::atomic<fate>[]>(each);
  }

  [[nodiscard]] bool more(std::uint32_t sender) const { return minted_[sender] != each_; }
  [[nodiscard]] item mint(std::uint32_t sender) { return {sender, minted_[sender]++}; }
  void settle(item const& what, fate how) {
    if (!what.here() || what.sender >= ends_.size() || what.number >= each_) {
      ADD_FAILURE() << name_ << ": an item that nobody sent";
      return;
    }
    auto const before = ends_[what.sender][what.number].exchange(how);
    if (before != fate::none)
      ADD_FAILURE() << name_ << ": item " << what.number << " of " << what.sender
                    << " has two ends, " << int(before) << " and " << int(how);
  }

  /// At the end: how many came to which. Fails for each that is missing.
  struct totals {
    std::uint64_t received = 0, given_back = 0, left = 0, lost = 0;
  };
  [[nodiscard]] totals close() const {
    totals all;
    for (std::size_t sender = 0; sender != ends_.size(); ++sender)
      for (std::uint32_t number = 0; number != each_; ++number) switch (ends_[sender][number]) {
          case fate::received:
            ++all.received;
            break;
          case fate::given_back:
            ++all.given_back;
            break;
          case fate::left:
            ++all.left;
            break;
          case fate::none:
            if (++all.lost <= 5)
              ADD_FAILURE() << name_ << ": item " << number << " of " << sender << " was lost";
        }
    EXPECT_EQ(all.lost, 0u) << name_;
    return all;
  }

 private:
  std::string const name_;
  std::uint32_t const each_;
  std::vector<std::uint32_t> minted_;
  std::vector<std::unique_ptr<std::atomic<fate>[]>> ends_;
};

/// The numbers of each sender as one receiver sees them.
class rising_numbers {
 public:
  rising_numbers(std::string name, std::uint32_t senders)
      : name_(std::move(name)), next_(senders, 0) {}
  void saw(std::uint32_t sender, std::uint32_t number) {
    if (number < next_[sender])
      ADD_FAILURE() << name_ << ": " << number << " of " << sender << " after "
                    << next_[sender] - 1;
    next_[sender] = number + 1;
  }

 private:
  std::string const name_;
  std::vector<std::uint32_t> next_;
};

/// What is thrown by chance.
struct mishap : std::exception {
  mishap() { ++thrown; }
  static inline std::atomic<std::uint64_t> thrown{0};
};

class chance {
 public:
  explicit chance(std::uint32_t seed) : random_(seed) {}
  [[nodiscard]] bool one_in(std::uint32_t n) { return random_() % n == 0; }
  [[nodiscard]] std::uint32_t below(std::uint32_t n) {
    return static_cast<std::uint32_t>(random_() % n);
  }
  [[nodiscard]] std::chrono::nanoseconds patience(std::uint32_t most) {
    return std::chrono::nanoseconds(below(most));
  }

 private:
  std::mt19937 random_;
};

/// What a party on a loop gives its waits up with. Its operations are on that loop, and so are its
/// emissions.
class giving_up {
 public:
  giving_up(boost::asio::io_context& loop, chance& random)
      : timer(loop), loop_(&loop), random_(&random) {}

  [[nodiscard]] boost::asio::io_context& loop() const { return *loop_; }
  /// The slot of a signal that emits after as many turns of the loop as chance has it: while the
  /// operation waits, when it is decided and not delivered, or at a later one.
  [[nodiscard]] boost::asio::cancellation_slot slot() {
    hop(random_->below(4));
    return signal_.slot();
  }
  [[nodiscard]] auto timeout() {
    timer.expires_after(random_->patience(20'000));
    return timer.async_wait(boost::asio::use_awaitable);
  }

  boost::asio::steady_timer timer;

 private:
  void hop(std::uint32_t more) {
    boost::asio::post(*loop_, [this, more] {
      if (more != 0) return hop(more - 1);
      signal_.emit(random_->one_in(2) ? boost::asio::cancellation_type::terminal
                                      : boost::asio::cancellation_type::total);
    });
  }

  boost::asio::io_context* loop_;
  chance* random_;
  boost::asio::cancellation_signal signal_;
};

/// Starts a coroutine, and anew whenever it ends by a mishap; `done` when it ends well. The handler
/// throws now and then.
template <class Start, class Done>
void keep_running(boost::asio::io_context& loop, chance& random, Start start, Done done) {
  boost::asio::co_spawn(loop, start(), [&, start, done](std::exception_ptr ended) {
    try {
      if (ended) std::rethrow_exception(ended);
      done();
    } catch (mishap const&) {
      keep_running(loop, random, start, done);
    } catch (std::exception const& other) {
      ADD_FAILURE() << other.what();
      done();
    }
    if (random.one_in(2)) throw mishap();
  });
}

/// Runs a loop to its end, whatever its handlers throw.
inline void run_with_mishaps(boost::asio::io_context& loop) {
  while (!loop.stopped()) try {
      loop.run();
    } catch (mishap const&) {
    } catch (boost::asio::multiple_exceptions const&) {  // of handlers in one turn of Asio's
    }
}

}  // namespace tokengate::test
