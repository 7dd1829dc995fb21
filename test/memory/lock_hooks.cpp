// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "memory/lock_hooks.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <utility>

// This executable's pthread_mutex_lock and its kin: they note who locks what, then do it. A lock of
// the C library's own (of malloc, say) does not come by here.

namespace tokengate::test {
namespace {

constinit std::atomic<bool> recording{false};
constinit std::atomic_flag busy{};
locks_by_thread recorded;  // under `busy`

/// Not a mutex: this is what they are made of here.
template <class F>
void alone(F what) noexcept {
  while (busy.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
  what();
  busy.clear(std::memory_order_release);
}

void note(void const* lock) noexcept {
  if (!recording.load(std::memory_order_relaxed)) return;
  alone([&] {
    if (recording.load(std::memory_order_relaxed))
      recorded[std::this_thread::get_id()].insert(lock);
  });
}

/// Notes the lock and calls the function that this executable's hides. Each name is a `place`.
template <class Lock>
int note_and_call(std::atomic<int (*)(Lock*)>& place, char const* name, Lock* lock) noexcept {
  auto* real = place.load(std::memory_order_relaxed);
  if (real == nullptr) {
    real = reinterpret_cast<int (*)(Lock*)>(::dlsym(RTLD_NEXT, name));
    place.store(real, std::memory_order_relaxed);
  }
  note(lock);
  return real(lock);
}

}  // namespace

lock_recording::lock_recording() noexcept {
  alone([] { recorded.clear(); });
  recording = true;
}

locks_by_thread lock_recording::stop() noexcept {
  locks_by_thread all;
  alone([&] {
    recording = false;
    all = std::exchange(recorded, {});
  });
  return all;
}

}  // namespace tokengate::test

#define TOKENGATE_HOOK(function, lock_type)                                  \
  extern "C" int function(lock_type* lock) noexcept {                        \
    static constinit std::atomic<int (*)(lock_type*)> real{nullptr};         \
    return tokengate::test::note_and_call<lock_type>(real, #function, lock); \
  }
TOKENGATE_HOOK(pthread_mutex_lock, pthread_mutex_t)
TOKENGATE_HOOK(pthread_mutex_trylock, pthread_mutex_t)
TOKENGATE_HOOK(pthread_rwlock_rdlock, pthread_rwlock_t)
TOKENGATE_HOOK(pthread_rwlock_wrlock, pthread_rwlock_t)
TOKENGATE_HOOK(pthread_rwlock_tryrdlock, pthread_rwlock_t)
TOKENGATE_HOOK(pthread_rwlock_trywrlock, pthread_rwlock_t)
#undef TOKENGATE_HOOK
