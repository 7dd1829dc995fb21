// Distributed under the Boost Software License, Version 1.0. See LICENSE.
// Tokens with the same key run one after another, in the order of their issue; others run beside
// them. So the functions may share the state of their key without a lock.
#include <array>
#include <boost/asio.hpp>
#include <cstddef>
#include <iostream>
#include <string>
#include <tokengate/tokengate.hpp>
#include <vector>

namespace asio = boost::asio;

namespace {

struct account {
  std::string owner;
  std::vector<int> postings{};  // touched by tokens with this owner's key, and by no one else
};

// Returns the number of postings before this one.
std::size_t post_to(account* to, int amount) {
  to->postings.push_back(amount);
  return to->postings.size() - 1;
}

}  // namespace

int main() {
  constexpr int each = 200;
  asio::io_context loop{1};
  tokengate::worker_pool workers;
  tokengate::gate gate{loop.get_executor(), workers};
  auto post = tokengate::guard(gate, {.operation = "post"}, post_to);

  std::array<account, 3> accounts{account{"ada"}, account{"bob"}, account{"eve"}};
  int in_order = 0;
  for (int amount = 0; amount != each; ++amount)
    for (account& to : accounts)
      post(&to, amount)
          .keyed(to.owner)([&in_order, amount](std::exception_ptr error, std::size_t before) {
            if (!error && before == static_cast<std::size_t>(amount)) ++in_order;
          });
  loop.run();

  bool held = in_order == 3 * each;
  for (account const& one : accounts) {
    bool ordered = one.postings.size() == each;
    for (int i = 0; ordered && i != each; ++i)
      ordered = one.postings[static_cast<std::size_t>(i)] == i;
    std::cout << one.owner << ": " << one.postings.size()
              << " postings, in order: " << (ordered ? "yes" : "no") << '\n';
    held = held && ordered;
  }
  return held ? 0 : 1;
}
