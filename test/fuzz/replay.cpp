// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

// Gives every file of the folders named to a fuzz target, for compilers that have no fuzzer.

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);

int main(int count, char** names) {
  std::size_t inputs = 0;
  for (int i = 1; i < count; ++i)
    for (auto const& file : std::filesystem::directory_iterator(names[i])) {
      std::ifstream stream(file.path(), std::ios::binary);
      std::vector<char> const bytes{std::istreambuf_iterator<char>(stream), {}};
      LLVMFuzzerTestOneInput(reinterpret_cast<std::uint8_t const*>(bytes.data()), bytes.size());
      ++inputs;
    }
  std::printf("%zu inputs replayed\n", inputs);
  return inputs == 0 ? 1 : 0;
}
