// bitonic: V vectors of L numbers through a bitonic sorting network, one actor for each comparator. One op is a number at a
// comparator. The check: each vector in order, and a sum in which each number is weighted with its place.
#include <algorithm>
#include <array>
#include <deque>

#include "savina/savina.hpp"

namespace bench::savina {
namespace {

struct Number {
  std::uint32_t lane;
  std::uint64_t value;
};
using Next = backstage::To<void(Number)>;

/// Takes the numbers of two lanes in pairs. Each lane comes from one sender, so its numbers come in their vectors' order.
class Comparator {
 public:
  Comparator(std::array<std::uint32_t, 2> lanes, bool rising, std::array<Next, 2> next)
      : lanes_(lanes), rising_(rising), next_(next) {}
  void handle(Number number) {
    waiting_[number.lane == lanes_[0] ? 0 : 1].push_back(number.value);
    if (waiting_[0].empty() || waiting_[1].empty()) return;
    const auto [less, more] = std::minmax({waiting_[0].front(), waiting_[1].front()});
    waiting_[0].pop_front();
    waiting_[1].pop_front();
    next_[0].send(Number{lanes_[0], rising_ ? less : more});
    next_[1].send(Number{lanes_[1], rising_ ? more : less});
  }

 private:
  std::array<std::uint32_t, 2> lanes_;
  bool rising_;
  std::array<Next, 2> next_;
  std::array<std::deque<std::uint64_t>, 2> waiting_;
};

struct Start {
  std::uint64_t vectors;
  std::uint64_t lanes;
};

class Master {
 public:
  void handle(Start start, Reply<std::uint64_t> done, Context& cx) {
    done_ = std::move(done);
    left_ = start.vectors * start.lanes;
    before_.resize(start.lanes);
    const Next me = cx.self(this);
    std::vector<Next> entry(start.lanes, me);
    // From the last column of comparators to the first: block sizes and strides the other way round.
    const auto lanes = static_cast<std::uint32_t>(start.lanes);
    for (std::uint32_t block = lanes; block >= 2; block /= 2) {
      for (std::uint32_t stride = 1; stride < block; stride *= 2) {
        for (std::uint32_t low = 0; low < lanes; ++low) {
          const std::uint32_t high = low ^ stride;
          if (high < low) continue;
          const bool rising = (low & block) == 0;
          const Next made = cx.spawn(backstage::child<Comparator>(backstage::unnamed, std::array{low, high}, rising,
                                                                  std::array{entry[low], entry[high]})
                                         .mailbox(backstage::unbounded()));
          entry[low] = entry[high] = made;
        }
      }
    }
    Xorshift random(88172645463325252U);
    for (std::uint64_t v = 0; v < start.vectors; ++v) {
      for (std::uint32_t lane = 0; lane < lanes; ++lane) entry[lane].send(Number{lane, random.next() >> 32U});
    }
  }
  void handle(Number number) {
    // Lanes run apart by whole vectors: each lane's numbers wait for those of the lane below.
    before_[number.lane].push_back(number.value);
    sum_ += (number.lane + 1) * number.value;
    while (std::none_of(before_.begin(), before_.end(), [](const auto& lane) { return lane.empty(); })) {
      std::uint64_t last = 0;
      for (auto& lane : before_) {
        if (lane.front() < last) throw std::runtime_error("out of order");
        last = lane.front();
        lane.pop_front();
      }
    }
    if (--left_ == 0) std::move(done_)(sum_);
  }

 private:
  Reply<std::uint64_t> done_;
  std::uint64_t left_ = 0;
  std::uint64_t sum_ = 0;
  std::vector<std::deque<std::uint64_t>> before_;
};

}  // namespace

Outcome bitonic(const Settings& settings) {
  const std::uint64_t vectors = settings.arg(0, 5'000);
  const std::uint64_t lanes = settings.arg(1, 32);
  std::uint64_t log = 0;
  while ((std::uint64_t{1} << log) < lanes) ++log;
  if (lanes < 2 || lanes != std::uint64_t{1} << log) throw std::runtime_error("as many lanes as a power of two");
  const double seconds = timed(settings, vectors, [lanes](backstage::Runtime& runtime, std::uint64_t count) {
    Xorshift random(88172645463325252U);
    std::uint64_t expected = 0;
    std::vector<std::uint64_t> vector(lanes);
    for (std::uint64_t v = 0; v < count; ++v) {
      for (auto& number : vector) number = random.next() >> 32U;
      std::sort(vector.begin(), vector.end());
      for (std::size_t lane = 0; lane < lanes; ++lane) expected += (lane + 1) * vector[lane];
    }
    const auto master = runtime.spawn(backstage::child<Master>(backstage::unnamed).mailbox(backstage::unbounded()));
    check("weighted sum of the numbers", run<Start>(runtime, master, count, lanes), expected);
  });
  return {vectors * lanes * (log * (log + 1) / 2), seconds, "mailbox=unbounded"};
}

}  // namespace bench::savina
