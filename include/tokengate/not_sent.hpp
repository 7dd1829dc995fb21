// Distributed under the Boost Software License, Version 1.0. See LICENSE.
#pragma once

#include <boost/system/system_error.hpp>
#include <memory>
#include <utility>

#include "tokengate/error.hpp"

namespace tokengate {

/// What a send fails with that owned its item: the reason, and the item, which was not taken.
///
///     try {
///       co_await orders.async_send(std::move(order));
///     } catch (tokengate::not_sent<order_t>& failed) {
///       retry(std::move(failed.item()));
///     }
template <class T>
class not_sent : public boost::system::system_error {
 public:
  not_sent(error why, T&& item)
      : system_error(make_error_code(why)), item_(std::make_shared<T>(std::move(item))) {}

  /// The item. Copies of the exception share it.
  [[nodiscard]] T& item() const noexcept { return *item_; }

 private:
  std::shared_ptr<T> item_;
};

}  // namespace tokengate
