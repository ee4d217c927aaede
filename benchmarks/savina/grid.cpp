// grid: the shortest way from a corner to each cell of a cube of N cells an edge, whose cells cost differently; W workers
// own slices and send each other what improves (in the place of the suite's A*). One op is a cell. The check: the sum of
// all distances, against a search in place.
#include <atomic>
#include <queue>

#include "savina/savina.hpp"

namespace bench::savina {
namespace {

struct Cube {
  std::uint64_t edge;
  [[nodiscard]] std::uint64_t cells() const { return edge * edge * edge; }
  /// What it costs to enter a cell: 1 to 8.
  [[nodiscard]] static std::uint32_t cost(std::uint64_t cell) {
    return 1 + static_cast<std::uint32_t>((cell * 0x9E3779B97F4A7C15U) >> 61U);
  }
  template <class F>
  void each_neighbour(std::uint64_t cell, F f) const {
    std::uint64_t step = 1;
    for (int axis = 0; axis < 3; ++axis, step *= edge) {
      const std::uint64_t at = cell / step % edge;
      if (at > 0) f(cell - step);
      if (at + 1 < edge) f(cell + step);
    }
  }
};

constexpr std::uint32_t unreached = UINT32_MAX;

struct Reach {
  std::uint64_t cell;
  std::uint32_t distance;
};
struct Sum {};

class Slice;
/// What all slices share: who works where, and how many messages are not yet handled.
struct Shared {
  Cube cube;
  std::vector<Ref<Slice>> slices;
  std::atomic<std::uint64_t> open{0};
  backstage::To<void(Part)> master;
  [[nodiscard]] std::size_t owner(std::uint64_t cell) const { return cell * slices.size() / cube.cells(); }
};

/// A search of its own within the slice; what lies beyond goes to its owner.
class Slice {
 public:
  explicit Slice(Shared* shared) : shared_(shared) {}
  void init(Context& cx) {
    me_ = cx.self(this);
    distances_.assign(shared_->cube.cells(), unreached);
    told_ = distances_;
  }
  void handle(Reach reach) {
    improve(reach);
    while (!frontier_.empty()) {
      const auto [distance, cell] = frontier_.top();
      frontier_.pop();
      if (distance > distances_[cell]) continue;
      shared_->cube.each_neighbour(cell, [&, d = distance](std::uint64_t next) {
        const Reach further{next, d + Cube::cost(next)};
        const Ref<Slice>& owner = shared_->slices[shared_->owner(next)];
        if (owner == me_) {
          improve(further);
        } else if (further.distance < told_[next]) {
          told_[next] = further.distance;
          // relaxed: this message is itself counted, so the sum cannot be 0 meanwhile.
          shared_->open.fetch_add(1, std::memory_order_relaxed);
          owner.send(further);
        }
      });
    }
    // acq_rel: whoever brings it to 0 comes after all that was done.
    if (shared_->open.fetch_sub(1, std::memory_order_acq_rel) == 1) shared_->master.send(Part{0});
  }
  std::uint64_t handle(Sum) const {
    std::uint64_t sum = 0;
    for (std::uint64_t cell = 0; cell < distances_.size(); ++cell) {
      if (distances_[cell] != unreached) sum += distances_[cell] * (cell % 7 + 1);
    }
    return sum;
  }

 private:
  void improve(Reach reach) {
    if (reach.distance >= distances_[reach.cell]) return;
    distances_[reach.cell] = reach.distance;
    frontier_.emplace(reach.distance, reach.cell);
  }
  using Entry = std::pair<std::uint32_t, std::uint64_t>;
  Shared* shared_;
  Ref<Slice> me_;
  // By cell of the whole cube: what is known of our own, and what others were told of theirs.
  std::vector<std::uint32_t> distances_;
  std::vector<std::uint32_t> told_;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> frontier_;
};

struct Start {
  std::uint64_t edge;
  std::uint64_t slices;
};
class Master {
 public:
  void handle(Start start, Reply<std::uint64_t> done, Context& cx) {
    done_ = std::move(done);
    shared_.cube.edge = start.edge;
    shared_.master = cx.self(this);
    for (std::uint64_t s = 0; s < start.slices; ++s) {
      shared_.slices.push_back(cx.spawn<Slice>(backstage::unnamed, &shared_));
    }
    shared_.open.store(1, std::memory_order_relaxed);
    shared_.slices.front().send(Reach{0, 0});
  }
  /// Nothing is on its way any more.
  backstage::Task<> handle(Part) {
    std::uint64_t sum = 0;
    for (std::size_t s = 0; s < shared_.slices.size(); ++s) {
      const auto part = co_await shared_.slices[s].ask<Sum>().within(patience);
      sum += part.value();
    }
    std::move(done_)(sum);
  }

 private:
  Shared shared_;
  Reply<std::uint64_t> done_;
};

[[nodiscard]] std::uint64_t search_in_place(Cube cube) {
  using Entry = std::pair<std::uint32_t, std::uint64_t>;
  std::vector<std::uint32_t> distances(cube.cells(), unreached);
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> frontier;
  distances[0] = 0;
  frontier.emplace(0, 0);
  while (!frontier.empty()) {
    const auto [distance, cell] = frontier.top();
    frontier.pop();
    if (distance > distances[cell]) continue;
    cube.each_neighbour(cell, [&, d = distance](std::uint64_t next) {
      const std::uint32_t further = d + Cube::cost(next);
      if (further >= distances[next]) return;
      distances[next] = further;
      frontier.emplace(further, next);
    });
  }
  std::uint64_t sum = 0;
  for (std::uint64_t cell = 0; cell < distances.size(); ++cell) sum += distances[cell] * (cell % 7 + 1);
  return sum;
}

}  // namespace

Outcome grid(const Settings& settings) {
  const std::uint64_t edge = settings.arg(0, 40);
  const std::uint64_t slices = settings.arg(1, 8);
  if (edge < 4 || slices == 0 || slices > edge) throw std::runtime_error("a cube of 4 at least, and a cell for each");
  backstage::Runtime runtime(settings.runtime());
  const auto once = [&](std::uint64_t cells) {
    const auto master = runtime.spawn<Master>(backstage::unnamed);
    return run<Start>(runtime, master, cells, slices);
  };
  (void)once(edge / 2);
  const Stopwatch watch;
  const std::uint64_t sum = once(edge);
  const double seconds = watch.seconds();
  check("sum of the distances", sum, search_in_place(Cube{edge}));
  return {edge * edge * edge, seconds, ""};
}

}  // namespace bench::savina
