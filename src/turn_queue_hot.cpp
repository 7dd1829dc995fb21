// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <algorithm>
#include <optional>
#include <utility>

#include "cgroup.hpp"
#include "core_load.hpp"
#include "tokengate/detail/sync.hpp"
#include "tokengate/detail/tick_clock.hpp"
#include "tokengate/hot_waits.hpp"
#include "tokengate/impl/thread_wait.hpp"
#include "tokengate/impl/turn_queue.hpp"
#include "topology.hpp"

// When a loop stays awake for what other threads complete on it, and how it waits then.
//
// To wake a sleeping loop costs whoever does it a system call, and the loop some tens of
// microseconds. Polling for about as long costs at most twice what the better of the two would
// have (Karlin, Manasse, McGeoch, Owicki, "Competitive randomized algorithms for nonuniform
// problems", 1990); spells that found nothing are followed by longer and longer pauses.

namespace tokengate::detail {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds usual_limit = 30us;
/// After that an automatic spell ends, though completions keep coming: poll() has to return.
constexpr std::chrono::nanoseconds longest_spell = 2ms;
/// A turn polls this long at a time before the sockets get theirs, and goes on for about so long
/// while completions keep coming.
constexpr std::chrono::nanoseconds poll_within_turn = 1500ns;
constexpr std::chrono::nanoseconds turn_time = 8us;
/// One operation waits so long in place, and looks again so often.
constexpr std::chrono::nanoseconds pause = 600ns;
constexpr std::chrono::nanoseconds moment = 2000ns;
constexpr std::chrono::nanoseconds thread_moment = 10us;
constexpr std::uint32_t longest_pause = 255;
constexpr std::uint32_t most_skipped = 31;

struct hot_machine {
  int cores;
  std::uint64_t spell_ticks;
  std::uint64_t poll_ticks;
  std::uint64_t turn_ticks;
  std::uint64_t pause_ticks;
  std::uint64_t moment_ticks;
  std::uint64_t thread_ticks;
};

/// Read while the program is loaded, before any thread was pinned and before objects of the user
/// are built.
struct cores_of_process {
  int number = static_cast<int>(affinity_mask().size());
};
[[gnu::init_priority(102)]] cores_of_process const at_start;

/// Under a quota that cannot be read for want of memory there is none.
std::optional<double> quota_of_process() noexcept {
  try {
    return cgroup_cpu_quota();
  } catch (...) {
    return std::nullopt;
  }
}

hot_machine const& machine() noexcept {
  static hot_machine const found = [] {
    auto const quota = quota_of_process();
    return hot_machine{
        quota ? std::min(at_start.number, static_cast<int>(*quota)) : at_start.number,
        tick_clock::to_ticks(longest_spell),
        tick_clock::to_ticks(poll_within_turn),
        tick_clock::to_ticks(turn_time),
        tick_clock::to_ticks(pause),
        tick_clock::to_ticks(moment),
        tick_clock::to_ticks(thread_moment)};
  }();
  return found;
}

/// Whether there are cores for so many threads that poll, besides the workers.
[[nodiscard]] bool enough_cores(int queues) noexcept {
  auto const awake = core_load::get().awake_workers.load(std::memory_order_relaxed);
  return machine().cores > 1 && queues + awake <= machine().cores;
}

}  // namespace

/// The turn that the thread is in.
constinit thread_local turn_queue::turn_here turn_queue::here{};
constinit thread_local turn_queue::look_luck turn_queue::luck{};

std::uint64_t turn_queue::default_hot_ticks() {
  static_cast<void>(machine());
  return tick_clock::to_ticks(usual_limit);
}

void turn_queue::set_hot(hot_drain policy, std::chrono::nanoseconds limit) noexcept {
  lock hold(mutex_);
  hot_policy_ = policy;
  hot_ticks_ = std::min(tick_clock::to_ticks(limit), std::uint64_t{1} << 62);
  pause_ = useless_ = 0;
  if (policy != hot_drain::off) return;
  foreign_ = false;
  cool_down();
}

turn_queue::looks turn_queue::looks_here(std::uint64_t now) const noexcept {
  if (luck.skip != 0) {
    --luck.skip;
    return {1, 0};
  }
  return {machine().pause_ticks, std::min(here.enough, now + machine().moment_ticks)};
}

