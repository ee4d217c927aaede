// backlog: N messages of 8 bytes pile up for a consumer that is stopped, and are then handled. One op is a message sent.
// `bytes_per_message` is what became resident meanwhile. The mailbox is unbounded(); the consumer keeps its turn while
// it awaits a gate.
#include "resident.hpp"
#include "workload.hpp"

namespace bench {
namespace {

struct Wait {};
struct Open {};
class Gate {
 public:
  void handle(Wait, Reply<bool> opened) { opened_ = std::move(opened); }
  void handle(Open) { std::move(opened_)(true); }

 private:
  Reply<bool> opened_;
};

struct Hold {};
struct Item {
  std::uint64_t value;
};
struct Sum {};
class Consumer {
 public:
  explicit Consumer(Ref<Gate> gate) : gate_(gate) {}
  backstage::Task<> handle(Hold) {
    const auto opened = co_await gate_.ask<Wait>().within(patience);
    if (!opened.value()) throw std::runtime_error("the gate stays shut");
  }
  void handle(Item item) { sum_ += item.value; }
  std::uint64_t handle(Sum) const { return sum_; }

 private:
  Ref<Gate> gate_;
  std::uint64_t sum_ = 0;
};

struct Pile {
  std::uint64_t items;
};
class Producer {
 public:
  explicit Producer(Ref<Consumer> consumer) : consumer_(consumer) {}
  bool handle(Pile pile) {
    for (std::uint64_t i = 0; i < pile.items; ++i) consumer_.send(Item{i});
    return true;
  }

 private:
  Ref<Consumer> consumer_;
};

}  // namespace

Outcome backlog(const Settings& settings) {
  const std::uint64_t n = settings.arg(0, 10'000'000);
  backstage::Runtime runtime(settings.runtime());
  const auto gate = runtime.spawn<Gate>("gate");
  const auto consumer = runtime.spawn(backstage::child<Consumer>("consumer", gate).mailbox(backstage::unbounded()));
  const auto producer = runtime.spawn<Producer>("producer", consumer);
  consumer.send(Hold{});
  const std::uint64_t before = resident();
  const Stopwatch piling;
  run<Pile>(runtime, producer, n);
  const double seconds = piling.seconds();
  const std::uint64_t piled = resident();
  const Stopwatch draining;
  gate.send(Open{});
  check("sum of the items", run<Sum>(runtime, consumer), n * (n - 1) / 2);
  const double drained = static_cast<double>(n) / draining.seconds();
  const double each = static_cast<double>(piled - before) / static_cast<double>(n);
  return {n, seconds,
          "bytes_per_message=" + std::to_string(each) +
              " drained_per_second=" + std::to_string(static_cast<std::uint64_t>(drained))};
}

}  // namespace bench
