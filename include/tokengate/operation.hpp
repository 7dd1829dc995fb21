// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <memory>
#include <string_view>

#include "tokengate/fwd.hpp"
#include "tokengate/impl/terms.hpp"
#include "tokengate/token_options.hpp"

namespace tokengate {

namespace detail {
class gate_core;
struct operation_record;
}  // namespace detail

/// What a token is an instance of: a name, a weight, limits and policies, and the books kept under
/// that name. Made by gate::define(). Cheap to copy; refers to its gate.
class operation {
 public:
  [[nodiscard]] std::string_view name() const noexcept;
  [[nodiscard]] tokengate::weight weight() const noexcept;
  [[nodiscard]] token_options const& options() const noexcept;

 private:
  friend class gate;
  template <class>
  friend class guarded;
  operation(std::shared_ptr<detail::gate_core> gate, detail::operation_record& record,
            token_options const& options) noexcept;

  std::shared_ptr<detail::gate_core> gate_;
  detail::operation_record* record_;  ///< the books, shared by all of that name, weight and limit
  token_options options_;             ///< as they were given for this one
  detail::terms terms_;               ///< what they say of a call
};

}  // namespace tokengate
