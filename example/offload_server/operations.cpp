// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#include "operations.hpp"

#include <openssl/evp.h>
#include <zlib.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "cpu_work.hpp"

namespace offload_server {
namespace {

constexpr std::size_t sha256_size = 32;

std::string to_hex(const std::array<unsigned char, sha256_size>& bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (unsigned char byte : bytes) {
    text.push_back(digits[byte >> 4]);
    text.push_back(digits[byte & 15]);
  }
  return text;
}

// Fetched once: the implicit fetch of EVP_sha256() takes locks inside OpenSSL on every call.
const EVP_MD* sha256() {
  static const std::unique_ptr<EVP_MD, decltype(&EVP_MD_free)> method(
      EVP_MD_fetch(nullptr, "SHA256", nullptr), &EVP_MD_free);
  if (!method) throw std::runtime_error("this OpenSSL has no SHA-256");
  return method.get();
}

}  // namespace

std::string_view name_of(route which) {
  switch (which) {
    case route::digest:
      return "digest";
    case route::gzip:
      return "gzip";
    case route::password:
      return "password";
  }
  return "?";
}

std::string digest(const std::string& body) {
  std::array<unsigned char, sha256_size> out{};
  unsigned int size = 0;
  if (EVP_Digest(body.data(), body.size(), out.data(), &size, sha256(), nullptr) != 1)
    throw std::runtime_error("SHA-256 failed");
  return to_hex(out);
}

std::string compress(const std::string& body) {
  z_stream stream{};
  constexpr int gzip_window = 15 + 16;  // 16 asks zlib for the gzip wrapper
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip_window, 8,
                   Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::runtime_error("zlib could not start");
  const std::unique_ptr<z_stream, decltype(&deflateEnd)> guard(&stream, &deflateEnd);

  std::string packed(deflateBound(&stream, body.size()), '\0');
  // zlib's interface is not const-correct; it only reads the input.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) throw std::runtime_error("zlib failed");
  packed.resize(stream.total_out);
  return packed;
}

std::optional<std::string> decompress(std::string_view packed, std::size_t limit) {
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) return std::nullopt;
  const std::unique_ptr<z_stream, decltype(&inflateEnd)> guard(&stream, &inflateEnd);

  std::string plain(limit + 1, '\0');  // one more, so that "too long" is seen
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(plain.data());
  stream.avail_out = static_cast<uInt>(plain.size());
  if (inflate(&stream, Z_FINISH) != Z_STREAM_END || stream.total_out > limit) return std::nullopt;
  plain.resize(stream.total_out);
  return plain;
}

key_derivation key_derivation::calibrated(std::chrono::milliseconds target) {
  constexpr int trial = 10'000;
  const key_derivation sample(trial);
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const double before = thread_cpu_ms();
    static_cast<void>(sample("calibration"));
    best = std::min(best, thread_cpu_ms() - before);
  }
  const double iterations = trial * static_cast<double>(target.count()) / std::max(best, 0.001);
  return key_derivation(static_cast<int>(std::clamp(iterations, 1'000.0, 10'000'000.0)));
}

std::string key_derivation::operator()(const std::string& password) const {
  // One fixed salt keeps the answers checkable. A real server stores a random salt per user.
  static constexpr std::string_view salt = "offload_server demo salt";
  std::array<unsigned char, sha256_size> out{};
  const int done = PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()),
                                     reinterpret_cast<const unsigned char*>(salt.data()),
                                     static_cast<int>(salt.size()), iterations_, sha256(),
                                     static_cast<int>(out.size()), out.data());
  if (done != 1) throw std::runtime_error("PBKDF2 failed");
  return to_hex(out);
}

}  // namespace offload_server
