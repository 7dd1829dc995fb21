// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

namespace tokengate::detail {

class worker;
struct link;
struct token_base;

/// The worker that a thread is, or null; and what it is running.
struct worker_context {
  worker* self = nullptr;
  token_base* running = nullptr;
  link* from = nullptr;
};

/// Of the calling thread. Looked at for every token, so not behind a function.
extern constinit thread_local worker_context this_worker;

}  // namespace tokengate::detail
