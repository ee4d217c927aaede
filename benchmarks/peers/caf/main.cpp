// CAF 0.17 peer (Debian's libcaf-dev): event-based actors on the default work-stealing scheduler.
// usage: cafpeer WORKLOAD WORKERS ARGS...
#include <time.h>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>
#include "caf/all.hpp"

using namespace caf;
using u64 = uint64_t;
using eba = event_based_actor;

template <class Self, class Dst, class... Ts>
static void tell(Self* self, const Dst& dst, Ts&&... xs) {
  self->send(dst, std::forward<Ts>(xs)...);
}
template <class Dst, class... Ts>
static void tell_from_outside(const Dst& dst, Ts&&... xs) {
  anon_send(dst, std::forward<Ts>(xs)...);
}
template <class Self, class Dst, class F, class... Ts>
static void ask_then(Self* self, const Dst& dst, F f, Ts&&... xs) {
  self->request(dst, infinite, std::forward<Ts>(xs)...).then(std::move(f));
}
template <class Self, class... Ts>
static void tell_me_later(Self* self, std::chrono::nanoseconds d, Ts&&... xs) {
  self->delayed_send(self, d, std::forward<Ts>(xs)...);
}

static double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
static u64 mono() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return u64(t.tv_sec) * 1000000000ull + u64(t.tv_nsec);
}
static void check(bool ok) {
  if (!ok) {
    std::puts("CHECKSUM FAILED");
    std::_Exit(1);
  }
}
static void report(const char* n, u64 ops, double s, const std::string& x = "") {
  std::printf("%s\t%llu\t%.6f\t%.0f\t%s\n", n, (unsigned long long)ops, s, double(ops) / s, x.c_str());
  std::fflush(stdout);
}
static std::vector<u64> args_;
static u64 arg(size_t i, u64 d) { return i < args_.size() ? args_[i] : d; }

struct Latch {  // adds up what the actors say and opens after n of them
  std::atomic<u64> sum{0};
  std::atomic<u64> left;
  std::promise<void> p;
  explicit Latch(u64 n) : left(n) {}
  void say(u64 v) {
    sum.fetch_add(v, std::memory_order_relaxed);
    if (left.fetch_sub(1, std::memory_order_acq_rel) == 1) p.set_value();
  }
  u64 wait() {
    p.get_future().wait();
    return sum.load();
  }
};

