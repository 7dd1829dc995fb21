// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include "options.hpp"

#include <sstream>
#include <stdexcept>

namespace perf {
namespace {

std::vector<std::string> split(std::string const& names) {
  std::vector<std::string> parts;
  std::istringstream from{names};
  for (std::string part; std::getline(from, part, ',');)
    if (!part.empty()) parts.push_back(part);
  return parts;
}

double positive(std::string const& name, std::string const& text, double most = 1e6) {
  std::size_t used = 0;
  double value = 0;
  try {
    value = std::stod(text, &used);
  } catch (std::exception const&) {
    used = 0;
  }
  if (used == 0 || used != text.size() || !(value > 0) || value > most)
    throw std::invalid_argument(name + " wants a number greater than 0, not '" + text + "'");
  return value;
}

}  // namespace

options read_options(int argc, char** argv) {
  options read;
  std::vector<std::string> const words(argv + 1, argv + argc);
  for (std::size_t at = 0; at < words.size(); ++at) {
    auto const& name = words[at];
    auto const value = [&]() -> std::string const& {
      if (at + 1 == words.size()) throw std::invalid_argument(name + " wants a value");
      return words[++at];
    };
    if (name == "--help" || name == "-h") {
      read.help = true;
    } else if (name == "--list") {
      read.list = true;
    } else if (name == "--run") {
      read.run = split(value());
    } else if (name == "--variant") {
      read.variants = split(value());
    } else if (name == "--json") {
      read.json = value();
    } else if (name == "--read") {
      read.read = split(value());
    } else if (name == "--fresh") {
      read.fresh = split(value());
    } else if (name == "--with") {
      read.with = split(value());
    } else if (name == "--without") {
      read.without = split(value());
    } else if (name == "--plot") {
      read.plot = value();
    } else if (name == "--tables") {
      read.tables = split(value());
    } else if (name == "--stamp") {
      read.stamp = value();
    } else if (name == "--repeat") {
      read.repeat = static_cast<std::size_t>(positive(name, value()) + 0.5);
      if (read.repeat == 0) read.repeat = 1;
    } else if (name == "--scale") {
      read.scale = positive(name, value());
    } else if (name == "--tokens") {
      read.tokens = static_cast<std::size_t>(positive(name, value(), 1e9));
    } else if (name == "--seed") {
      read.seed = static_cast<unsigned>(positive(name, value()));
    } else {
      throw std::invalid_argument("unknown option " + name);
    }
  }
  return read;
}

std::string usage_text() {
  return "tokengate_perf: the library beside what one would take instead\n"
         "  --list               name the workloads and stop\n"
         "  --run NAME,...       run these only\n"
         "  --variant NAME,...   let these only take part\n"
         "  --repeat N           interleaved rounds per workload (10)\n"
         "  --scale F            length of each run, as a factor (1)\n"
         "  --tokens N           length of the workload `instructions` (20000)\n"
         "  --seed N             order of the variants in each round (1)\n"
         "  --json FILE          write the rows there as well\n"
         "  --read FILE,...      do not measure: take the rows from there, of the last file that "
         "has\n"
         "                       the workload; fails unless the files are whole\n"
         "  --fresh FILE,...     only tables of what these have are written anew and stamped; "
         "lists "
         "over all\n"
         "                       workloads take everything that was read\n"
         "  --with FILE,... --without FILE,...\n"
         "                       do not measure: the cost of statistics, from a run in each file\n"
         "  --plot FOLDER        draw the plots there\n"
         "  --tables FILE,...    refresh the tables of these documents\n"
         "  --stamp TEXT         what to say beside the tables, such as the commit\n";
}

}  // namespace perf
