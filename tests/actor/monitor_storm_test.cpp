// L9 under a storm in virtual time, with an oracle: each monitor yields one Down, or is cancelled, or ends with the
// incarnation that set it; and nothing is left behind.
#include "monitor_support.hpp"

#include "backstage/base/random.hpp"

namespace {

using namespace life;

/// One that sets and cancels monitors at random, and counts per monitor what came of it.
struct Ledger {
  std::uint64_t set = 0;
  std::uint64_t down = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t lost_with_life = 0;  // its watcher's incarnation ended first
};
class Gambler {
 public:
  Gambler(Random* random, Ledger* ledger, std::vector<Ref<Gambler>>* all)
      : random_(random), ledger_(ledger), all_(all) {}
  Gambler(const Gambler&) = delete;
  Gambler& operator=(const Gambler&) = delete;
  ~Gambler() { ledger_->lost_with_life += mine_.size(); }
  void handle(Down down) {
    const auto found = std::find_if(mine_.begin(), mine_.end(), [&](Monitor& m) { return m.id() == down.monitor; });
    ASSERT_NE(found, mine_.end()) << "a Down twice, after a cancel, or of another life";
    mine_.erase(found);
    ++ledger_->down;
  }
  void handle(StatusChanged) {}
  Task<> handle(Say, Context& cx) {
    const Ref<Gambler> other = (*all_)[random_->below(all_->size())];
    switch (random_->below(12)) {
      case 0: throw std::runtime_error("unlucky");
      case 1: cx.stop(); break;
      case 2: throw Need::stop();
      case 3: cx.stop(other); break;
      case 4: cx.link(other); break;
      case 5: cx.unlink(other); break;
      case 6: (void)cx.watch_status(other, cx.self(this)); break;
      case 7: co_await cx.sleep(std::chrono::milliseconds(random_->below(50))); break;
      case 8:
        if (!mine_.empty()) {
          const std::size_t which = random_->below(mine_.size());
          EXPECT_TRUE(mine_[which].cancel());
          mine_.erase(mine_.begin() + static_cast<std::ptrdiff_t>(which));
          ++ledger_->cancelled;
        }
        break;
      default: ++ledger_->set; mine_.push_back(cx.monitor(other, cx.self(this)));
    }
  }

 private:
  Random* random_;
  Ledger* ledger_;
  std::vector<Ref<Gambler>>* all_;
  std::vector<Monitor> mine_;
};

class MonitorStorms : public testing::TestWithParam<std::uint64_t> {};

TEST_P(MonitorStorms, L9_each_monitor_yields_one_down_or_is_cancelled) {
  Random random(GetParam());
  Ledger ledger;
  std::vector<Ref<Gambler>> all;
  sim::TestRuntime world({.seed = GetParam(), .log_level = Level::error});
  const auto blocks = world.runtime().memory().live_blocks;
  const auto spec = [&] {
    const Restart policies[] = {Restart::always, Restart::on_failure, Restart::never};
    return child<Gambler>(unnamed, &random, &ledger, &all)
        .restart(policies[random.below(3)])
        .backoff(1ms, 20ms)
        .at_most(static_cast<std::uint32_t>(random.below(4)), per(1s));
  };
  for (int i = 0; i < 12; ++i) all.push_back(world.spawn(spec()));
  for (int step = 0; step < 2'000; ++step) {
    const std::size_t one = random.below(all.size());
    switch (random.below(20)) {
      case 0: world.advance(std::chrono::milliseconds(random.below(20))); break;
      case 1: all[one] = world.spawn(spec()); break;
      case 2: world.runtime().stop(all[one]); break;
      case 3:
      case 4:
      case 5: (void)world.step(); break;
      default: all[one].send(Say{"go"});
    }
  }
  // Unclean exactly if somebody was left at the deadline.
  const bool clean = world.runtime().shutdown().has_value();
  EXPECT_EQ(clean, world.runtime().still_alive().root.type.empty());
  EXPECT_GT(ledger.down, 0U);
  EXPECT_EQ(ledger.set, ledger.down + ledger.cancelled + ledger.lost_with_life);
  expect_nothing_left(world, blocks);
}

INSTANTIATE_TEST_SUITE_P(Seeds, MonitorStorms, testing::Range<std::uint64_t>(1, 101));

}  // namespace
