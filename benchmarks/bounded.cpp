// bounded: P producers send N messages each into a mailbox of 1000 and wait for room. One op is a message.
#include "workload.hpp"

namespace bench {
namespace {

struct Item {
  std::uint64_t value;
};
struct Produce {
  std::uint64_t items;
};
struct Start {
  std::uint64_t producers;
  std::uint64_t items;
};

class Stage;

class Consumer {
 public:
  Consumer(Ref<Stage> stage, std::uint64_t expected) : stage_(stage), left_(expected) {}
  void handle(Item item);

 private:
  Ref<Stage> stage_;
  std::uint64_t left_;
  std::uint64_t sum_ = 0;
};

class Producer {
 public:
  explicit Producer(Ref<Consumer> consumer) : consumer_(consumer) {}
  backstage::Task<> handle(Produce produce) {
    for (std::uint64_t i = 0; i < produce.items; ++i) {
      Item item{i};
      auto sent = co_await consumer_.send_wait(backstage::moved(item)).within(patience);
      std::move(sent).or_fail();
    }
  }

 private:
  Ref<Consumer> consumer_;
};

struct Total {
  std::uint64_t sum;
};

class Stage {
 public:
  void handle(Start start, Reply<std::uint64_t> done, Context& cx) {
    done_ = std::move(done);
    const auto consumer =
        cx.spawn(backstage::child<Consumer>(backstage::unnamed, cx.self(this), start.producers * start.items)
                     .mailbox(backstage::bounded(1'000)));
    for (std::uint64_t p = 0; p < start.producers; ++p) {
      cx.spawn<Producer>(backstage::unnamed, consumer).send(Produce{start.items});
    }
  }
  void handle(Total total) { std::move(done_)(total.sum); }

 private:
  Reply<std::uint64_t> done_;
};

void Consumer::handle(Item item) {
  sum_ += item.value;
  if (--left_ == 0) stage_.send(Total{sum_});
}

}  // namespace

Outcome bounded(const Settings& settings) {
  const std::uint64_t p = settings.arg(0, 1);
  const std::uint64_t n = settings.arg(1, 10'000'000);
  const double seconds = timed(settings, n, [p](backstage::Runtime& runtime, std::uint64_t items) {
    const auto stage = runtime.spawn<Stage>(backstage::unnamed);
    check("sum of the items", run<Start>(runtime, stage, p, items), p * (items * (items - 1) / 2));
  });
  return {p * n, seconds, "mailbox=bounded(1000)"};
}

}  // namespace bench
