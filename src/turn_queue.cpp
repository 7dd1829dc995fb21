// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/impl/turn_queue.hpp"

#include <algorithm>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/defer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <cassert>
#include <thread>
#include <vector>

namespace tokengate::detail {

asio::execution_context::id turn_queue::id;

namespace {

/// All queues of the process, for on_any_loop().
struct all_queues {
  std::mutex mutex;
  std::vector<turn_queue*> queues;
  static all_queues& get() {
    static all_queues& all = *new all_queues;  // never destroyed: contexts may be static objects
    return all;
  }
};

/// Counts the queues that have ended: what a thread remembers from before may be gone.
constinit std::atomic<std::uint64_t> epoch{1};

struct remembered {
  asio::execution_context* context;
  turn_queue* queue;
  std::uint64_t epoch;
};
constinit thread_local remembered last{};

}  // namespace

/// The armed turn. There is one at a time, so its memory is the queue's own and cannot fail.
template <class T>
struct turn_queue::turn_memory {
  using value_type = T;

  explicit turn_memory(turn_queue& of) noexcept : of(&of) {}
  template <class U>
  turn_memory(turn_memory<U> const& other) noexcept : of(other.of) {}

  [[nodiscard]] T* allocate(std::size_t n) {
    static_assert(alignof(T) <= block_alignment);
    if (n * sizeof(T) > reserve_size) return block_allocator<T>{}.allocate(n);
    return static_cast<T*>(static_cast<void*>(of->reserve_));
  }
  void deallocate(T* memory, std::size_t n) noexcept {
    if (n * sizeof(T) > reserve_size) block_allocator<T>{}.deallocate(memory, n);
  }
  template <class U>
  bool operator==(turn_memory<U> const& other) const noexcept {
    return of == other.of;
  }

