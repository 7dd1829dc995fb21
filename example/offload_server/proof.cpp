// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "proof.hpp"

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "burst.hpp"
#include "load.hpp"
#include "manners.hpp"
#include "progress.hpp"
#include "running_server.hpp"
#include "task_runner.hpp"
#include "window.hpp"

namespace offload_server {
namespace {

constexpr std::chrono::milliseconds password_time{30};

struct mode_result {
  mode which;
  load_result load;
  token_books books;
};

std::string text(const char* format, auto... values) {
  std::vector<char> line(256);
  const int size = std::snprintf(line.data(), line.size(), format, values...);
  return std::string(line.data(), static_cast<std::size_t>(size));
}

mode_result run_mode(mode which, const workload& work, const load_settings& load,
                     const offload_settings& offloading, const key_derivation& password) {
  progress line;
  line.begin(std::string("mode ") + name_of(which));
  running_server server(which, offloading, password, server_options());
  mode_result result{which, {}, {}};
  result.load = run_load(server.port(), work, load, [&](double seconds, std::uint64_t answers) {
    line.update(text("%.1f s, %llu answers", seconds, static_cast<unsigned long long>(answers)));
  });
  server.stop();
  result.books = server.books();
  line.end(text("%llu answers in %.1f s, %llu errors",
                static_cast<unsigned long long>(result.load.answered()), result.load.seconds,
                static_cast<unsigned long long>(result.load.errors())));
  return result;
}

void print_row(const char* first, const char* name, const route_result& row, double seconds) {
  const samples& took = row.latency_ms;
  std::printf("  %-12s %-9s %9.1f %9.2f %9.2f %9.2f %9.2f %8llu %6llu\n", first, name,
              static_cast<double>(took.count()) / seconds, took.percentile(0.5),
              took.percentile(0.99), took.percentile(0.999), took.max(),
              static_cast<unsigned long long>(row.refused),
              static_cast<unsigned long long>(row.wrong + row.broken));
}

void print_table(const std::vector<mode_result>& results) {
  std::printf("\n  %-12s %-9s %9s %9s %9s %9s %9s %8s %6s\n", "mode", "route", "answers/s",
              "p50 ms", "p99 ms", "p99.9 ms", "worst ms", "503s", "errors");
  for (const mode_result& each : results) {
    const char* first = name_of(each.which);
    for (route which : all_routes) {
      print_row(first, std::string(name_of(which)).c_str(),
                each.load.routes[static_cast<std::size_t>(which)], each.load.seconds);
      first = "";
    }
    print_row(first, "ping", each.load.ping, each.load.seconds);
  }
  std::printf("\n  Worst /ping (the longest the loop kept anybody waiting):");
  for (const mode_result& each : results)
    std::printf("  %s %.2f ms", name_of(each.which), each.load.ping.latency_ms.max());
  std::printf("\n");
}

// Every answer that a client got from tokengate was one token, and every token was one answer.
bool print_books(const mode_result& gate) {
  const token_books& books = gate.books;
  const std::uint64_t answered = gate.load.answered();
  const bool balanced =
      books.issued == books.completed + books.other && books.completed == answered;
  std::printf("  Tokens: issued %llu, completed %llu, refused or failed %llu; answers %llu: %s\n",
              static_cast<unsigned long long>(books.issued),
              static_cast<unsigned long long>(books.completed),
              static_cast<unsigned long long>(books.other),
              static_cast<unsigned long long>(answered),
              balanced ? "the books balance" : "THE BOOKS DO NOT BALANCE");
  return balanced;
}

void print_setting(const workload& work, const load_settings& load, const key_derivation& password,
                   std::size_t cores) {
  std::printf(
      "\nThe same HTTP server three ways: work in the handler, on asio::thread_pool, on tokengate\n"
      "  %zu usable cores; %zu files, %.1f MB (%zu of them generated); PBKDF2 with %d rounds\n"
      "  offered per mode: %.0f files/s to /digest from %u clients, %.0f/s to /gzip from %u,\n"
      "  %.0f passwords/s to /password from %u, and a /ping every %lld ms\n"
      "  The clients share the cores with the server: compare the modes, do not read the\n"
      "  figures as those of a machine that only serves. Every answer is checked.\n\n",
      cores, work.input.documents().size(), static_cast<double>(work.input.total_bytes()) / 1e6,
      work.input.generated(), password.iterations(), load.offered_per_second(route::digest),
      load.clients[0], load.offered_per_second(route::gzip), load.clients[1],
      load.offered_per_second(route::password), load.clients[2],
      static_cast<long long>(load.ping_period.count()));
}

void print_how_to_go_on() {
  std::printf(
      "\nTo start the server by hand: offload_server [--port 8080]. Then, in another terminal:\n"
      "  curl http://127.0.0.1:8080/ping\n"
      "  curl --data-binary @/etc/services http://127.0.0.1:8080/digest\n"
      "  curl --data-binary @/etc/services http://127.0.0.1:8080/gzip | gunzip | head -3\n"
      "  curl --data 'my secret' http://127.0.0.1:8080/password\n"
      "  curl http://127.0.0.1:8080/stats\n"
      "Ctrl-C stops it gracefully.\n");
}

}  // namespace

bool run_proof(const proof_settings& settings) {
  progress line;
  line.begin("reading files, calibrating");
  const server_options serving;
  const key_derivation password = key_derivation::calibrated(password_time);
  const workload work(corpus::collect(serving.body_limit), password);
  line.end("done");

  load_settings load;
  load.duration = settings.per_mode;
  const std::size_t cores = usable_cores(settings.max_cores);
  for (unsigned& clients : load.clients)  // about 60 % of the cores, but no crowd of threads
    clients *= static_cast<unsigned>(std::clamp<std::size_t>(cores / 2, 1, 8));
  offload_settings offloading;
  offloading.cores = cores;
  print_setting(work, load, password, cores);

  bool good = true;
  std::vector<mode_result> results;
  for (mode which : {mode::inline_handler, mode::thread_pool, mode::tokengate}) {
    results.push_back(run_mode(which, work, load, offloading, password));
    good = good && results.back().load.errors() == 0;
  }
  print_table(results);
  good = print_books(results.back()) && good;
  good = check_manners(password, offloading) && good;
  const cpu_work task = cpu_work::calibrated();  // here, close to its use: clocks wander
  print_burst(task, cores);
  print_window(task, cores, settings.for_window);
  std::printf("\n%s\n", good ? "Every answer was right." : "SOMETHING WENT WRONG, see above.");
  print_how_to_go_on();
  return good;
}

}  // namespace offload_server
