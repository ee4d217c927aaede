// What tools/check_awaits must find: each line that says BAD, for the reasons named. Never compiled.
// clang-format off
#include "backstage/backstage.hpp"

struct Deposit {
  std::string id;
};
struct Pair {
  std::string a;
  std::string b;
};

Task<> braces(Ref<Account> account) {
  co_await store(Deposit{"x"});                        // BAD braces
  co_await store(1, bank::Deposit{.id = "x"}, 2);      // BAD braces
  auto kept = co_await store(std::array<std::string, 2>{"a", "b"});  // BAD braces
  auto sum = plain(Deposit{"x"}) + co_await other();   // BAD braces
  if (co_await store(Deposit{"x"})) co_return;         // BAD braces condition
  while (auto event = co_await next(Deposit{"x"})) {   // BAD braces
    use(event);
  }
  co_return Pair{co_await first(), "b"};               // BAD braces
  co_await account.ask(wrap(Deposit{"x"})).within(1s);  // BAD braces
  co_await store(
      1,
      Deposit{"x"});  // BAD braces
  co_yield Deposit{"x"};  // BAD braces
}

Task<> conditions(Ref<Account> account, int n) {
  if ((co_await account.ask<Get>().within(1s)).has_value()) use(1);   // BAD condition
  if (!(co_await store(n))) co_return;                                // BAD condition
  if (n > 0 && (co_await store(n))) {                                 // BAD condition
    while (co_await next(n)) use(n);                                  // BAD condition
  }
  switch ((co_await store(n)).value()) {                              // BAD condition
    default: break;
  }
  if (int m = n; m == (co_await store(n))) use(m);                    // BAD condition
  for (int i = 0; i < (co_await store(n)); ++i) use(i);               // BAD condition
}

Task<> choice(bool c) {
  auto value = c ? co_await first() : Deposit{"x"};    // BAD choice braces
  co_await (c ? first() : second());                   // BAD choice
  co_await store(c ? Deposit{"x"} : named);            // BAD choice braces
}

void closures(int x) {
  auto a = [x]() -> Task<> { co_await first(x); };     // BAD closure
  spawn([&] -> Task<int> { co_return 1; });            // BAD closure
  auto b = [this, y = x](Context& cx) mutable -> backstage::Task<backstage::Result<>> {  // BAD closure
    co_return {};
  };
  run([] {
    auto inner = [x] { co_yield x; };                  // BAD closure
  });
  auto c = [x]<class T>(T t) -> Task<T> { co_return t; };  // BAD closure
}
