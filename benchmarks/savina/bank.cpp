// bank: N transfers between A accounts, at random and always to a higher number; an account keeps its turn while the other
// one confirms. One op is a transfer. The check: the balances in the end, each weighted with its number.
#include "savina/savina.hpp"

namespace bench::savina {
namespace {

class Account;

struct Debit {
  std::uint64_t cents;
};
struct Credit {
  Ref<Account> to;
  std::uint64_t cents;
};
struct Balance {};

class Account {
 public:
  explicit Account(backstage::To<void(Part)> teller) : teller_(teller) {}
  backstage::Task<> handle(Credit credit) {
    balance_ -= credit.cents;
    const auto confirmed = co_await credit.to.ask<Debit>(credit.cents).within(patience);
    if (!confirmed.value()) throw std::runtime_error("refused");
    teller_.send(Part{1});
  }
  bool handle(Debit debit) {
    balance_ += debit.cents;
    return true;
  }
  std::uint64_t handle(Balance) const { return balance_; }

 private:
  backstage::To<void(Part)> teller_;
  std::uint64_t balance_ = 1'000'000;  // modulo 2^64, as all sums here
};

struct Open {
  std::uint64_t accounts;
  std::uint64_t transfers;
};
struct WeightedSum {};

/// Calls f(from, to, cents) for each transfer.
template <class F>
void draw(std::uint64_t accounts, std::uint64_t transfers, F f) {
  Xorshift random(88172645463325252U);
  for (std::uint64_t i = 0; i < transfers; ++i) {
    const std::size_t from = random.next() % (accounts - 1);
    const std::size_t to = from + 1 + random.next() % (accounts - from - 1);
    f(from, to, random.next() % 1'000);
  }
}

class Teller {
 public:
  void handle(Open open, Reply<std::uint64_t> done, Context& cx) {
    whole_.expect(open.transfers, std::move(done));
    const backstage::To<void(Part)> me = cx.self(this);
    for (std::uint64_t a = 0; a < open.accounts; ++a) accounts_.push_back(cx.spawn<Account>(backstage::unnamed, me));
    draw(open.accounts, open.transfers, [this](std::size_t from, std::size_t to, std::uint64_t cents) {
      accounts_[from].send(Credit{accounts_[to], cents});
    });
  }
  void handle(Part part) { whole_.add(part); }
  backstage::Task<std::uint64_t> handle(WeightedSum) {
    std::uint64_t sum = 0;
    for (std::size_t a = 0; a < accounts_.size(); ++a) {
      const auto balance = co_await accounts_[a].ask<Balance>().within(patience);
      sum += (a + 1) * balance.value();
    }
    co_return sum;
  }

 private:
  Whole whole_;
  std::vector<Ref<Account>> accounts_;
};

}  // namespace

Outcome bank(const Settings& settings) {
  const std::uint64_t a = settings.arg(0, 1'000);
  const std::uint64_t n = settings.arg(1, 500'000);
  if (a < 2) throw std::runtime_error("a transfer needs two accounts");
  const double seconds = timed(settings, n, [a](backstage::Runtime& runtime, std::uint64_t transfers) {
    const auto teller = runtime.spawn(backstage::child<Teller>(backstage::unnamed).mailbox(backstage::unbounded()));
    check("transfers", run<Open>(runtime, teller, a, transfers), transfers);
    std::vector<std::uint64_t> balances(a, 1'000'000);
    draw(a, transfers, [&](std::size_t from, std::size_t to, std::uint64_t cents) {
      balances[from] -= cents;
      balances[to] += cents;
    });
    std::uint64_t expected = 0;
    for (std::size_t i = 0; i < a; ++i) expected += (i + 1) * balances[i];
    check("weighted balances", run<WeightedSum>(runtime, teller), expected);
  });
  return {n, seconds, ""};
}

}  // namespace bench::savina