  turn_queue* of;
};

struct turn_queue::turn {
  using allocator_type = turn_memory<void>;
  turn_queue* queue;
  [[nodiscard]] allocator_type get_allocator() const noexcept { return allocator_type(*queue); }
  void operator()() { queue->run_turn(); }
};

turn_queue::turn_queue(asio::execution_context& owner)
    : service(owner), hot_ticks_(default_hot_ticks()) {
  // The service of strands has to be the older one: contexts shut down the newest first, and while
  // this one has not, other threads post to strands. By its own name: making a strand, Asio does
  // not survive an allocation that fails.
  asio::use_service<asio::detail::strand_executor_service>(owner);
  std::lock_guard hold(all_queues::get().mutex);
  all_queues::get().queues.push_back(this);
}

turn_queue::~turn_queue() {
  // A queue that was made while its context went has seen none.
  if (!down_) shutdown();
  // Here and not in shutdown(): what is destroyed by that may still start operations.
  epoch.fetch_add(1, std::memory_order_acq_rel);
}

turn_queue& turn_queue::of(asio::execution_context& context) {
  // acquire: a context at the address of a dead one is known with the end of that one.
  auto const now = epoch.load(std::memory_order_acquire);
  if (last.context == &context && last.epoch == now) return *last.queue;
  turn_queue& found = asio::use_service<turn_queue>(context);
  last = {&context, &found, now};
  return found;
}

asio::io_context& turn_queue::loop() noexcept {
  return static_cast<asio::io_context&>(context());
}

void turn_queue::link(queued_wait& wait, intrusive_list<queued_wait, turn_queue>& list) noexcept {
  list.push_back(wait);
  if (!wait.by_turns_) return;
  ++loop_waits_;
  if (work_) return;
  is_loop();
  work_.emplace(asio::require(loop().get_executor(), asio::execution::outstanding_work.tracked));
}

bool turn_queue::enter(queued_wait& wait) noexcept {
  lock hold(mutex_);
  if (!down_) {
    link(wait, waiting_);
    return true;
  }
  hold.unlock();
  wait.ops_->destroy(wait);
  return false;
}

bool turn_queue::enter(queued_wait& wait, wait_clock::time_point limit) {
  if (limit == no_wait_limit) return enter(wait);
  lock hold(mutex_);
  if (!down_) {
    if (!timer_) timer_.emplace(context_executor{&context()});
    limits_.push(limit, wait);
    try {
      set_timer();
    } catch (...) {
      limits_.remove(wait);
      throw;
    }
    wait.starting_ = wait.pinned_ = true;
    link(wait, waiting_);
    return true;
  }
  hold.unlock();
  wait.ops_->destroy(wait);
  return false;
}

void turn_queue::started(queued_wait& wait, bool decided) noexcept {
  lock hold(mutex_);
  wait.starting_ = false;
  wait.decided_ = wait.decided_ || decided;
  if (down_) return;  // shutdown() waits for this, and goes on with the wait
  if (wait.decided_) {
    wait.pinned_ = false;
    settle(wait, hold);
  } else if (wait.late_) {
    end_late(wait, hold);
  } else {
    wait.pinned_ = false;
  }
}

void turn_queue::enter_decided(queued_wait& wait) noexcept {
  lock hold(mutex_);
  if (down_) {
    hold.unlock();
    return wait.ops_->destroy(wait);
  }
  link(wait, ready_);
  arm(hold);
}

void turn_queue::complete(queued_wait& wait) noexcept {
  lock hold(mutex_);
  if (wait.pinned_)
    wait.decided_ = true;
  else
    settle(wait, hold);
}

/// Takes a wait out of waiting_ and on its way. Lets the lock go.
void turn_queue::settle(queued_wait& wait, lock& hold) noexcept {
  waiting_.remove(wait);
  limits_.remove(wait);
  if (wait.by_turns_) {
    ready_.push_back(wait);
    return arm(hold);
  }
  rest_timer();
  posters_.fetch_add(1, std::memory_order_relaxed);
  hold.unlock();
  wait.ops_->post(wait);
  posters_.fetch_sub(1, std::memory_order_release);
}

/// A wait was added to ready_. Lets the lock go.
void turn_queue::arm(lock& hold) noexcept {
  note_completion();
  if (std::exchange(armed_, true)) return hold.unlock();
  posters_.fetch_add(1, std::memory_order_relaxed);
  hold.unlock();
  post_turn();
  posters_.fetch_sub(1, std::memory_order_release);
}

void turn_queue::post_turn() noexcept {
  asio::post(loop().get_executor(), turn{this});
}

/// From a turn that has nothing more to deliver: stays with this thread.
void turn_queue::defer_turn() noexcept {
  asio::defer(loop().get_executor(), turn{this});
}

void turn_queue::run_turn() {
  struct leaving {
    turn_queue& queue;
    turn_here const outer = here;
    ~leaving() {
      here = outer;
      lock hold(queue.mutex_);
      if (queue.loop_waits_ == 0) queue.work_.reset();  // the turn itself was work of the loop
      queue.rest_timer();
    }
  } at_end{*this};
  lock hold(mutex_);
  here = {this, begin_hot_turn()};
  // It stays armed while it polls: what comes then is its own to deliver.
  if (ready_.empty()) poll(hold);
  armed_ = false;
  for (here.left = budget; here.left > 0;) {
    if (ready_.empty() && armed_) poll(hold);
    queued_wait* const next = ready_.pop_front();
    if (next == nullptr) break;
    if (ready_.empty()) any_ready_.store(false, std::memory_order_relaxed);
    --loop_waits_;
    --here.left;
    bool const post = (!ready_.empty() || is_hot()) && !std::exchange(armed_, true);
    hold.unlock();
    // Before the handler runs: if it throws, or takes long, the rest is not stuck behind it.
    if (post) post_turn();
    next->ops_->deliver(*next);
    hold.lock();
  }
  bool const again = ready_.empty() && stay_hot() && !std::exchange(armed_, true);
  hold.unlock();
  if (again) defer_turn();
}

/// Under the lock, which also makes the timer's uses one at a time.
void turn_queue::set_timer() {
  auto const next = limits_.next();
  if (!next || *next >= timer_at_) return;
  timer_at_ = no_wait_limit;  // setting it anew cancels the old wait first
  timer_->expires_at(*next);
  timer_->async_wait(
      asio::bind_allocator(block_allocator<void>{}, [this](boost::system::error_code failed) {
        if (failed != asio::error::operation_aborted) on_timer();
      }));
  timer_at_ = *next;
}

/// A timer that runs on would keep run() from returning.
void turn_queue::rest_timer() noexcept {
  if (timer_at_ == no_wait_limit || !limits_.empty() || !timer_) return;
  timer_at_ = no_wait_limit;
  timer_->cancel();
}

/// The time of a wait, which is pinned, has passed. Lets the lock go.
void turn_queue::end_late(queued_wait& wait, lock& hold) noexcept {
  hold.unlock();
  bool const given_up = wait.ops_->give_up(wait, wait_outcome::timed_out);
  hold.lock();
  wait.pinned_ = false;
  if (!given_up && !wait.decided_) return hold.unlock();  // who decided it is about to say so
  settle(wait, hold);
}

void turn_queue::on_timer() noexcept {
  lock hold(mutex_);
  auto const now = wait_clock::now();
  // An earlier wait of the timer, which could not be cancelled any more, may come while it runs.
  if (timer_at_ <= now) timer_at_ = no_wait_limit;
  while (queued_wait* late = limits_.pop_expired(now)) {
    if (late->starting_) {
      late->late_ = true;  // its core does not know it yet: started() goes on with it
      continue;
    }
    late->pinned_ = true;
    end_late(*late, hold);
    hold.lock();
  }
  try {
    if (timer_ && !down_) set_timer();
  } catch (...) {
    // Without memory for the timer they are noticed when it is next set.
  }
}

void turn_queue::forget() noexcept {
  std::lock_guard hold(all_queues::get().mutex);
  std::erase(all_queues::get().queues, this);
}

void turn_queue::shutdown() {
  forget();
  lock hold(mutex_);
  down_ = true;
  cool_down();
  limits_.clear();
  while (queued_wait* wait = waiting_.front()) {
    bool decided = false;
    wait->pinned_ = true;
    while (wait->starting_ || (!decided && !wait->decided_)) {
      // Some thread has unlinked it from its core, or has not linked it yet, and is on its way.
      hold.unlock();
      decided = decided || wait->ops_->give_up(*wait, wait_outcome::cancelled);
      std::this_thread::yield();
      hold.lock();
    }
    waiting_.remove(*wait);
    hold.unlock();
    wait->ops_->destroy(*wait);
    hold.lock();
  }
  while (queued_wait* wait = ready_.pop_front()) {
    hold.unlock();
    wait->ops_->destroy(*wait);
    hold.lock();
  }
  loop_waits_ = 0;
  work_.reset();
  timer_.reset();
  hold.unlock();
  while (posters_.load(std::memory_order_acquire) != 0) std::this_thread::yield();
}

bool turn_queue::on_any_loop() noexcept {
  auto& all = all_queues::get();
  std::lock_guard hold(all.mutex);
  return std::ranges::any_of(all.queues, [](turn_queue* each) {
    return each->has_loop_.load(std::memory_order_relaxed) &&
           each->loop().get_executor().running_in_this_thread();
  });
}

}  // namespace tokengate::detail
