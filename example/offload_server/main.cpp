// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <exception>
#include <functional>
#include <iostream>
#include <stdexcept>

#include "arguments.hpp"
#include "running_server.hpp"
#include "task_runner.hpp"

namespace {

using namespace offload_server;

int serve_until_signal(const arguments& given) {
  const key_derivation password = key_derivation::calibrated(std::chrono::milliseconds(30));
  offload_settings settings;
  settings.cores = usable_cores(given.max_cores);
  asio::io_context loop{1};
  const auto work = make_offload(mode::tokengate, loop, settings, password);
  server http(loop, *work, given.serving);
  http.start();
  std::cout << "offload_server listens on " << given.serving.address << " port " << http.port()
            << ", with " << work->cores() << " cores for the work. Ctrl-C stops it." << std::endl;

  asio::signal_set signals(loop, SIGINT, SIGTERM);
  signals.async_wait([&](const boost::system::error_code& ec, int) {
    if (ec) return;
    std::cout << "stopping: work in progress is finished; once more to stop at once" << std::endl;
    signals.async_wait([&](const boost::system::error_code& again, int) {
      if (!again) loop.stop();
    });
    http.stop([&] { signals.cancel(); });
  });
  run_loop(loop);
  std::cout << "stopped" << std::endl;
  return 0;
}

}  // namespace

int main(int count, char** values) {
  try {
    const arguments given = parse(count, values);
    if (given.help) {
      std::cout << usage;
      return 0;
    }
    if (given.proof) return run_proof(given.proving) ? 0 : 1;
    return serve_until_signal(given);
  } catch (const std::invalid_argument& problem) {
    std::cerr << "offload_server: " << problem.what() << "\n\n" << usage;
    return 2;
  } catch (const std::exception& problem) {
    std::cerr << "offload_server: " << problem.what() << '\n';
    return 1;
  }
}
