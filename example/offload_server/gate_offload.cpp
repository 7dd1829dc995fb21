// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include <boost/system/system_error.hpp>
#include <exception>
#include <tokengate/tokengate.hpp>

#include "offload.hpp"

namespace offload_server {
namespace {

using namespace std::chrono_literals;

tokengate::worker_pool_options pool_options(const offload_settings& settings) {
  tokengate::worker_pool_options options;
  options.max_cores = settings.cores;
  return options;
}

tokengate::gate_options gate_settings(const offload_settings& settings) {
  tokengate::gate_options options;
  options.backlog = settings.backlog;
  return options;
}

// A full backlog is refused at once: the client hears 503 while it still cares, and the loop never
// holds more than it can serve soon. The deadline ends what waited too long all the same.
tokengate::token_options operation(std::string_view name, tokengate::weight weight,
                                   std::chrono::nanoseconds deadline) {
  tokengate::token_options options;
  options.operation = name;
  options.weight = weight;
  options.deadline = deadline;
  options.admission = tokengate::admission::try_now;
  return options;
}

bool is_overload(const boost::system::error_code& code) {
  return code == tokengate::error::backlog_full || code == tokengate::error::overloaded ||
         code == tokengate::error::deadline_passed || code == tokengate::error::timed_out ||
         code == tokengate::error::closed || code == tokengate::error::stopped;
}

class gate_offload final : public offload {
 public:
  using function = std::string (*)(const std::string&);

  gate_offload(asio::io_context& loop, const offload_settings& settings,
               const key_derivation& password)
      : workers_(pool_options(settings)),
        gate_(loop.get_executor(), workers_, gate_settings(settings)),
        digest_(guard(gate_, operation("digest", tokengate::weight::light, 2s), &digest)),
        gzip_(guard(gate_, operation("gzip", tokengate::weight::medium, 5s), &compress)),
        password_(guard(gate_, operation("password", tokengate::weight::heavy, 10s), password)) {}

  asio::awaitable<answer> run(route which, std::string body) override {
    answer result;
    try {
      switch (which) {
        case route::digest:
          result.body = co_await digest_(std::move(body));
          break;
        case route::gzip:
          result.body = co_await gzip_(std::move(body));
          break;
        case route::password:
          result.body = co_await password_(std::move(body));
          break;
      }
      result.what = outcome::done;
    } catch (const boost::system::system_error& problem) {
      result.what = is_overload(problem.code()) ? outcome::refused : outcome::failed;
      result.body = problem.code().message();
    } catch (const std::exception& problem) {
      result.body = problem.what();
    }
    co_return result;
  }

  asio::awaitable<void> drain(std::chrono::milliseconds deadline) override {
    gate_.close();
    co_await gate_.async_drain(deadline);
  }

  std::string stats() const override {
    return "{\"mode\":\"tokengate\",\"gate\":" + to_json(gate_.snapshot()) +
           ",\"pool\":" + to_json(workers_.snapshot()) + "}";
  }

  token_books books() const override {
    token_books sum;
    for (const tokengate::operation_snapshot& each : gate_.snapshot().operations) {
      sum.issued += each.issued;
      sum.completed += each.completed;
      sum.other += each.failed + each.killed + each.timed_out + each.cancelled + each.rejected;
    }
    return sum;
  }

  std::size_t cores() const override { return workers_.cores(); }

 private:
  tokengate::worker_pool workers_;
  tokengate::gate gate_;
  tokengate::guarded<function> digest_;
  tokengate::guarded<function> gzip_;
  tokengate::guarded<key_derivation> password_;
};

}  // namespace

std::unique_ptr<offload> make_gate_offload(asio::io_context& loop, const offload_settings& settings,
                                           const key_derivation& password) {
  return std::make_unique<gate_offload>(loop, settings, password);
}

}  // namespace offload_server
