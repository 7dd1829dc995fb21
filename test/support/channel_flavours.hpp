// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>

#include "tokengate/channel_options.hpp"

namespace tokengate::test {

/// A kind of channel, for tests that hold for all of them.
struct channel_kind {
  char const* name;
  std::size_t capacity;
  channel_flavour flavour;

  template <class T>
  [[nodiscard]] channel_options<T> options() const {
    channel_options<T> made;
    made.capacity = capacity;
    made.flavour = flavour;
    return made;
  }
  [[nodiscard]] bool many() const noexcept { return flavour != channel_flavour::one_to_one; }
};

inline auto every_channel_kind() {
  return testing::Values(channel_kind{"any", 4, channel_flavour::any_to_any},
                         channel_kind{"any_of_one", 1, channel_flavour::any_to_any},
                         channel_kind{"ring", 4, channel_flavour::one_to_one},
                         channel_kind{"ring_of_one", 1, channel_flavour::one_to_one},
                         channel_kind{"rendezvous", 0, channel_flavour::any_to_any});
}

inline auto const name_of_kind = [](auto const& each) { return each.param.name; };

}  // namespace tokengate::test
