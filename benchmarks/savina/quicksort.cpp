// quicksort: N numbers; an actor splits its part by a pivot between two children, down to 2048 numbers. One op is a number.
// The check: in order, and a sum in which each number is weighted with its place.
#include <algorithm>

#include "savina/savina.hpp"

namespace bench::savina {
namespace {

using Numbers = std::vector<std::uint64_t>;

struct Sort {
  Numbers numbers;
};
struct Sorted {
  Numbers numbers;
  bool left;  // which half of its parent's
};

class Sorter {
 public:
  Sorter(backstage::To<void(Sorted)> above, bool left) : above_(above), left_(left) {}
  void handle(Sort sort, Context& cx) {
    if (sort.numbers.size() <= small) {
      std::sort(sort.numbers.begin(), sort.numbers.end());
      return finish(std::move(sort.numbers), cx);
    }
    const std::uint64_t pivot = sort.numbers[sort.numbers.size() / 2];
    Numbers less;
    Numbers more;
    for (const std::uint64_t number : sort.numbers) {
      if (number < pivot) {
        less.push_back(number);
      } else if (number > pivot) {
        more.push_back(number);
      } else {
        middle_.push_back(number);
      }
    }
    const backstage::To<void(Sorted)> me = cx.self(this);
    cx.spawn<Sorter>(backstage::unnamed, me, true).send(Sort{std::move(less)});
    cx.spawn<Sorter>(backstage::unnamed, me, false).send(Sort{std::move(more)});
  }
  void handle(Sorted half, Context& cx) {
    (half.left ? less_ : more_) = std::move(half.numbers);
    if (++halves_ < 2) return;
    less_.insert(less_.end(), middle_.begin(), middle_.end());
    less_.insert(less_.end(), more_.begin(), more_.end());
    finish(std::move(less_), cx);
  }

 private:
  static constexpr std::size_t small = 2'048;
  void finish(Numbers numbers, Context& cx) {
    above_.send(Sorted{std::move(numbers), left_});
    cx.stop();
  }
  backstage::To<void(Sorted)> above_;
  bool left_;
  Numbers less_;
  Numbers middle_;
  Numbers more_;
  int halves_ = 0;
};

struct Start {
  std::uint64_t numbers;
};
class Master {
 public:
  void handle(Start start, Reply<Numbers> done, Context& cx) {
    done_ = std::move(done);
    Xorshift random(88172645463325252U);
    Numbers numbers(start.numbers);
    for (auto& number : numbers) number = random.next();
    const backstage::To<void(Sorted)> me = cx.self(this);
    cx.spawn<Sorter>(backstage::unnamed, me, true).send(Sort{std::move(numbers)});
  }
  void handle(Sorted sorted) { std::move(done_)(std::move(sorted.numbers)); }

 private:
  Reply<Numbers> done_;
};

[[nodiscard]] std::uint64_t weighted(const Numbers& numbers) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i) sum += (i + 1) * numbers[i];
  return sum;
}

}  // namespace

Outcome quicksort(const Settings& settings) {
  const std::uint64_t n = settings.arg(0, 1'000'000);
  const auto once = [](backstage::Runtime& runtime, std::uint64_t count) {
    const auto master = runtime.spawn<Master>(backstage::unnamed);
    return run<Start>(runtime, master, count);
  };
  backstage::Runtime runtime(settings.runtime());
  (void)once(runtime, n / 10);
  const Stopwatch watch;
  const Numbers sorted = once(runtime, n);
  const double seconds = watch.seconds();
  Xorshift random(88172645463325252U);
  Numbers expected(n);
  for (auto& number : expected) number = random.next();
  std::sort(expected.begin(), expected.end());
  check("weighted sum of the numbers", weighted(sorted), weighted(expected));
  return {n, seconds, ""};
}

}  // namespace bench::savina
