// fanin: P producers send N messages each to one consumer. One op is a message.
// The consumer's mailbox is unbounded(): the producers do not wait, but they give way after each K messages (64, if it is not
// said otherwise; 0: never).
#include "workload.hpp"

namespace bench {
namespace {

struct Item {
  std::uint64_t value;
};
struct Produce {
  std::uint64_t items;
  std::uint64_t in_a_row;
};
struct Expect {
  std::uint64_t items;
};

class Consumer {
 public:
  /// May come behind the first items: the producers may run on another thread before it is asked.
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

class Producer {
 public:
  explicit Producer(Ref<Consumer> consumer) : consumer_(consumer) {}
  backstage::Task<> handle(Produce produce, Context& cx) {
    for (std::uint64_t i = 0; i < produce.items; ++i) {
      consumer_.send(Item{i});
      if (produce.in_a_row != 0 && (i + 1) % produce.in_a_row == 0) co_await cx.yield();
    }
  }

 private:
  Ref<Consumer> consumer_;
};

struct Start {
  std::uint64_t producers;
  std::uint64_t items;
  std::uint64_t in_a_row;
};

struct Stage {
  backstage::Task<std::uint64_t> handle(Start start, Context& cx) {
    const auto consumer = cx.spawn(backstage::child<Consumer>(backstage::unnamed).mailbox(backstage::unbounded()));
    for (std::uint64_t p = 0; p < start.producers; ++p) {
      cx.spawn<Producer>(backstage::unnamed, consumer).send(Produce{start.items, start.in_a_row});
    }
    const auto sum = co_await consumer.ask<Expect>(start.producers * start.items).within(patience);
    co_return sum.value();
  }
};

}  // namespace

Outcome fanin(const Settings& settings) {
  const std::uint64_t p = settings.arg(0, 100);
  const std::uint64_t n = settings.arg(1, 100'000);
  const std::uint64_t in_a_row = settings.arg(2, 64);
  const double seconds = timed(settings, n, [p, in_a_row](backstage::Runtime& runtime, std::uint64_t items) {
    const auto stage = runtime.spawn<Stage>(backstage::unnamed);
    check("sum of the items", run<Start>(runtime, stage, p, items, in_a_row), p * (items * (items - 1) / 2));
  });
  return {p * n, seconds, "mailbox=unbounded"};
}

}  // namespace bench
