// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "tokengate/snapshot.hpp"

#include <string_view>

#include "json_writer.hpp"

namespace tokengate {
namespace {

using detail::json_writer;

std::string_view to_string(worker_state state) noexcept {
  switch (state) {
    case worker_state::starting:
      return "starting";
    case worker_state::spinning:
      return "spinning";
    case worker_state::running:
      return "running";
    case worker_state::parked:
      return "parked";
    case worker_state::stopped:
      return "stopped";
  }
  return "unknown";
}

void write(json_writer& out, std::string_view name, histogram_snapshot const& durations) {
  out.key(name).object([&] {
    out.field("count", durations.count);
    out.field("mean_ns", durations.mean_ns());
    out.field("p50_ns", durations.percentile(50));
    out.field("p90_ns", durations.percentile(90));
    out.field("p99_ns", durations.percentile(99));
    out.field("p999_ns", durations.percentile(99.9));
    out.field("max_ns", durations.max_ns);
  });
}

void write(json_writer& out, operation_snapshot const& operation) {
  out.object([&] {
    out.field("name", operation.name);
    out.field("weight", tokengate::to_string(operation.weight));
    out.field("issued", operation.issued);
    out.field("completed", operation.completed);
    out.field("failed", operation.failed);
    out.field("killed", operation.killed);
    out.field("timed_out", operation.timed_out);
    out.field("cancelled", operation.cancelled);
    out.field("rejected", operation.rejected);
    out.field("out", operation.out);
    write(out, "run", operation.run);
  });
}

void write(json_writer& out, lane_snapshot const& lane) {
  out.object([&] {
    out.field("backlog", lane.backlog);
    out.field("waiting", lane.waiting);
    out.field("in_flight", lane.in_flight);
    out.field("credits", lane.credits);
  });
}

void write(json_writer& out, worker_snapshot const& worker) {
  out.object([&] {
    out.field("core", worker.core);
    out.field("lane", tokengate::to_string(worker.lane));
    out.field("pinned", worker.pinned);
    out.field("priority", worker.priority);
    out.field("state", to_string(worker.state));
    out.field("executed", worker.executed);
    out.field("busy_ns", worker.busy_ns);
    out.field("parked_ns", worker.parked_ns);
    out.field("parks", worker.parks);
  });
}

}  // namespace

std::string to_json(gate_snapshot const& snapshot) {
  json_writer out;
  out.object([&] {
    out.field("issued", snapshot.issued);
    out.field("finished", snapshot.finished);
    out.field("destroyed", snapshot.destroyed);
    out.field("out", snapshot.out);
    out.field("rejected", snapshot.rejected);
    out.field("withdrawn", snapshot.withdrawn);
    out.field("expired", snapshot.expired);
    out.field("lost_errors", snapshot.lost_errors);
    out.field("rescued_wakeups", snapshot.rescued_wakeups);
    out.field("overloaded", snapshot.overloaded);
    out.field("closed", snapshot.closed);
    out.key("lanes").object([&] {
      for (auto lane : {weight::light, weight::medium, weight::heavy}) {
        out.key(tokengate::to_string(lane));
        write(out, snapshot.lanes[lane_index(lane)]);
      }
    });
    write(out, "wait_backlog", snapshot.wait_backlog);
    write(out, "wait_mailbox", snapshot.wait_mailbox);
    write(out, "run", snapshot.run);
    write(out, "return_to_loop", snapshot.return_to_loop);
    write(out, "loop_lag", snapshot.loop_lag);
    out.key("operations").array([&] {
      for (auto const& operation : snapshot.operations) write(out, operation);
    });
  });
  return std::move(out).take();
}

std::string to_json(pool_snapshot const& snapshot) {
  json_writer out;
  out.object([&] {
    out.field("name", snapshot.name);
    out.field("usable_cores", snapshot.usable_cores);
    out.field("rescued_wakeups", snapshot.rescued_wakeups);
    out.key("workers").array([&] {
      for (auto const& worker : snapshot.workers) write(out, worker);
    });
    out.key("problems").array([&] {
      for (auto const& problem : snapshot.problems) out.value(problem);
    });
  });
  return std::move(out).take();
}

}  // namespace tokengate
