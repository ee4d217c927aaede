// producers: P producers and C consumers around a manager that keeps at most B items (bounded buffer). One op is an item.
// The check: the sum of what the consumers took, each item weighted by its producer.
#include <deque>

#include "savina/savina.hpp"

namespace bench::savina {
namespace {

class Manager;
class Producer;
class Consumer;

struct Item {
  std::uint64_t value;
};
struct Produce {};
struct Produced {
  std::size_t producer;
  std::uint64_t value;
};
struct Ready {
  std::size_t consumer;
  std::uint64_t taken;  // the value of the item before, 0 at first
};
struct Start {
  std::uint64_t producers;
  std::uint64_t consumers;
  std::uint64_t items;  // of each producer
};

constexpr std::size_t room = 50;
constexpr int effort = 25;  // steps of a generator for each item, on either side

class Producer {
 public:
  Producer(Ref<Manager> manager, std::size_t number) : manager_(manager), number_(number), random_(number + 1) {}
  void handle(Produce);

 private:
  Ref<Manager> manager_;
  std::size_t number_;
  std::uint64_t made_ = 0;
  Xorshift random_;
};

class Consumer {
 public:
  Consumer(Ref<Manager> manager, std::size_t number) : manager_(manager), number_(number), random_(number + 1) {}
  void init();
  void handle(Item item);

 private:
  Ref<Manager> manager_;
  std::size_t number_;
  Xorshift random_;
};

class Manager {
 public:
  void handle(Start start, Reply<std::uint64_t> done, Context& cx) {
    done_ = std::move(done);
    left_ = start.producers * start.items;
    to_produce_.assign(start.producers, start.items);
    for (std::size_t c = 0; c < start.consumers; ++c) {
      consumers_.push_back(cx.spawn<Consumer>(backstage::unnamed, cx.self(this), c));
    }
    for (std::size_t p = 0; p < start.producers; ++p) {
      producers_.push_back(cx.spawn<Producer>(backstage::unnamed, cx.self(this), p));
      idle_producers_.push_back(p);
    }
    let_produce();
  }
  void handle(Produced produced) {
    --on_the_way_;
    items_.push_back(produced.value);
    idle_producers_.push_back(produced.producer);
    hand_out();
    let_produce();
  }
  void handle(Ready ready) {
    if (ready.taken > 0) {
      sum_ += ready.taken;
      if (--left_ == 0) std::move(done_)(sum_);
    }
    idle_consumers_.push_back(ready.consumer);
    hand_out();
    let_produce();
  }

 private:
  void hand_out() {
    while (!items_.empty() && !idle_consumers_.empty()) {
      consumers_[idle_consumers_.front()].send(Item{items_.front()});
      idle_consumers_.pop_front();
      items_.pop_front();
    }
  }
  /// As many as there is room for, in turn.
  void let_produce() {
    while (!idle_producers_.empty() && items_.size() + on_the_way_ < room) {
      const std::size_t next = idle_producers_.front();
      idle_producers_.pop_front();
      if (to_produce_[next] == 0) continue;
      --to_produce_[next];
      ++on_the_way_;
      producers_[next].send(Produce{});
    }
  }

  Reply<std::uint64_t> done_;
  std::vector<Ref<Producer>> producers_;
  std::vector<Ref<Consumer>> consumers_;
  std::vector<std::uint64_t> to_produce_;
  std::deque<std::size_t> idle_producers_;
  std::deque<std::size_t> idle_consumers_;
  std::deque<std::uint64_t> items_;
  std::size_t on_the_way_ = 0;
  std::uint64_t left_ = 0;
  std::uint64_t sum_ = 0;
};

void Producer::handle(Produce) {
  for (int i = 0; i < effort; ++i) (void)random_.next();
  ++made_;
  manager_.send(Produced{number_, made_ * (number_ + 1)});
}
void Consumer::init() { manager_.send(Ready{number_, 0}); }
void Consumer::handle(Item item) {
  for (int i = 0; i < effort; ++i) (void)random_.next();
  manager_.send(Ready{number_, item.value});
}

}  // namespace

Outcome producers(const Settings& settings) {
  const std::uint64_t p = settings.arg(0, 40);
  const std::uint64_t c = settings.arg(1, 40);
  const std::uint64_t n = settings.arg(2, 25'000);
  if (p == 0 || c == 0) throw std::runtime_error("at least one producer and one consumer");
  const double seconds = timed(settings, n, [p, c](backstage::Runtime& runtime, std::uint64_t items) {
    const auto manager = runtime.spawn<Manager>(backstage::unnamed);
    check("sum of the items", run<Start>(runtime, manager, p, c, items),
          (p * (p + 1) / 2) * (items * (items + 1) / 2));
  });
  return {p * n, seconds, "room=" + std::to_string(room)};
}

}  // namespace bench::savina
