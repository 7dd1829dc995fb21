// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Nobody is overtaken: waits that begin in a known order, on one loop or on two threads, some of
// them cancelled or limited, are served in that order, and who only tries does not get in between.
// Counted, not timed. Locks and channels; the others: fairness_talk_test.cpp.
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include "stress/queue_of_waits.hpp"
#include "tokengate/async_mutex.hpp"
#include "tokengate/async_semaphore.hpp"
#include "tokengate/async_shared_mutex.hpp"
#include "tokengate/channel.hpp"
#include "tokengate/monitor.hpp"

namespace tokengate::test {
namespace {

using namespace std::chrono_literals;

/// Holds what it was given for a while, or for no time.
template <class Guard>
void enter(queue_of_waits& in, wait& of, std::exception_ptr failed, Guard held) {
  if (failed) return in.ended(of);
  of.served = true;
  of.entered = in.now();
  auto leave = [&in, &of, held = std::make_shared<Guard>(std::move(held))]() mutable {
    of.left = in.now();
    held.reset();
    in.ended(of);
  };
  if (of.weight % 2 == 0) return leave();
  asio::post(in.loop(of.loop), std::move(leave));
}

void expect_in_order(queue_of_waits& in) {
  auto& all = in.waits();
  for (std::size_t j = 0; j != all.size(); ++j) {
    expect_ended(all[j]);
    if (!all[j].served) continue;
    for (std::size_t i = 0; i != j; ++i) {
      if (!all[i].served) continue;
      if (all[i].weight + all[j].weight > in.capacity()) {
        EXPECT_LT(all[i].left, all[j].entered) << j << " has overtaken " << i;
      } else if (!in.two() && !all[j].tries) {
        // On two threads a handler may be called later than that of one who came behind it; and who
        // tries has it before the handlers are called of those who got it before.
        EXPECT_LT(all[i].entered, all[j].entered) << j << " has overtaken " << i;
      }
    }
  }
}

/// `begin(wait, handler)` and `attempt(wait)` with the kind of lock that it is.
template <class Begin, class Attempt, class Open>
void queue_up(queue_of_waits& in, Begin begin, Attempt attempt, Open open) {
  in.run(
      [&in, begin, attempt](wait& of, std::size_t) {
        if (of.tries) {
          auto held = attempt(of);
          return held ? enter(in, of, nullptr, std::move(held)) : in.ended(of);
        }
        begin(of, [&in, &of](std::exception_ptr failed, auto held) {
          enter(in, of, std::move(failed), std::move(held));
        });
      },
      open, [] {});
  expect_in_order(in);
}

class fairness : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(on, fairness, testing::Bool(),
                         [](auto const& each) { return each.param ? "two_threads" : "one_loop"; });

TEST_P(fairness, of_a_mutex) {
  for (unsigned round = 0; round != fairness_rounds() && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    queue_of_waits in(round + 1, GetParam(), 1);
    async_mutex mutex(in.loop(0));
    auto held = std::make_optional(mutex.try_lock());
    queue_up(
        in,
        [&](wait& of, auto handler) {
          start(mutex.async_lock(), of, on_its_loop(in, of, std::move(handler)));
        },
        [&](wait const&) { return mutex.try_lock(); }, [&] { held.reset(); });
  }
}

TEST_P(fairness, of_a_shared_mutex) {
  for (unsigned round = 0; round != fairness_rounds() && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    std::size_t const all = 1000;
    queue_of_waits in(round + 1, GetParam(), all);
    for (auto& each : in.waits()) each.weight = each.weight % 3 == 0 ? all : 1;
    async_shared_mutex mutex(in.loop(0));
    auto held = std::make_optional(mutex.try_lock());
    queue_up(
        in,
        [&](wait& of, auto handler) {
          if (of.weight == all)
            start(mutex.async_lock(), of, on_its_loop(in, of, std::move(handler)));
          else
            start(mutex.async_lock_shared(), of, on_its_loop(in, of, std::move(handler)));
        },
        [&](wait const& of) {
          std::optional<std::variant<async_shared_mutex::guard, async_shared_mutex::shared_guard>>
              held;
          if (of.weight == all) {
            if (auto one = mutex.try_lock()) held = std::move(one);
          } else if (auto one = mutex.try_lock_shared()) {
            held = std::move(one);
          }
          return held;
        },
        [&] { held.reset(); });
  }
}

TEST_P(fairness, of_a_semaphore_with_weights) {
  for (unsigned round = 0; round != fairness_rounds() && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    std::size_t const permits = 1 + round % 5;
    queue_of_waits in(round + 1, GetParam(), permits);
    async_semaphore slots(in.loop(0), permits);
    auto held = std::make_optional(slots.try_acquire(permits));
    queue_up(
        in,
        [&](wait& of, auto handler) {
          start(slots.async_acquire(of.weight), of, on_its_loop(in, of, std::move(handler)));
        },
        [&](wait const& of) { return slots.try_acquire(of.weight); }, [&] { held.reset(); });
  }
}

// Conditions that are false until the first unlock, and hold from then on: who waits for one has a
// place in the queue as the others.
TEST_P(fairness, of_a_monitor) {
  for (unsigned round = 0; round != fairness_rounds() && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    queue_of_waits in(round + 1, GetParam(), 1);
    std::minstd_rand random(round + 1);
    for (auto& each : in.waits()) each.value = random() % 2;
    monitor<bool> ready(in.loop(0), "ready", false);
    auto const holds = [](bool is) { return is; };
    auto held = std::make_optional(ready.try_lock());
    queue_up(
        in,
        [&](wait& of, auto handler) {
          if (of.value == 0)
            start(ready.async_lock(), of, on_its_loop(in, of, std::move(handler)));
          else
            start(ready.async_lock_when(holds), of, on_its_loop(in, of, std::move(handler)));
        },
        [&](wait const& of) {
          return of.value == 0 ? ready.try_lock() : ready.try_lock_when(holds);
        },
        [&] {
          **held = true;
          held.reset();
        });
  }
}

TEST_P(fairness, of_receivers) {
  for (unsigned round = 0; round != fairness_rounds() && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    queue_of_waits in(round + 1, GetParam(), 1);
    // An item that a receive gives back is the next one's, who may come after others that have got
    // later ones: the order tells of the waits only where none gives up.
    bool const nobody_gives_up = round % 2 == 0;
    for (auto& each : in.waits()) {
      if (!nobody_gives_up) break;
      each.limit.reset();
      each.cancelled = false;
    }
    channel<int> items(in.loop(0).get_executor(), round / 2 % 4);
    in.run(
        [&](wait& of, std::size_t) {
          if (of.tries) {
            auto item = items.try_receive();
            of.served = item.has_value();
            of.value = item.value_or(-1);
            return in.ended(of);
          }
          start(items.async_receive(), of,
                on_its_loop(in, of, [&in, &of](std::exception_ptr failed, int item) {
                  of.served = !failed;
                  of.value = item;
                  in.ended(of);
                }));
        },
        [&] {
          for (int i = 0; i != static_cast<int>(in.waits().size()); ++i)
            items.async_send(i, asio::bind_executor(in.loop(0), [](std::exception_ptr) {}));
        },
        [&] { items.close(); });
    int last = -1;
    std::set<int> got;
    for (auto& each : in.waits()) {
      expect_ended(each);
      if (!each.served) continue;
      EXPECT_TRUE(got.insert(each.value).second) << "received twice: " << each.value;
      if (nobody_gives_up) {
        EXPECT_GT(each.value, last) << "overtaken";
      }
      last = each.value;
    }
  }
}

TEST_P(fairness, of_senders) {
  for (unsigned round = 0; round != fairness_rounds() && !HasFailure(); ++round) {
    SCOPED_TRACE(round);
    queue_of_waits in(round + 1, GetParam(), 1);
    channel<int> items(in.loop(0).get_executor(), round % 4);
    std::vector<int> got;
    auto drain = [](channel<int>* from, std::vector<int>* got) -> asio::awaitable<void> {
      for (;;) {
        auto [failed, item] = co_await from->async_receive(asio::as_tuple(asio::use_awaitable));
        if (failed) break;
        got->push_back(item);
      }
    };
    in.run(
        [&](wait& of, std::size_t number) {
          if (of.tries) {
            of.served = items.try_send(static_cast<int>(number));
            return in.ended(of);
          }
          start(items.async_send(static_cast<int>(number)), of,
                on_its_loop(in, of, [&in, &of](std::exception_ptr failed) {
                  of.served = !failed;
                  in.ended(of);
                }));
        },
        [&] { asio::co_spawn(in.loop(1), drain(&items, &got), asio::detached); },
        [&] { items.close(); });
    // Where all had ended before anybody received.
    while (auto item = items.try_receive()) got.push_back(*item);
    std::vector<int> expected;
    for (std::size_t i = 0; i != in.waits().size(); ++i) {
      expect_ended(in.waits()[i]);
      if (in.waits()[i].served) expected.push_back(static_cast<int>(i));
    }
    EXPECT_EQ(got, expected) << "those that were sent, in their order";
  }
}

}  // namespace
}  // namespace tokengate::test
