// ring: K tokens make H hops together through A actors that stand in a ring. One op is a hop.
#include "workload.hpp"

namespace bench {
namespace {

struct Token {
  std::uint64_t left;
};
struct Arrived {};
struct Race {
  std::uint64_t actors;
  std::uint64_t hops;
  std::uint64_t tokens;
};

class Starter;
class Link;
struct Join {
  Ref<Link> next;
};

class Link {
 public:
  explicit Link(Ref<Starter> starter) : starter_(starter) {}
  void handle(Join join) { next_ = join.next; }
  void handle(Token token);

 private:
  Ref<Starter> starter_;
  Ref<Link> next_;
};

class Starter {
 public:
  void handle(Race race, Reply<std::uint64_t> done, Context& cx) {
    done_ = std::move(done);
    tokens_ = race.tokens;
    std::vector<Ref<Link>> links;
    for (std::uint64_t i = 0; i < race.actors; ++i) {
      links.push_back(cx.spawn<Link>(backstage::unnamed, cx.self(this)));
    }
    for (std::size_t i = 0; i < links.size(); ++i) links[i].send(Join{links[(i + 1) % links.size()]});
    for (std::uint64_t k = 0; k < race.tokens; ++k) {
      links[k * race.actors / race.tokens].send(Token{race.hops / race.tokens});
    }
  }
  void handle(Arrived) {
    if (++arrived_ == tokens_) std::move(done_)(arrived_);
  }

 private:
  Reply<std::uint64_t> done_;
  std::uint64_t tokens_ = 0;
  std::uint64_t arrived_ = 0;
};

void Link::handle(Token token) {
  if (token.left == 0) {
    starter_.send(Arrived{});
  } else {
    next_.send(Token{token.left - 1});
  }
}

}  // namespace

Outcome ring(const Settings& settings) {
  const std::uint64_t a = settings.arg(0, 503);
  const std::uint64_t h = settings.arg(1, 5'000'000);
  const std::uint64_t k = settings.arg(2, 1);
  if (a == 0 || k == 0) throw std::runtime_error("a ring has at least one actor and one token");
  const double seconds = timed(settings, h, [a, k](backstage::Runtime& runtime, std::uint64_t hops) {
    const auto starter = runtime.spawn<Starter>(backstage::unnamed);
    check("tokens", run<Race>(runtime, starter, a, hops, k), k);
  });
  return {h, seconds, ""};
}

}  // namespace bench
