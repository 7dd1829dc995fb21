// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "corpus.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <random>
#include <string_view>
#include <system_error>
#include <utility>

#include "operations.hpp"

namespace offload_server {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t megabyte = 1024 * 1024;
constexpr std::size_t most_visited = 30'000;  // a bound on the walk, not on what is read

struct source {
  std::string_view folder;
  std::function<bool(const fs::path&)> wanted;
  std::size_t budget;
  std::size_t stride;  // takes every n-th file, so that not all come from one package
};

std::string read_start(const fs::path& path, std::size_t limit) {
  std::ifstream file(path, std::ios::binary);
  std::string body(limit, '\0');
  file.read(body.data(), static_cast<std::streamsize>(limit));
  body.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return body;
}

void add(std::vector<document>& to, std::string name, std::string body) {
  std::string sum = digest(body);
  to.push_back(document{std::move(name), std::move(body), std::move(sum)});
}

void gather(const source& from, std::size_t limit, std::vector<document>& to) {
  std::error_code failed;
  fs::recursive_directory_iterator entry(fs::path(from.folder),
                                         fs::directory_options::skip_permission_denied, failed);
  std::size_t left = from.budget;
  std::size_t matches = 0;
  for (std::size_t visited = 0;
       !failed && entry != fs::recursive_directory_iterator() && visited < most_visited && left > 0;
       ++visited, entry.increment(failed)) {
    std::error_code ignored;
    if (entry->is_symlink(ignored) || !entry->is_regular_file(ignored)) continue;
    if (!from.wanted(entry->path()) || matches++ % from.stride != 0) continue;
    std::string body = read_start(entry->path(), std::min(limit, left));
    if (body.empty()) continue;
    left -= body.size();
    add(to, entry->path().string(), std::move(body));
  }
}

std::string generated_text(std::size_t size, unsigned seed) {
  static constexpr std::string_view words[] = {"token", "gate",   "worker", "mailbox", "credit",
                                               "lane",  "weight", "drain",  "loop",    "ring"};
  std::mt19937 random(seed);
  std::string text;
  text.reserve(size + 16);
  while (text.size() < size) {
    text += words[random() % std::size(words)];
    text += static_cast<char>(random() % 8 == 0 ? '\n' : ' ');
  }
  text.resize(size);
  return text;
}

}  // namespace

corpus corpus::collect(std::size_t body_limit) {
  const auto header = [](const fs::path& path) {
    return path.extension() == ".h" || path.extension() == ".hpp";
  };
  const auto anything = [](const fs::path&) { return true; };
  const auto library = [](const fs::path& path) {
    return path.filename().string().find(".so") != std::string::npos;
  };
  corpus found;
  gather({"/usr/include", header, 14 * megabyte, 7}, body_limit, found.documents_);
  gather({"/usr/share/dict", anything, 2 * megabyte, 1}, body_limit, found.documents_);
  gather({"/usr/lib", library, 16 * megabyte, 5}, body_limit, found.documents_);

  // A machine with nothing installed still gives a load: 1 KB to 128 KB of text.
  constexpr std::size_t few = 64;
  for (unsigned i = 0; found.documents_.size() < few; ++i, ++found.generated_) {
    const std::size_t size = std::min(body_limit, std::size_t{1024} << (i % 8));
    add(found.documents_, "generated " + std::to_string(i), generated_text(size, i));
  }
  return found;
}

std::vector<std::size_t> corpus::between(std::size_t least, std::size_t most) const {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < documents_.size(); ++i)
    if (documents_[i].body.size() >= least && documents_[i].body.size() <= most)
      places.push_back(i);
  if (places.empty()) {
    places.resize(documents_.size());
    std::iota(places.begin(), places.end(), std::size_t{0});
  }
  return places;
}

std::size_t corpus::total_bytes() const {
  std::size_t sum = 0;
  for (const document& each : documents_) sum += each.body.size();
  return sum;
}

}  // namespace offload_server
