// dictionary: W workers make N requests each of one dictionary, one at a time; one in ten writes. One op is a request.
// Each worker has keys of its own, so it knows what each read has to give.
#include <unordered_map>

#include "savina/savina.hpp"

namespace bench::savina {
namespace {

struct Write {
  std::uint64_t key;
  std::uint64_t value;
};
struct Read {
  std::uint64_t key;
};

class Dictionary {
 public:
  std::uint64_t handle(Write write) { return std::exchange(values_[write.key], write.value); }
  std::uint64_t handle(Read read) const {
    const auto found = values_.find(read.key);
    return found == values_.end() ? 0 : found->second;
  }

 private:
  std::unordered_map<std::uint64_t, std::uint64_t> values_;
};

struct Work {
  std::uint64_t requests;
};
class Worker {
 public:
  Worker(Ref<Dictionary> dictionary, backstage::To<void(Part)> above, std::uint64_t number)
      : dictionary_(dictionary), above_(above), first_key_(number * keys), random_(number * 2654435761U + 12345) {}
  /// Tells how many answers were right.
  backstage::Task<> handle(Work work) {
    std::vector<std::uint64_t> mine(keys, 0);
    std::uint64_t right = 0;
    for (std::uint64_t i = 1; i <= work.requests; ++i) {
      const std::uint64_t drawn = random_.next();
      const std::size_t key = (drawn >> 8U) % keys;
      const std::uint64_t expected = mine[key];
      if (drawn % 10 == 0) {
        mine[key] = i;
        const auto old = co_await dictionary_.ask<Write>(first_key_ + key, i).within(patience);
        right += old.value() == expected ? 1 : 0;
      } else {
        const auto value = co_await dictionary_.ask<Read>(first_key_ + key).within(patience);
        right += value.value() == expected ? 1 : 0;
      }
    }
    above_.send(Part{right});
  }

 private:
  static constexpr std::size_t keys = 512;
  Ref<Dictionary> dictionary_;
  backstage::To<void(Part)> above_;
  std::uint64_t first_key_;
  Xorshift random_;
};

struct Start {
  std::uint64_t workers;
  std::uint64_t requests;
};
class Master {
 public:
  void handle(Start start, Reply<std::uint64_t> done, Context& cx) {
    whole_.expect(start.workers, std::move(done));
    const backstage::To<void(Part)> me = cx.self(this);
    const auto dictionary = cx.spawn<Dictionary>(backstage::unnamed);
    for (std::uint64_t w = 0; w < start.workers; ++w) {
      cx.spawn<Worker>(backstage::unnamed, dictionary, me, w).send(Work{start.requests});
    }
  }
  void handle(Part part) { whole_.add(part); }

 private:
  Whole whole_;
};

}  // namespace

Outcome dictionary(const Settings& settings) {
  const std::uint64_t w = settings.arg(0, 20);
  const std::uint64_t n = settings.arg(1, 50'000);
  const double seconds = timed(settings, n, [w](backstage::Runtime& runtime, std::uint64_t requests) {
    const auto master = runtime.spawn<Master>(backstage::unnamed);
    check("right answers", run<Start>(runtime, master, w, requests), w * requests);
  });
  return {w * n, seconds, ""};
}

}  // namespace bench::savina