/// What is awaited may be up to this very thread: then looking only keeps it from happening.
bool turn_queue::looked(bool found) noexcept {
  luck.misses = found ? 0 : std::min(2 * luck.misses + 1, most_skipped);
  luck.skip = luck.misses;
  here.found = here.found || found;
  return found;
}

/// A wait was added to ready_.
void turn_queue::note_completion() noexcept {
  any_ready_.store(true, std::memory_order_relaxed);
  if (foreign_ || here.queue == this || hot_policy_ == hot_drain::off) return;
  foreign_ = !loop().get_executor().running_in_this_thread();
}

bool turn_queue::may_become_hot() const noexcept {
  if (hot_policy_ == hot_drain::off) return false;
  auto& queues = core_load::get().hot_queues;
  auto const now_hot = queues.fetch_add(1, std::memory_order_relaxed) + 1;
  if (hot_policy_ == hot_drain::always || enough_cores(now_hot)) return true;
  queues.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

/// Gives the time until which the turn may poll; 0 when it is not hot.
std::uint64_t turn_queue::begin_hot_turn() noexcept {
  if (foreign_ && !is_hot()) {
    foreign_ = false;
    if (pause_ != 0 && hot_policy_ != hot_drain::always) {
      --pause_;
      return 0;
    }
    if (!may_become_hot()) return 0;
    hot_.store(true, std::memory_order_relaxed);
    found_ = false;
    auto const now = tick_clock::now();
    hot_until_ = now + hot_ticks_;
    spell_end_ = hot_policy_ == hot_drain::always
                     ? ~std::uint64_t{0}
                     : now + std::max(machine().spell_ticks, hot_ticks_);
  }
  return is_hot() ? tick_clock::now() + machine().turn_ticks : 0;
}

/// Waits a moment for a completion. The queue is armed meanwhile. Lets the lock go and takes it
/// again.
void turn_queue::poll(lock& hold) noexcept {
  if (!is_hot() || polling_ || loop_waits_ == 0) return;
  auto now = tick_clock::now();
  if (now >= here.enough) return;
  polling_ = true;
  hold.unlock();
  auto const until = now + machine().poll_ticks;
  while (!any_ready_.load(std::memory_order_relaxed) && now < until) {
    std_sync::spin_hint();
    now = tick_clock::now();
  }
  hold.lock();
  polling_ = false;
}

/// At the end of a turn that has nothing more to deliver.
bool turn_queue::stay_hot() noexcept {
  if (!is_hot() || polling_) return false;
  auto const now = tick_clock::now();
  if (std::exchange(foreign_, false) || std::exchange(here.found, false)) {
    found_ = true;
    hot_until_ = now + hot_ticks_;
  }
  auto const queues = core_load::get().hot_queues.load(std::memory_order_relaxed);
  if (loop_waits_ != 0 && now < std::min(hot_until_, spell_end_) &&
      (hot_policy_ == hot_drain::always || enough_cores(queues)))
    return true;
  if (found_)
    useless_ = 0;
  else if (loop_waits_ != 0 && now >= std::min(hot_until_, spell_end_))
    pause_ = useless_ = std::min(2 * useless_ + 1, longest_pause);
  cool_down();
  return false;
}

void turn_queue::cool_down() noexcept {
  if (hot_.exchange(false, std::memory_order_relaxed))
    core_load::get().hot_queues.fetch_sub(1, std::memory_order_relaxed);
}

looking::looking(std::chrono::nanoseconds timeout) noexcept : begun_(tick_clock::now()), until_(0) {
  auto const queues = core_load::get().hot_queues.load(std::memory_order_relaxed);
  if (enough_cores(queues + 1))
    until_ = begun_ + std::min(machine().thread_ticks, tick_clock::to_ticks(timeout));
}

std::chrono::nanoseconds looking::left(std::chrono::nanoseconds timeout) const noexcept {
  if (timeout == wait_forever) return timeout;
  auto const gone = tick_clock::to_ns(tick_clock::elapsed(begun_, tick_clock::now()));
  return timeout - std::chrono::nanoseconds(gone);
}

bool looking::next() noexcept {
  auto now = tick_clock::now();
  auto const look = now + machine().pause_ticks;
  if (look >= until_) return false;
  for (; now < look; now = tick_clock::now()) std_sync::spin_hint();
  return true;
}

}  // namespace tokengate::detail

namespace tokengate {

void hot_waits(asio::io_context& loop, hot_drain policy, std::chrono::nanoseconds limit) {
  detail::turn_queue::of(loop).set_hot(policy, limit);
}

}  // namespace tokengate
