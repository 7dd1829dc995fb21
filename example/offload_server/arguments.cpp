// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "arguments.hpp"

#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <stdexcept>
#include <string_view>

namespace offload_server {
namespace {

unsigned number(std::string_view option, std::string_view text, unsigned least, unsigned most) {
  unsigned value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size() || value < least || value > most)
    throw std::invalid_argument(std::string(option) + " wants a number from " +
                                std::to_string(least) + " to " + std::to_string(most) + ", not '" +
                                std::string(text) + "'");
  return value;
}

std::string address(std::string_view text) {
  boost::system::error_code ec;
  asio::ip::make_address(std::string(text), ec);
  if (ec)
    throw std::invalid_argument("--address wants an IP address, not '" + std::string(text) + "'");
  return std::string(text);
}

}  // namespace

const char* const usage =
    "usage: offload_server [--address IP] [--port N] [--cores N]\n"
    "       offload_server --proof [--seconds N] [--cores N]\n"
    "\n"
    "  --address IP  where to listen, 127.0.0.1 unless told\n"
    "  --port N      the port, 8080 unless told; 0 takes a free one\n"
    "  --cores N     use at most this many cores for the work\n"
    "  --proof       drive the server three ways, and print what that measured\n"
    "  --seconds N   how long the proof loads each way, 4 unless told; its windows scale along\n"
    "  --help        this text\n"
    "\n"
    "routes: POST /digest  POST /gzip  POST /password  GET /ping  GET /stats\n";

arguments parse(int count, const char* const* values) {
  arguments result;
  bool seconds_given = false;
  for (int i = 1; i < count; ++i) {
    const std::string_view option = values[i];
    const auto value = [&]() -> std::string_view {
      if (i + 1 >= count) throw std::invalid_argument(std::string(option) + " wants a value");
      return values[++i];
    };
    if (option == "--help" || option == "-h") {
      result.help = true;
    } else if (option == "--proof") {
      result.proof = true;
    } else if (option == "--address") {
      result.serving.address = address(value());
    } else if (option == "--port") {
      result.serving.port = static_cast<unsigned short>(number(option, value(), 0, 65535));
    } else if (option == "--cores") {
      result.max_cores = number(option, value(), 1, 4096);
    } else if (option == "--seconds") {
      const unsigned seconds = number(option, value(), 1, 3600);
      result.proving.per_mode = std::chrono::seconds(seconds);
      result.proving.for_window = std::chrono::seconds((seconds * 5 + 1) / 2);
      seconds_given = true;
    } else {
      throw std::invalid_argument("unknown argument '" + std::string(option) + "'");
    }
  }
  if (seconds_given && !result.proof)
    throw std::invalid_argument("--seconds goes with --proof only");
  result.proving.max_cores = result.max_cores;
  return result;
}

}  // namespace offload_server
