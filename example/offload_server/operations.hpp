// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace offload_server {

/// What the server can be asked to compute. All three are plain synchronous functions: they know
/// nothing of the loop, of threads or of tokens.
enum class route : std::uint8_t { digest, gzip, password };

inline constexpr std::size_t route_count = 3;
inline constexpr std::array<route, route_count> all_routes{route::digest, route::gzip,
                                                           route::password};

std::string_view name_of(route which);

/// SHA-256 of the body as lower-case hex. Light: well under a millisecond.
std::string digest(const std::string& body);

/// The body in gzip format. Medium: some milliseconds.
std::string compress(const std::string& body);

/// Undoes compress(); nothing when the input is damaged or would exceed the limit.
std::optional<std::string> decompress(std::string_view packed, std::size_t limit);

/// PBKDF2-HMAC-SHA256 of a password as hex. Heavy: tens of milliseconds, by intent.
class key_derivation {
 public:
  explicit key_derivation(int iterations) : iterations_(iterations) {}

  /// Chooses the iteration count so that one call takes about this much CPU time here.
  static key_derivation calibrated(std::chrono::milliseconds target);

  std::string operator()(const std::string& password) const;
  int iterations() const { return iterations_; }

 private:
  int iterations_;
};

}  // namespace offload_server
