// queens: all ways to put N queens on a board of N by N; a master hands pieces of work to W workers, who split them down to
// D rows and count the rest in place. One op is a piece of work. The check: how many ways there are.
#include <array>

#include "savina/savina.hpp"

namespace bench::savina {
namespace {

constexpr std::size_t largest = 16;
/// The ways on boards of 0 to 16.
constexpr std::array<std::uint64_t, largest + 1> ways{
    1, 1, 0, 0, 2, 10, 4, 40, 92, 352, 724, 2'680, 14'200, 73'712, 365'596, 2'279'184, 14'772'512};

/// The columns and diagonals that the queens so far attack in the next row.
struct Board {
  std::uint32_t columns = 0;
  std::uint32_t left = 0;
  std::uint32_t right = 0;
  std::uint32_t row = 0;
};

/// Calls f(board) for each way to put a queen into the next row.
template <class F>
void each_next(const Board& board, std::uint32_t size, F f) {
  const std::uint32_t all = (1U << size) - 1;
  for (std::uint32_t open = all & ~(board.columns | board.left | board.right); open != 0; open &= open - 1) {
    const std::uint32_t queen = open & (~open + 1);
    f(Board{board.columns | queen, (board.left | queen) << 1U, (board.right | queen) >> 1U, board.row + 1});
  }
}
[[nodiscard]] std::uint64_t count(const Board& board, std::uint32_t size) {
  if (board.row == size) return 1;
  std::uint64_t sum = 0;
  each_next(board, size, [&](const Board& next) { sum += count(next, size); });
  return sum;
}

struct Work {
  Board board;
};
struct Ready {
  std::size_t worker;
  std::uint64_t found;
  std::vector<Board> pieces;
};
struct Start {
  std::uint64_t workers;
  std::uint64_t size;
  std::uint64_t depth;
};
struct Solution {
  std::uint64_t found = 0;
  std::uint64_t pieces = 0;
};

class Worker {
 public:
  Worker(backstage::To<void(Ready)> master, std::size_t number, std::uint32_t size, std::uint32_t depth)
      : master_(master), number_(number), size_(size), depth_(depth) {}
  void handle(Work work) {
    Ready ready{number_, 0, {}};
    if (work.board.row < depth_) {
      each_next(work.board, size_, [&](const Board& next) { ready.pieces.push_back(next); });
    } else {
      ready.found = count(work.board, size_);
    }
    master_.send(std::move(ready));
  }

 private:
  backstage::To<void(Ready)> master_;
  std::size_t number_;
  std::uint32_t size_;
  std::uint32_t depth_;
};

class Master {
 public:
  void handle(Start start, Reply<Solution> done, Context& cx) {
    done_ = std::move(done);
    const backstage::To<void(Ready)> me = cx.self(this);
    for (std::size_t w = 0; w < start.workers; ++w) {
      workers_.push_back(cx.spawn<Worker>(backstage::unnamed, me, w, static_cast<std::uint32_t>(start.size),
                                          static_cast<std::uint32_t>(start.depth)));
      idle_.push_back(w);
    }
    open_.push_back(Board{});
    hand_out();
  }
  void handle(Ready ready) {
    solution_.found += ready.found;
    open_.insert(open_.end(), ready.pieces.begin(), ready.pieces.end());
    idle_.push_back(ready.worker);
    hand_out();
    if (idle_.size() == workers_.size()) std::move(done_)(solution_);
  }

 private:
  void hand_out() {
    while (!open_.empty() && !idle_.empty()) {
      ++solution_.pieces;
      workers_[idle_.back()].send(Work{open_.back()});
      idle_.pop_back();
      open_.pop_back();
    }
  }
  Reply<Solution> done_;
  Solution solution_;
  std::vector<Ref<Worker>> workers_;
  std::vector<std::size_t> idle_;
  std::vector<Board> open_;
};

}  // namespace

Outcome queens(const Settings& settings) {
  const std::uint64_t size = settings.arg(0, 12);
  const std::uint64_t depth = settings.arg(1, 5);
  const std::uint64_t workers = settings.arg(2, 20);
  if (size < 5 || size > largest || workers == 0) throw std::runtime_error("a board from 5 to 16, and a worker");
  backstage::Runtime runtime(settings.runtime());
  const auto once = [&](std::uint64_t board) {
    const auto master = runtime.spawn<Master>(backstage::unnamed);
    const Solution solution = run<Start>(runtime, master, workers, board, depth);
    check("ways", solution.found, ways[board]);
    return solution.pieces;
  };
  (void)once(size - 1);
  const Stopwatch watch;
  const std::uint64_t pieces = once(size);
  return {pieces, watch.seconds(), "ways=" + std::to_string(ways[size])};
}

}  // namespace bench::savina
