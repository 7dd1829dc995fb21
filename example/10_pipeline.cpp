// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// A pipeline reads files, compresses them on the medium lane, several at once, and gives them back
// in order. One child of a scope feeds it, another one writes what comes out.
#include <zlib.h>

#include <boost/asio.hpp>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <tokengate/pipeline.hpp>
#include <tokengate/with_scope.hpp>
#include <utility>
#include <vector>

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

constexpr int file_count = 40;

struct document {
  std::string name;
  std::string body;
  std::size_t original = 0;
};

document read(fs::path from) {
  std::ifstream in(from, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + from.string());
  std::string body(std::istreambuf_iterator<char>(in), {});
  std::size_t const size = body.size();
  return {from.filename().string(), std::move(body), size};
}

document compress(document in) {
  uLongf size = ::compressBound(static_cast<uLong>(in.body.size()));
  std::string out(size, '\0');
  auto* const to = reinterpret_cast<Bytef*>(out.data());
  auto const* const from = reinterpret_cast<Bytef const*>(in.body.data());
  if (::compress2(to, &size, from, static_cast<uLong>(in.body.size()), 9) != Z_OK)
    throw std::runtime_error("cannot compress " + in.name);
  out.resize(size);
  return {std::move(in.name), std::move(out), in.original};
}

std::string uncompressed(document const& in) {
  std::string out(in.original, '\0');
  uLongf size = static_cast<uLongf>(in.original);
  auto* const to = reinterpret_cast<Bytef*>(out.data());
  auto const* const from = reinterpret_cast<Bytef const*>(in.body.data());
  if (::uncompress(to, &size, from, static_cast<uLong>(in.body.size())) != Z_OK) return {};
  return out;
}

fs::path path_of(fs::path const& folder, int number) {
  return folder / ("file" + std::to_string(100 + number) + ".txt");
}

std::string text_of(int number) {
  std::string text;
  for (int line = 0; line != 200 + 50 * (number % 7); ++line)
    text += "file " + std::to_string(number) + ", line " + std::to_string(line) + '\n';
  return text;
}

using archiver = tokengate::pipeline<fs::path, document>;

// Waits whenever the pipeline is full, so no more than a few files are in memory at once.
asio::awaitable<void> feed(archiver& to, fs::path const& folder) {
  for (int i = 0; i != file_count; ++i) co_await to.async_push(path_of(folder, i));
  to.close();
}

asio::awaitable<void> write(archiver& from, std::vector<document>& archive) {
  for (;;) {
    std::optional<document> next = co_await from.async_pull();
    if (!next) co_return;
    archive.push_back(std::move(*next));
  }
}

// If one of the two fails, the other one is cancelled; both have ended when the scope has.
asio::awaitable<void> both(tokengate::task_scope<>& scope, archiver& through,
                           fs::path const& folder, std::vector<document>& archive) {
  scope.spawn(feed(through, folder));
  scope.spawn(write(through, archive));
  co_return;
}

asio::awaitable<void> run(tokengate::gate& gate, fs::path folder, std::vector<document>& archive) {
  using tokengate::weight;
  archiver files =
      tokengate::pipeline<fs::path>(gate)
          .stage({.name = "read", .weight = weight::light, .parallel = 2}, read)
          .stage({.name = "compress", .weight = weight::medium, .parallel = 4}, compress);
  co_await tokengate::with_scope(both, std::ref(files), folder, std::ref(archive));
  co_await files.async_join();
  for (auto const& stage : files.snapshot().stages)
    std::cout << stage.name << ": " << stage.left << " files\n";
}

}  // namespace

int main() {
  fs::path const folder =
      fs::temp_directory_path() / ("tokengate_pipeline_" + std::to_string(std::random_device{}()));
  fs::create_directory(folder);
  for (int i = 0; i != file_count; ++i)
    std::ofstream(path_of(folder, i), std::ios::binary) << text_of(i);

  asio::io_context loop{1};
  tokengate::worker_pool workers;
  tokengate::gate gate{loop.get_executor(), workers};
  std::vector<document> archive;
  std::exception_ptr failed;
  asio::co_spawn(loop, run(gate, folder, archive), [&](std::exception_ptr e) { failed = e; });
  loop.run();
  fs::remove_all(folder);

  bool held = !failed && archive.size() == file_count;
  std::size_t before = 0, after = 0;
  for (std::size_t i = 0; held && i != archive.size(); ++i) {
    int const number = static_cast<int>(i);
    held = archive[i].name == path_of(folder, number).filename().string() &&
           uncompressed(archive[i]) == text_of(number);
    before += archive[i].original;
    after += archive[i].body.size();
  }
  std::cout << archive.size() << " files, " << before << " bytes, compressed " << after
            << ", in order and whole: " << (held ? "yes" : "no") << '\n';
  return held ? 0 : 1;
}
