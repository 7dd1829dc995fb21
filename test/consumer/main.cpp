// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// The program of someone who uses the installed library.
#include <boost/asio.hpp>
#include <exception>
#include <iostream>
#include <tokengate/tokengate.hpp>
#include <tokengate/version.hpp>

int main() {
  boost::asio::io_context loop{1};
  tokengate::worker_pool workers;
  tokengate::gate gate{loop.get_executor(), workers};

  int answer = 0;
  gate.async_run([] { return 42; }, [&](std::exception_ptr, int result) { answer = result; });
  loop.run();

  std::cout << "tokengate " << TOKENGATE_VERSION << " says " << answer << '\n';
  return answer == 42 ? 0 : 1;
}
