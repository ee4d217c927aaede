// L2: groups of every shape, restarted at random, held against what must happen, written a second time and plainly.
#include <algorithm>
#include <string>
#include <vector>

#include "backstage/base/random.hpp"
#include "life_support.hpp"

namespace {

using namespace life;

struct Hit {
  std::size_t who;
};

/// Says when it begins and when it ends.
struct Ranked {
  Ranked(Journal* j, Duration t) : journal(j), takes(t) {}
  Task<> init(Context& cx) {
    if (takes > Duration::zero()) co_await cx.sleep(takes);
    journal->note("+" + std::string(cx.name()));
  }
  void terminating(Context& cx) { journal->note("-" + std::string(cx.name())); }
  void handle(Break how) { throw std::runtime_error(how.text); }
  Journal* journal;
  Duration takes;
};

/// Above `kinds.size()` children, of which child i is under kinds[i] and takes takes[i] to start.
struct Row {
  Row(Journal* j, Strategy s, std::vector<Restart> k, std::vector<Duration> t)
      : journal(j), strategy(s), kinds(std::move(k)), takes(std::move(t)) {}
  void init(Context& cx) {
    cx.strategy(strategy);
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      cx.spawn(
          child<Ranked>(std::to_string(i), journal, takes[i]).restart(kinds[i]).at_most(unlimited).backoff(1ms, 1ms));
    }
  }
  void handle(Hit hit, Context& cx) { cx.child<Ranked>(std::to_string(hit.who)).or_fail().send(Break{"boom"}); }
  Journal* journal;
  Strategy strategy;
  std::vector<Restart> kinds;
  std::vector<Duration> takes;
};

/// What a group restart must do, written a second time and plainly.
Lines expected_of(Strategy strategy, std::vector<std::size_t>& there, const std::vector<Restart>& kinds,
                  std::size_t who) {
  Lines lines{"-" + std::to_string(who)};
  const auto failed = std::find(there.begin(), there.end(), who);
  if (kinds[who] == Restart::never) {
    there.erase(failed);
    return lines;
  }
  auto first = failed;
  if (strategy == Strategy::one_for_all) first = there.begin();
  const auto last = strategy == Strategy::one_for_one ? failed + 1 : there.end();
  for (auto at = last; at != first;) {
    if (*--at != who) lines.push_back("-" + std::to_string(*at));
  }
  std::vector<std::size_t> left;
  for (auto at = there.begin(); at != there.end(); ++at) {
    const bool member = at >= first && at < last;
    if (member && kinds[*at] == Restart::never) continue;
    left.push_back(*at);
    if (member) lines.push_back("+" + std::to_string(*at));
  }
  there = left;
  return lines;
}

TEST(L2, groups_of_every_shape_stop_youngest_first_and_start_oldest_first) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const auto strategy = static_cast<Strategy>(random.below(3));
    std::vector<Restart> kinds;
    std::vector<Duration> takes;
    std::vector<std::size_t> there;
    for (std::size_t i = 0, n = 1 + random.below(8); i < n; ++i) {
      const Restart some[] = {Restart::always, Restart::on_failure, Restart::on_failure, Restart::never};
      kinds.push_back(some[random.below(4)]);
      takes.push_back(Duration(1ms) * static_cast<std::int64_t>(random.below(3) * 10));
      there.push_back(i);
    }
    Journal journal;
    sim::TestRuntime world({.seed = seed, .log_level = Level::off});
    const auto row = world.spawn<Row>("row", &journal, strategy, kinds, takes);
    world.advance(1s);
    (void)journal.take();
    for (int i = 0; i < 6 && !there.empty(); ++i) {
      const std::size_t who = there[random.below(there.size())];
      row.send(Hit{who});
      world.advance(1s);
      ASSERT_EQ(journal.take(), expected_of(strategy, there, kinds, who));
    }
  }
}

}  // namespace
