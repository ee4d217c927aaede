// outside: T threads that are no workers send N messages each to one actor. One op is a message.
// The mailbox is unbounded(): the threads do not wait.
#include <thread>

#include "workload.hpp"

namespace bench {
namespace {

struct Item {
  std::uint64_t value;
};
struct Expect {
  std::uint64_t items;
};

class Consumer {
 public:
  void handle(Expect expect, Reply<std::uint64_t> done) {
    expected_ = expect.items;
    done_ = std::move(done);
    answer_if_complete();
  }
  void handle(Item item) {
    sum_ += item.value;
    ++got_;
    answer_if_complete();
  }

 private:
  void answer_if_complete() {
    if (got_ == expected_) std::move(done_)(sum_);
  }
  std::uint64_t expected_ = UINT64_MAX;
  std::uint64_t got_ = 0;
  std::uint64_t sum_ = 0;
  Reply<std::uint64_t> done_;
};

}  // namespace

Outcome outside(const Settings& settings) {
  const std::uint64_t t = settings.arg(0, 2);
  const std::uint64_t n = settings.arg(1, 2'000'000);
  const double seconds = timed(settings, n, [t](backstage::Runtime& runtime, std::uint64_t items) {
    const auto consumer =
        runtime.spawn(backstage::child<Consumer>(backstage::unnamed).mailbox(backstage::unbounded()));
    std::vector<std::jthread> threads;
    for (std::uint64_t k = 0; k < t; ++k) {
      threads.emplace_back([consumer, items] {
        for (std::uint64_t i = 0; i < items; ++i) consumer.send(Item{i});
      });
    }
    check("sum of the items", run<Expect>(runtime, consumer, t * items), t * (items * (items - 1) / 2));
  });
  return {t * n, seconds, "mailbox=unbounded"};
}

}  // namespace bench
