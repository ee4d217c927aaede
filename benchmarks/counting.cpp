// counting: A sends N increments to B without waiting, then asks for the sum. One op is a message.
// B's mailbox is unbounded(): A does not wait, so its backlog has no bound but N.
#include "workload.hpp"

namespace bench {
namespace {

struct Increment {
  std::uint64_t by;
};
struct Sum {};
struct Count {
  std::uint64_t to;
};

struct Counter {
  void handle(Increment increment) { sum += increment.by; }
  std::uint64_t handle(Sum) const { return sum; }
  std::uint64_t sum = 0;
};

struct Sender {
  void init(Context& cx) { counter = cx.spawn(backstage::child<Counter>("counter").mailbox(backstage::unbounded())); }
  backstage::Task<std::uint64_t> handle(Count count) {
    for (std::uint64_t i = 0; i < count.to; ++i) counter.send(Increment{1});
    const auto sum = co_await counter.ask<Sum>().within(patience);
    co_return sum.value();
  }
  Ref<Counter> counter;
};

}  // namespace

Outcome counting(const Settings& settings) {
  const std::uint64_t n = settings.arg(0, 10'000'000);
  const double seconds = timed(settings, n, [](backstage::Runtime& runtime, std::uint64_t messages) {
    const auto sender = runtime.spawn<Sender>(backstage::unnamed);
    check("increments", run<Count>(runtime, sender, messages), messages);
  });
  return {n, seconds, "mailbox=unbounded"};
}

}  // namespace bench
