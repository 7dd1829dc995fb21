// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include <exception>
#include <tokengate/tokengate.hpp>
#include <utility>

#include "task_runner.hpp"

namespace offload_server {
namespace {

class gate_runner final : public task_runner {
 public:
  gate_runner(boost::asio::io_context& loop, std::size_t cores, const cpu_work& work)
      : workers_(pool_options(cores)),
        gate_(loop.get_executor(), workers_),
        light_(
            guard(gate_, options("light", tokengate::weight::light), task(work, task_kind::light))),
        medium_(guard(gate_, options("medium", tokengate::weight::medium),
                      task(work, task_kind::medium))),
        heavy_(guard(gate_, options("heavy", tokengate::weight::heavy),
                     task(work, task_kind::heavy))) {}

  void submit(task_kind kind, std::function<void()> done) override {
    // Nothing limits these tokens and nothing in them throws, so that there is no error to expect.
    auto handler = [done = std::move(done)](const std::exception_ptr&) { done(); };
    switch (kind) {
      case task_kind::light:
        light_(std::move(handler));
        break;
      case task_kind::medium:
        medium_(std::move(handler));
        break;
      case task_kind::heavy:
        heavy_(std::move(handler));
        break;
    }
  }

 private:
  class task {
   public:
    task(const cpu_work& work, task_kind kind)
        : work_(work), milliseconds_(task_ms[static_cast<std::size_t>(kind)]) {}
    void operator()() const { work_(milliseconds_); }

   private:
    cpu_work work_;
    double milliseconds_;
  };

  static tokengate::worker_pool_options pool_options(std::size_t cores) {
    tokengate::worker_pool_options made;
    made.max_cores = cores;
    return made;
  }

  static tokengate::token_options options(std::string_view name, tokengate::weight weight) {
    tokengate::token_options made;
    made.operation = name;
    made.weight = weight;
    return made;
  }

  tokengate::worker_pool workers_;
  tokengate::gate gate_;
  tokengate::guarded<task> light_;
  tokengate::guarded<task> medium_;
  tokengate::guarded<task> heavy_;
};

}  // namespace

std::unique_ptr<task_runner> make_gate_runner(boost::asio::io_context& loop, std::size_t cores,
                                              const cpu_work& work) {
  return std::make_unique<gate_runner>(loop, cores, work);
}

std::size_t usable_cores(std::size_t at_most) {
  tokengate::worker_pool_options options;
  options.max_cores = at_most;
  return tokengate::worker_pool(options).cores();
}

}  // namespace offload_server
