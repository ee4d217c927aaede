// burst: A actors come, live at once and go; then M messages pile up and are handled. Resident memory 5 s after, and
// before; `kept` is their ratio. One op is an actor or a message. The speed is not the point.
#include <atomic>
#include <thread>

#include "resident.hpp"
#include "workload.hpp"

namespace bench {
namespace {

struct Value {
  std::uint64_t value;
};
struct Leave {};
class Guest {
 public:
  explicit Guest(std::atomic<std::uint64_t>* sum) : sum_(sum) {}
  void handle(Value value) { sum_->fetch_add(value.value, std::memory_order_relaxed); }
  void handle(Leave, Context& cx) { cx.stop(); }

 private:
  std::atomic<std::uint64_t>* sum_;
};

struct Invite {
  std::uint64_t guests;
};
struct SendAway {};
class Host {
 public:
  explicit Host(std::atomic<std::uint64_t>* sum) : sum_(sum) {}
  bool handle(Invite invite, Context& cx) {
    guests_.reserve(invite.guests);
    for (std::uint64_t i = 0; i < invite.guests; ++i) {
      guests_.push_back(cx.spawn<Guest>(backstage::unnamed, sum_));
      guests_.back().send(Value{i});
    }
    return true;
  }
  bool handle(SendAway) {
    for (const auto& guest : guests_) guest.send(Leave{});
    std::vector<Ref<Guest>>().swap(guests_);
    return true;
  }

 private:
  std::atomic<std::uint64_t>* sum_;
  std::vector<Ref<Guest>> guests_;
};

struct Item {
  std::uint64_t value;
};
struct Pile {
  std::uint64_t items;
};
struct Sum {};
/// Sends to itself: nothing is handled before all have piled up.
class Piler {
 public:
  bool handle(Pile pile, Context& cx) {
    for (std::uint64_t i = 0; i < pile.items; ++i) cx.self(this).send(Item{i});
    return true;
  }
  void handle(Item item) { sum_ += item.value; }
  std::uint64_t handle(Sum) { return std::exchange(sum_, 0); }

 private:
  std::uint64_t sum_ = 0;
};

[[nodiscard]] std::uint64_t sum_below(std::uint64_t n) { return n == 0 ? 0 : n * (n - 1) / 2; }

}  // namespace

Outcome burst(const Settings& settings) {
  const std::uint64_t actors = settings.arg(0, 1'000'000);
  const std::uint64_t messages = settings.arg(1, 0);
  std::atomic<std::uint64_t> sum{0};
  backstage::Runtime runtime(settings.runtime());
  const auto host = runtime.spawn<Host>("host", &sum);
  const auto piler = runtime.spawn(backstage::child<Piler>("piler").mailbox(backstage::unbounded()));
  const std::size_t residents = runtime.actors();
  const auto once = [&](std::uint64_t guests, std::uint64_t items) {
    run<Invite>(runtime, host, guests);
    while (sum.load(std::memory_order_relaxed) != sum_below(guests)) std::this_thread::sleep_for(5ms);
    const std::uint64_t peak = resident();
    run<SendAway>(runtime, host);
    while (runtime.actors() > residents) std::this_thread::sleep_for(5ms);
    sum.store(0, std::memory_order_relaxed);
    run<Pile>(runtime, piler, items);
    const std::uint64_t piled = resident();
    check("sum of the items", run<Sum>(runtime, piler), sum_below(items));
    return std::max(peak, piled);
  };
  once(actors / 100, messages / 100);  // what is touched for the first time, and kept for good
  std::this_thread::sleep_for(1s);
  const std::uint64_t before = resident();
  const Stopwatch watch;
  const std::uint64_t peak = once(actors, messages);
  const double seconds = watch.seconds();
  std::this_thread::sleep_for(5s);
  const std::uint64_t after = resident();
  return {actors + messages, seconds,
          "before_mib=" + std::to_string(before >> 20U) + " peak_mib=" + std::to_string(peak >> 20U) +
              " after_mib=" + std::to_string(after >> 20U) +
              " kept=" + std::to_string(static_cast<double>(after) / static_cast<double>(before))};
}

}  // namespace bench
