// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

// The names that snippets in README.md and doc/ use without introducing them.

#include <tokengate/tokengate.hpp>

#include <boost/asio.hpp>
#include <chrono>
#include <string>
#include <utility>

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

extern asio::io_context loop;
extern tokengate::worker_pool workers;
extern tokengate::gate gate;
extern std::string body;

std::string sha256(std::string const& text);
