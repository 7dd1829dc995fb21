// Distributed under the Boost Software License, Version 1.0. See LICENSE.

#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace offload_server {

/// One file to post, with the answer that /digest must give for it.
struct document {
  std::string name;
  std::string body;
  std::string digest;
};

/// Real input found on this machine: source headers, dictionaries, shared libraries.
class corpus {
 public:
  /// Reads files until about 32 MB are together. A file longer than the limit is cut to it. Where
  /// a machine has little to offer, generated text fills up.
  static corpus collect(std::size_t body_limit);

  const std::vector<document>& documents() const { return documents_; }

  /// The documents of such sizes, as places in documents(). All, if there is none of such a size.
  std::vector<std::size_t> between(std::size_t least, std::size_t most) const;

  std::size_t total_bytes() const;
  std::size_t generated() const { return generated_; }  ///< how many were not found but made

 private:
  std::vector<document> documents_;
  std::size_t generated_ = 0;
};

}  // namespace offload_server
