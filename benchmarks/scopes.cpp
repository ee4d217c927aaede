// Scopes: looking up, publishing to many, finding by a path of ten steps, and a million boards.
#include <memory>

#include "backstage/actor/resource.hpp"
#include "resident.hpp"
#include "workload.hpp"

namespace bench {
namespace {

struct Value {
  std::uint64_t number;
};
struct Go {
  std::uint64_t n;
};

/// Looks up what its parent publishes, without and with a Scope that it holds.
struct Reader {
  std::uint64_t handle(Go go, Context& cx) {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < go.n; ++i) sum += cx.lookup<Value>().value().number;
    return sum;
  }
};
struct ScopeReader {
  std::uint64_t handle(Go go, Context& cx) {
    const backstage::Scope scope = cx.scope(cx.parent()).or_fail();
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < go.n; ++i) sum += scope.lookup<Value>().value().number;
    return sum;
  }
};
template <class R>
struct Owner {
  void init(Context& cx) {
    cx.publish(Value{1});
    reader = cx.spawn<R>("reader");
  }
  Ref<R> handle(Go) const { return reader; }
  Ref<R> reader;
};

template <class R>
double looks(const Settings& settings, std::uint64_t n) {
  backstage::Runtime runtime(settings.runtime());
  const auto owner = runtime.spawn<Owner<R>>("owner");
  const auto reader = run<Go>(runtime, owner, 0U);
  (void)run<Go>(runtime, reader, n / 10);
  const Stopwatch watch;
  check("values read", run<Go>(runtime, reader, n), n);
  return watch.seconds();
}

struct Publisher {
  bool handle(Go go, Context& cx) {
    for (std::uint64_t i = 1; i <= go.n; ++i) cx.publish(Value{i});
    return true;
  }
};
struct Listen {};
struct Last {
  std::uint64_t number;
};
struct Listener {
  bool handle(Listen, Context& cx) {
    (void)cx.subscribe<Value>("/publisher", cx.self(this));
    return true;
  }
  void handle(const backstage::Published<Value>& news) {
    ++heard;
    last = news->number;
    if (asked && last == wanted) std::move (*asked)(heard);
  }
  void handle(backstage::Dropped<Value>) {}
  void handle(Last until, Reply<std::uint64_t> reply) {
    wanted = until.number;
    asked = std::make_unique<Reply<std::uint64_t>>(std::move(reply));
    if (last == wanted) std::move (*asked)(heard);
  }
  std::uint64_t heard = 0;
  std::uint64_t last = 0;
  std::uint64_t wanted = 0;
  std::unique_ptr<Reply<std::uint64_t>> asked;
};

/// At each depth it spawns the next, and the deepest finds itself.
struct Deep {
  explicit Deep(int n) : depth(n) {}
  void init(Context& cx) {
    if (depth < 10) (void)cx.spawn<Deep>("d" + std::to_string(depth + 1), depth + 1);
  }
  std::uint64_t handle(Go go, Context& cx) {
    std::uint64_t found = 0;
    const backstage::Path where("/d1/d2/d3/d4/d5/d6/d7/d8/d9/d10");
    for (std::uint64_t i = 0; i < go.n; ++i) found += cx.find<Deep>(where) ? 1U : 0U;
    return found;
  }
  int depth;
};

struct Many {
  std::vector<Ref<Many>> children;
  std::uint64_t handle(Go go, Context& cx) {
    for (std::uint64_t i = 0; i < go.n; ++i) children.push_back(cx.spawn(backstage::child<Many>(backstage::unnamed)));
    return children.size();
  }
  std::uint64_t handle(Last, Context& cx) {
    cx.publish(Value{1});
    return 1;
  }
  std::uint64_t handle(Value) const { return 1; }
};
struct Sum {
  std::uint64_t rounds;
};
struct Looker {
  explicit Looker(std::shared_ptr<std::vector<Ref<Many>>> among) : all(std::move(among)) {}
  std::uint64_t handle(Sum sum, Context& cx) {
    Xorshift random(7);
    std::uint64_t found = 0;
    for (std::uint64_t i = 0; i < sum.rounds; ++i) {
      found += cx.lookup<Value>((*all)[random.next() % all->size()]).value().number;
    }
    return found;
  }
  std::shared_ptr<std::vector<Ref<Many>>> all;
};

}  // namespace

