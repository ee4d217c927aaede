// payload: A sends N messages of B bytes to B without waiting (counting with a load). One op is a message.
// The mailbox is unbounded(); B is 8, 64 or 1024.
#include <array>

#include "workload.hpp"

namespace bench {
namespace {

template <std::size_t Words>
struct Load {
  std::array<std::uint64_t, Words> words;
};
struct Sum {};
template <std::size_t Words>
struct Receiver {
  /// The last word too, so that the whole load has to arrive.
  void handle(const Load<Words>& load) { sum += load.words.front() + load.words.back(); }
  std::uint64_t handle(Sum) const { return sum; }
  std::uint64_t sum = 0;
};

struct Send {
  std::uint64_t loads;
};
template <std::size_t Words>
struct Sender {
  void init(Context& cx) {
    receiver = cx.spawn(backstage::child<Receiver<Words>>("receiver").mailbox(backstage::unbounded()));
  }
  backstage::Task<std::uint64_t> handle(Send send) {
    Load<Words> load{};
    for (std::uint64_t i = 0; i < send.loads; ++i) {
      load.words.back() = i;
      load.words.front() = i;
      receiver.send(load);
    }
    const auto sum = co_await receiver.template ask<Sum>().within(patience);
    co_return sum.value();
  }
  Ref<Receiver<Words>> receiver;
};

template <std::size_t Words>
double send_all(const Settings& settings, std::uint64_t n) {
  return timed(settings, n, [](backstage::Runtime& runtime, std::uint64_t loads) {
    const auto sender = runtime.spawn<Sender<Words>>(backstage::unnamed);
    check("sum of the loads", run<Send>(runtime, sender, loads), loads * (loads - 1));
  });
}

}  // namespace

Outcome payload(const Settings& settings) {
  const std::uint64_t bytes = settings.arg(0, 64);
  const std::uint64_t n = settings.arg(1, bytes > 64 ? 1'000'000 : 5'000'000);
  double seconds = 0;
  switch (bytes) {
    case 8: seconds = send_all<1>(settings, n); break;
    case 64: seconds = send_all<8>(settings, n); break;
    case 1'024: seconds = send_all<128>(settings, n); break;
    default: throw std::runtime_error("a load of " + std::to_string(bytes) + " bytes: 8, 64 and 1024 are there");
  }
  return {n, seconds, "bytes=" + std::to_string(bytes) + " mailbox=unbounded"};
}

}  // namespace bench
