// What tools/check_awaits must let pass. Never compiled.
// clang-format off
#include "backstage/backstage.hpp"

struct Tick {};
struct Deposit {
  std::string id;
};
namespace shop {
class Till final {};
}  // namespace shop

// A comment with co_await f(Deposit{"x"}) and c ? a : b is no code.
/* co_await f(Deposit{"x"}); */
const char* text = "co_await f(Deposit{1})";
const char* raw = R"(co_await f(c ? a : Deposit{1}))";
#define QUOTE(x) co_await f(Deposit{x})

Task<Result<>> good(Ref<Account> account, bool c, Deposit named) {
  Deposit deposit{"x"};
  Deposit other = Deposit{"x"};
  auto third = c ? Deposit{"x"} : named;
  account.send(Deposit{"x"});
  co_await store(backstage::moved(deposit));
  co_await account.ask(Tick{}).within(1s);              // no members: nothing to destroy
  co_await store(shop::Till{});
  co_await account.ask<Put>(Deposit{"x"}).within(1s);   // the framework refuses this one itself, with a sentence
  co_await cx.sleep(std::chrono::milliseconds{5});
  Deposit got{co_await first()};
  backstage::Result<std::vector<int>> made{co_await numbers()};
  if (c) {
    Deposit inner{"x"};
    co_await store(backstage::moved(inner));
  } else {
    co_await first();
  }
  if (c ? true : false) co_await first();
  for (const auto& one : {Deposit{"a"}, Deposit{"b"}}) co_await store(copy(one));
  while (auto event = co_await inbox.next()) {
    std::visit([&](auto& e) { seen.push_back(Seen{e.id}); }, *event);
  }
  if (const auto answer = co_await first()) use(answer);
  if (const auto answer = co_await first(); answer.has_value()) use(answer);
  for (int i = co_await number(); i < 3; ++i) use(i);
  const auto which = co_await first();
  switch (which) {
    case 1: return_value(Deposit{"x"}); break;
    default: break;
  }
  auto later = [] -> Task<> { co_await first(); };      // captures nothing
  auto plain = [c](int i) { return c ? Deposit{"x"} : make(i); };
  auto outer = [c] { return [](int i) -> Task<> { co_await wait(i); }; };
  items[co_await index()] = 1;
  // check_awaits: a Point has two doubles, nothing is destroyed
  co_await draw(Point{1, 2});
  co_await draw(Point{3, 4});  // check_awaits: a Point has two doubles, nothing is destroyed
  co_return {};
}

class Actor {
 public:
  Task<> handle(Deposit d) { co_await store(backstage::moved(d)); }
  int balance() const { return known_ ? cents_ : 0; }

 private:
  int cents_{0};
  bool known_{false};
};