Outcome lookup(const Settings& settings) {
  const std::uint64_t n = settings.arg(0, 1'000'000);
  const double nearest = looks<Reader>(settings, n);
  const double held = looks<ScopeReader>(settings, n);
  return {n, nearest, "through a Scope that is held: " + std::to_string(held * 1e9 / static_cast<double>(n)) + " ns"};
}

Outcome publish(const Settings& settings) {
  const std::uint64_t subscribers = settings.arg(0, 100);
  const std::uint64_t n = settings.arg(1, 1'000);
  backstage::Runtime runtime(settings.runtime());
  const auto publisher = runtime.spawn<Publisher>("publisher");
  std::vector<Ref<Listener>> all;
  for (std::uint64_t i = 0; i < subscribers; ++i) all.push_back(runtime.spawn<Listener>(backstage::unnamed));
  for (const auto& one : all) (void)run<Listen>(runtime, one);
  const Stopwatch watch;
  (void)run<Go>(runtime, publisher, n);
  const double published = watch.seconds();
  std::uint64_t heard = 0;
  for (const auto& one : all) heard += run<Last>(runtime, one, n);
  const double all_heard = watch.seconds();
  return {n, all_heard,
          "publisher alone " + std::to_string(published) + " s, " +
              std::to_string(all_heard * 1e9 / static_cast<double>(n * subscribers)) + " ns for each subscriber, " +
              std::to_string(heard) + " values heard, the others replaced"};
}

Outcome path(const Settings& settings) {
  const std::uint64_t n = settings.arg(0, 1'000'000);
  backstage::Runtime runtime(settings.runtime());
  (void)runtime.spawn<Deep>("d1", 1);
  while (!runtime.find<Deep>("/d1/d2/d3/d4/d5/d6/d7/d8/d9/d10")) {
  }
  const auto deepest = runtime.find<Deep>("/d1/d2/d3/d4/d5/d6/d7/d8/d9/d10").value();
  (void)run<Go>(runtime, deepest, n / 10);
  const Stopwatch watch;
  check("paths found", run<Go>(runtime, deepest, n), n);
  return {n, watch.seconds(), ""};
}

Outcome scopes(const Settings& settings) {
  const std::uint64_t n = settings.arg(0, 1'000'000);
  const std::uint64_t looked = n;
  backstage::Runtime runtime(settings.runtime());
  auto all = std::make_shared<std::vector<Ref<Many>>>();
  all->reserve(n);
  for (std::uint64_t i = 0; i < n; ++i) all->push_back(runtime.spawn(backstage::child<Many>(backstage::unnamed)));
  for (const auto& one : *all) (void)one.send<Value>(0U);
  (void)run<Value>(runtime, all->back(), 0U);
  const std::uint64_t before = resident();
  const Stopwatch publishing;
  for (const auto& one : *all) one.send<Last>(0U);
  std::uint64_t done = 0;
  for (std::uint64_t i = 0; i < n; i += 1'000) done += run<Last>(runtime, (*all)[i], 0U);
  (void)run<Last>(runtime, all->back(), 0U);
  const double published = publishing.seconds();
  const std::uint64_t after = resident();
  const auto looker = runtime.spawn<Looker>("looker", all);
  const Stopwatch watch;
  check("values found", run<Sum>(runtime, looker, looked), looked);
  return {looked, watch.seconds(),
          std::to_string((after - before) / n) + " bytes a scope, published at " +
              std::to_string(published * 1e9 / static_cast<double>(n)) + " ns each"};
}

}  // namespace bench