// 1 ---------------------------------------------------------------- pingpong
static behavior ponger(eba* self) {
  return {[self](const actor& from, u64 v) { tell(self, from, v + 1); }, [self](int32_t) { self->quit(); }};
}
static behavior pinger(eba* self, actor to, u64 n, Latch* l) {
  auto i = std::make_shared<std::pair<u64, u64>>(0, 0);
  auto me = actor_cast<actor>(self);
  tell(self, to, me, u64(0));
  // the behaviour refers to itself weakly, or it would keep itself alive
  return {[self, to, n, l, i](u64 v) {
    i->second += v;
    if (++i->first < n)
      tell(self, to, actor_cast<actor>(self), i->first);
    else {
      tell(self, to, int32_t(0));
      l->say(i->second);
      self->quit();
    }
  }};
}
static void pingpong(actor_system& sys, u64 n) {
  Latch l(1);
  auto b = sys.spawn(ponger);
  sys.spawn(pinger, b, n, &l);
  check(l.wait() == n * (n + 1) / 2);
}
// 2 ---------------------------------------------------------------- counting
static behavior counter(eba* self) {
  auto s = std::make_shared<u64>(0);
  (void)self;
  return {[s](u64 k) { *s += k; }, [s](int32_t) -> u64 { return *s; }};
}
static void counting(actor_system& sys, u64 n) {
  Latch l(1);
  auto c = sys.spawn(counter);
  sys.spawn([c, n, &l](eba* self) {
    for (u64 i = 0; i < n; ++i) tell(self, c, u64(1));
    ask_then(self, c, [&l](u64 v) { l.say(v); }, int32_t(0));
  });
  check(l.wait() == n);
}
// 3 ------------------------------------------------------------------- fanin
static void fanin(actor_system& sys, u64 p, u64 n) {
  Latch l(1);
  auto c = sys.spawn([&l, total = p * n](eba* self) -> behavior {
    auto s = std::make_shared<std::pair<u64, u64>>(0, 0);
    return {[self, s, total, &l](u64 v) {
      s->first += v;
      if (++s->second == total) {
        l.say(s->first);
        self->quit();
      }
    }};
  });
  for (u64 k = 0; k < p; ++k)
    sys.spawn([c, n](eba* self) {
      for (u64 i = 0; i < n; ++i) tell(self, c, i);
    });
  check(l.wait() == p * (n * (n - 1) / 2));
}
// 4 -------------------------------------------------------------------- ring
static behavior link_(eba* self, Latch* l) {
  auto next = std::make_shared<actor>();
  return {[next](const actor& a) { *next = a; },
          [self, next, l](u64 v) {
            if (v == 0)
              l->say(1);
            else
              tell(self, *next, v - 1);
          },
          [self, next](int32_t) {
            *next = nullptr;
            self->quit();
          }};
}
static void ring(actor_system& sys, u64 actors, u64 hops, u64 tokens) {
  Latch l(tokens);
  std::vector<actor> as;
  for (u64 i = 0; i < actors; ++i) as.push_back(sys.spawn(link_, &l));
  for (u64 i = 0; i < actors; ++i) tell_from_outside(as[i], as[(i + 1) % actors]);
  for (u64 k = 0; k < tokens; ++k) tell_from_outside(as[k * actors / tokens], hops / tokens);
  check(l.wait() == tokens);
  for (auto& a : as) tell_from_outside(a, int32_t(0));
}
// 5 ------------------------------------------------------------------ skynet
static behavior skynode(eba* self, actor parent, Latch* l, u64 num, u64 size) {
  if (size == 1) {
    tell(self, parent, num);
    return {};
  }
  auto me = actor_cast<actor>(self);
  for (u64 i = 0; i < 10; ++i) self->spawn(skynode, me, nullptr, num + i * (size / 10), size / 10);
  auto s = std::make_shared<std::pair<u64, u64>>(0, 0);
  return {[=](u64 v) {
    s->first += v;
    if (++s->second == 10) {
      if (l)
        l->say(s->first);
      else
        tell(self, parent, s->first);
      self->quit();
    }
  }};
}
static void skynet(actor_system& sys, u64 size) {
  Latch l(1);
  sys.spawn(skynode, actor{}, &l, 0, size);
  check(l.wait() == size * (size - 1) / 2);
}
// 6 ------------------------------------------------------------------ create
static void create(actor_system& sys, u64 n) {
  Latch l(n);
  sys.spawn([n, &l](eba* self) {
    for (u64 i = 0; i < n; ++i) {
      auto a = self->spawn([&l](eba* c) -> behavior {
        return {[c, &l](u64 v) {
          l.say(v);
          c->quit();
        }};
      });
      tell(self, a, i);
    }
  });
  check(l.wait() == n * (n - 1) / 2);
}
// 7 --------------------------------------------------------------------- big
static behavior bigone(eba* self, std::vector<actor>* all, Latch* l, u64 me, u64 pings) {
  auto x = std::make_shared<std::pair<u64, u64>>(me * 2654435761u + 12345, 0);
  auto ping = [=] {
    u64& r = x->first;
    r ^= r << 13;
    r ^= r >> 7;
    r ^= r << 17;
    tell(self, (*all)[r % all->size()], me);
  };
  return {[=](int32_t) { ping(); }, [=](u64 from) { tell(self, (*all)[from], true); },
          [=](bool) {
            if (++x->second == pings)
              l->say(x->second);
            else
              ping();
          }};
}
static void big(actor_system& sys, u64 actors, u64 pings) {
  Latch l(actors);
  std::vector<actor> as;
  for (u64 i = 0; i < actors; ++i) as.push_back(sys.spawn(bigone, &as, &l, i, pings));
  for (auto& a : as) tell_from_outside(a, int32_t(0));
  check(l.wait() == actors * pings);
  for (auto& a : as) anon_send_exit(a, exit_reason::user_shutdown);
  as.clear();
  sys.await_all_actors_done();
}
// 8 --------------------------------------------------------------- chameneos
static int32_t complement(int32_t a, int32_t b) { return a == b ? a : 3 - a - b; }
static behavior creature(eba* self, actor mall, int32_t colour, Latch* l) {
  auto s = std::make_shared<std::pair<int32_t, u64>>(colour, 0);
  auto go = [=] { tell(self, mall, s->first, actor_cast<actor>(self)); };
  go();
  return {[=](int32_t c, const actor& peer) {
            s->first = complement(s->first, c);
            ++s->second;
            tell(self, peer, s->first);
            go();
          },
          [=](int32_t c) {
            s->first = c;
            ++s->second;
            go();
          },
          [=](bool) {
            l->say(s->second);
            self->quit();
          }};
}
static void chameneos(actor_system& sys, u64 n, u64 meetings) {
  Latch l(n);
  struct M {
    u64 left, gone = 0;
    actor waiting;
  };
  auto mall = sys.spawn([n, meetings](eba* self) -> behavior {
    auto m = std::make_shared<M>();
    m->left = meetings;
    return {[=](int32_t c, const actor& peer) {
      if (m->left == 0) {
        tell(self, peer, true);
        ++m->gone;
        if (m->waiting) {
          tell(self, m->waiting, true);
          m->waiting = nullptr;
          ++m->gone;
        }
        if (m->gone == n) self->quit();
      } else if (m->waiting) {
        --m->left;
        tell(self, m->waiting, c, peer);
        m->waiting = nullptr;
      } else
        m->waiting = peer;
    }};
  });
  for (u64 i = 0; i < n; ++i) sys.spawn(creature, mall, int32_t(i % 3), &l);
  check(l.wait() == 2 * meetings);
}
// 9 ------------------------------------------------------------------ memory
static u64 rss() {
  std::ifstream f("/proc/self/statm");
  u64 a, b;
  f >> a >> b;
  return b * 4096;
}
static void memory(actor_system& sys, u64 n) {
  u64 r0 = rss();
  double t0 = now();
  auto* l = new Latch(n);
  auto* as = new std::vector<actor>;
  as->reserve(n);
  for (u64 i = 0; i < n; ++i) as->push_back(sys.spawn([l](eba*) -> behavior { return {[l](u64 v) { l->say(v); }}; }));
  double sec = now() - t0;
  std::this_thread::sleep_for(std::chrono::seconds(1));
  u64 r1 = rss();
  for (u64 i = 0; i < n; ++i) tell_from_outside((*as)[i], i);
  check(l->wait() == n * (n - 1) / 2);
  u64 r2 = rss();
  report("memory", n, sec,
         "bytes_spawned=" + std::to_string((r1 - r0) / n) + " bytes_after_msg=" + std::to_string((r2 - r0) / n));
  std::_Exit(0);
}
// 10 --------------------------------------------------------------- fairness
__attribute__((noinline)) static u64 burn(u64 iter) {
  u64 x = 88172645463325252ull;
  for (u64 i = 0; i < iter; ++i) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
  }
  asm volatile("" : : "r"(x));
  return x;
}
static double calibrate() {
  double best = 0;
  for (int i = 0; i < 10; ++i) {
    double t = now();
    burn(2000000);
    best = std::max(best, 2000000 / ((now() - t) * 1e6));
  }
  return best;
}
static std::string pcts(std::vector<double> l) {
  if (l.empty()) return "none";
  std::sort(l.begin(), l.end());
  auto at = [&](double q) { return l[std::min(l.size() - 1, size_t(q * double(l.size())))]; };
  char b[128];
  std::snprintf(b, sizeof b, "p50=%.1fus p99=%.1fus max=%.1fus", at(.5), at(.99), l.back());
  return b;
}
static void fairness(actor_system& sys, u64 hogs, u64 us, u64 secs) {
  u64 iter = u64(calibrate() * double(us));
  static std::atomic<bool> stop{false};
  static std::vector<double> sent, want;
  static std::atomic<u64> got{0};
  auto* counts = new std::vector<std::atomic<u64>>(hogs * 16);
  auto probe = sys.spawn([](eba*) -> behavior {
    return {[](u64 w, u64 s) {
      u64 n = mono();
      sent.push_back(double(n - s) / 1e3);
      want.push_back(double(n - w) / 1e3);
      got.fetch_add(1, std::memory_order_release);
    }};
  });
  for (u64 h = 0; h < hogs; ++h) {
    auto* c = &(*counts)[h * 16];
    auto a = sys.spawn([iter, c](eba* self) -> behavior {
      return {[=](u64 v) {
        burn(iter);
        c->store(c->load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        if (!stop) tell(self, self, v);
      }};
    });
    for (u64 k = 0; k < 1000; ++k) tell_from_outside(a, k);
  }
  u64 t0 = mono();
  for (u64 k = 1; k <= secs * 1000; ++k) {
    u64 w = t0 + k * 1000000;
    timespec ts{time_t(w / 1000000000), long(w % 1000000000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, nullptr);
    tell_from_outside(probe, w, mono());
  }
  double waited = now();
  while (got.load(std::memory_order_acquire) < secs * 1000 && now() - waited < 3)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  double sec = double(mono() - t0) / 1e9;
  u64 total = 0;
  for (u64 h = 0; h < hogs; ++h) total += (*counts)[h * 16].load();
  u64 n = got.load();
  report("fairness", total, sec,
         "us=" + std::to_string(us) + " samples=" + std::to_string(n) +
             " sent: " + (n < secs * 1000 ? "STARVED " : "") + pcts(sent) + " want: " + pcts(want));
  std::_Exit(0);
}
// 11 -------------------------------------------------------------------- ask
static void ask(actor_system& sys, u64 n) {
  Latch l(1);
  auto srv = sys.spawn([](eba*) -> behavior { return {[](u64 v) -> u64 { return v + 1; }}; });
  struct St {
    u64 i = 0, sum = 0;
  };
  sys.spawn([srv, n, &l](eba* self) {
    auto s = std::make_shared<St>();
    auto step = std::make_shared<std::function<void()>>();
    auto* sp = step.get();
    *step = [=, &l] {
      ask_then(
          self, srv,
          [=, &l](u64 v) {
            s->sum += v;
            if (++s->i < n)
              (*sp)();
            else {
              l.say(s->sum);
              (void)step;
            }
          },
          s->i);
    };
    (*step)();
  });
  check(l.wait() == n * (n + 1) / 2);
}
// 12 ----------------------------------------------------------------- timers
static void timers(actor_system& sys, u64 n, u64 ms) {
  static std::vector<double> late;
  static std::promise<double> ins;
  late.reserve(n);
  Latch l(1);
  double t0 = now();
  sys.spawn([n, ms, &l](eba* self) -> behavior {
    double b = now();
    u64 x = 88172645463325252ull;
    for (u64 i = 0; i < n; ++i) {
      x ^= x << 13;
      x ^= x >> 7;
      x ^= x << 17;
      u64 d = x % (ms * 1000000);
      tell_me_later(self, std::chrono::nanoseconds(d), mono() + d);
    }
    ins.set_value(now() - b);
    return {[=, &l](u64 w) {
      late.push_back((double(mono()) - double(w)) / 1e3);
      if (late.size() == n) {
        l.say(1);
        self->quit();
      }
    }};
  });
  double s = ins.get_future().get();
  l.wait();
  char b[64];
  std::snprintf(b, sizeof b, " total=%.2fs", now() - t0);
  report("timers", n, s, pcts(late) + b);
  std::_Exit(0);
}

static void caf_main_(actor_system& sys, const std::string& w) {
  auto run = [&](u64 ops, auto warm, auto real) {
    warm();
    double t = now();
    real();
    report(w.c_str(), ops, now() - t);
    std::_Exit(0);
  };
  if (w == "pingpong") {
    u64 n = arg(0, 1000000);
    run(n, [&] { pingpong(sys, n / 10); }, [&] { pingpong(sys, n); });
  } else if (w == "counting") {
    u64 n = arg(0, 10000000);
    run(n, [&] { counting(sys, n / 10); }, [&] { counting(sys, n); });
  } else if (w == "fanin") {
    u64 p = arg(0, 100), n = arg(1, 100000);
    run(p * n, [&] { fanin(sys, p, n / 10); }, [&] { fanin(sys, p, n); });
  } else if (w == "ring") {
    u64 a = arg(0, 503), h = arg(1, 5000000), k = arg(2, 1);
    run(h, [&] { ring(sys, a, h / 10, k); }, [&] { ring(sys, a, h, k); });
  } else if (w == "skynet") {
    u64 n = arg(0, 1000000);
    run(n + n / 9, [&] { skynet(sys, n / 10); }, [&] { skynet(sys, n); });
  } else if (w == "create") {
    u64 n = arg(0, 1000000);
    run(n, [&] { create(sys, n / 10); }, [&] { create(sys, n); });
  } else if (w == "big") {
    u64 a = arg(0, 120), n = arg(1, 20000);
    run(2 * a * n, [&] { big(sys, a, n / 10); }, [&] { big(sys, a, n); });
  } else if (w == "chameneos") {
    u64 a = arg(0, 100), n = arg(1, 1000000);
    run(n, [&] { chameneos(sys, a, n / 10); }, [&] { chameneos(sys, a, n); });
  } else if (w == "memory")
    memory(sys, arg(0, 1000000));
  else if (w == "fairness")
    fairness(sys, arg(0, 8), arg(1, 1), arg(2, 10));
  else if (w == "ask") {
    u64 n = arg(0, 1000000);
    run(n, [&] { ask(sys, n / 10); }, [&] { ask(sys, n); });
  } else if (w == "timers")
    timers(sys, arg(0, 1000000), arg(1, 10000));
  else {
    std::puts("no such workload for this peer");
    std::_Exit(2);
  }
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  for (int i = 3; i < argc; ++i) args_.push_back(std::strtoull(argv[i], nullptr, 10));
  actor_system_config cfg;
  cfg.set("scheduler.max-threads", size_t(std::atoi(argv[2])));
  if (auto* t = std::getenv("CAF_THROUGHPUT")) cfg.set("scheduler.max-throughput", size_t(std::atoi(t)));
  actor_system sys{cfg};
  caf_main_(sys, argv[1]);
}
