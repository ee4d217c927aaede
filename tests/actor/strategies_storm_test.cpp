// L2, L3, L4, L6, M2, M6 together: trees of supervisors under every kind of spec and strategy, hit at random by failures, stops,
// kills and restarts. Then it is calm, and all must be right: whoever was not ended lives and answers, whoever was ended
// is gone, each end was told once, every message is accounted for. A failure names its seed.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "backstage/base/random.hpp"
#include "life_support.hpp"

namespace {

using namespace life;

struct Deal;
using Deals = std::vector<std::shared_ptr<const Deal>>;

/// How one place is supervised, and what its actor supervises. The same in each incarnation.
struct Deal {
  std::string name{};
  Deals children{};
  Strategy strategy = Strategy::one_for_one;
  std::optional<std::uint32_t> budget{};
  Restart restart = Restart::on_failure;
  std::uint32_t limit = 5;
  Significant significant = Significant::no;
  Duration live_for{0};
  Duration start_after{0};
  Duration stop_within{1s};
  bool once = false;
  bool told = false;  // its supervisor is told of its end
  bool with_state = false;
  bool late = false;  // started in between: it may end with its supervisor's incarnation
  bool drops_queue = false;
  bool small_mailbox = false;
  std::uint32_t retries = 0;
};

class Player;

/// Chance, and the book of what was started and ended, by whom and why.
class Chaos {
 public:
  explicit Chaos(std::uint64_t seed) : random(seed) {}
  [[nodiscard]] bool one_in(std::uint64_t n) { return !calm && random.below(n) == 0; }
  [[nodiscard]] Duration some_time() {
    return Duration(1ms) * static_cast<std::int64_t>(calm ? 1 : random.below(3'000));
  }

  void begun(const std::string& path, const Ref<Player>& ref, const Deal& deal) {
    if (!refs.insert(ref).second) return;  // its place was taken over
    known.emplace_back(path, ref);
    ++living[path];
    doomed.erase(path);
    deals[path] = &deal;
  }
  void on_ended(const std::string& path) {
    --living[path];
    const Deal* const deal = deals[path];
    if (!may_end(path)) wrong.push_back(path + " ended, and nobody wanted that");
    const std::string above = path.substr(0, path.rfind('/'));
    if (deal != nullptr && deal->significant != Significant::no) doomed.insert(above);
    if (deal != nullptr && deal->told) {
      if (deal->restart == Restart::ask) {
        if (verdicts[path] > 0) {
          verdicts[path] = 0;
          ++unsure[above];  // if it was stopped before the Verdict came, it is told like any end
        } else {
          ++owed[above];
        }
      } else {
        ++owed[above];
      }
    }
    owed.erase(path);
  }
  [[nodiscard]] bool may_end(const std::string& path) {
    const Deal* const deal = deals[path];
    if (deal == nullptr || deal->late || deal->once || deal->restart == Restart::never ||
        deal->live_for > Duration::zero())
      return true;
    for (std::string step = path; !step.empty(); step.resize(step.rfind('/'))) {
      if (doomed.contains(step)) return true;
      const auto above = deals.find(step);
      if (above != deals.end() && step != path && living[step] <= 0) return true;
      if (above != deals.end() && step != path &&
          (above->second->restart == Restart::never || above->second->once ||
           above->second->live_for > Duration::zero())) {
        return true;
      }
    }
    return false;
  }

  Random random;
  bool calm = false;
  std::set<std::string> doomed;  // somebody or itself said that it is to end
  std::map<std::string, int> living;
  std::map<std::string, const Deal*> deals;
  std::map<std::string, int> owed;      // Eol not yet seen, by supervisor
  std::map<std::string, int> verdicts;  // to stop
  std::map<std::string, int> unsure;    // Eol that may come or not
  std::vector<std::pair<std::string, Ref<Player>>> known;
  std::unordered_set<Ref<Player>> refs;
  std::vector<std::pair<std::string, Ref<Player>>> stopped;
  Deals late;  // kept alive: specs of those started in between
  int last_late = 0;
  Lines wrong;
};

struct Poke {};

class Player {
 public:
  Player(Chaos* chaos, std::shared_ptr<const Deal> deal) : chaos_(chaos), deal_(std::move(deal)) {
    if (chaos_->one_in(40)) throw std::runtime_error("constructor");
  }
  Task<> init(Context& cx) {
    cx.strategy(deal_->strategy);
    if (deal_->budget) cx.at_most(*deal_->budget, per(10s));
    for (const auto& below : deal_->children) {
      if (cx.incarnation() > 1 && chaos_->one_in(12)) {
        chaos_->doomed.insert(cx.path() + "/" + below->name);  // left out: its place closes
        continue;
      }
      if (chaos_->one_in(20)) co_await cx.sleep(chaos_->some_time());
      begin(cx, below);
    }
    if (chaos_->one_in(8)) co_await cx.sleep(chaos_->some_time());
    if (chaos_->one_in(25)) throw Need::fail(Error("init"));
    if (chaos_->one_in(60)) {
      chaos_->doomed.insert(cx.path());
      throw Need::stop("not wanted");
    }
  }
  Task<> handle(Poke, Context& cx) {
    if (chaos_->calm) co_return;
    switch (chaos_->random.below(14)) {
      case 0:
      case 1: throw std::runtime_error("handler");
      case 2: co_await cx.sleep(chaos_->some_time()); break;
      case 3: co_await cx.sleep(chaos_->some_time()); throw 1;
      case 4:
        if (chaos_->one_in(2)) {
          chaos_->doomed.insert(cx.path());
          throw Need::stop("enough");
        }
        break;
      case 5:
        if (chaos_->one_in(2)) {
          chaos_->doomed.insert(cx.path());
          cx.stop();
        }
        break;
      case 6: begin(cx, late()); break;
      case 7: co_await begin_and_wait(cx); break;
      case 8: cx.strategy(static_cast<Strategy>(chaos_->random.below(3))); break;
      case 9:
        if (const auto one = somebody_below(cx)) order(cx, *one);
        break;
      default:
        for (int i = 0; i < 3; ++i) {
          if (const auto one = somebody_below(cx)) one->send(Poke{});
        }
    }
  }
  std::uint32_t handle(Lives, Context& cx) {
    if (chaos_->one_in(10)) throw std::runtime_error("asked");
    return cx.incarnation();
  }
  Verdict handle(Eol<Player> end, Context& cx) {
    if (!end.asks) {
      --chaos_->owed[cx.path()];
      if (chaos_->one_in(20)) throw std::runtime_error("end of a child");
      return Verdict::stop();
    }
    switch (chaos_->random.below(chaos_->calm ? 2 : 5)) {
      case 0: return Verdict::restart();
      case 1: return end.state ? Verdict::restart_with_state(std::move(end.state)) : Verdict::restart_with_state();
      case 2: return Verdict::escalate();
      case 3: throw std::runtime_error("no verdict");
      default:
        chaos_->doomed.insert(cx.path() + "/" + end.name);
        ++chaos_->verdicts[cx.path() + "/" + end.name];
        return Verdict::stop();
    }
  }
  Task<> terminating(Context& cx) {
    if (chaos_->one_in(6)) co_await cx.sleep(chaos_->some_time());
    if (chaos_->one_in(12)) throw 2;
  }

 private:
  friend class Tree;
  static Child<Player> spec(Chaos* chaos, const std::shared_ptr<const Deal>& deal) {
    auto made = deal->once ? once<Player>(deal->name, chaos, deal)
                           : child<Player>(deal->name, chaos, deal).restart(deal->restart);
    made = std::move(made)
               .backoff(10ms, 400ms)
               .at_most(deal->limit, per(2s))
               .stop_within(deal->stop_within)
               .start_within(5s)
               .significant(deal->significant)
               .live_for(deal->live_for)
               .start_after(deal->start_after)
               .retry_failed(deal->retries);
    if (deal->with_state) made = std::move(made).restart_with_state();
    if (deal->drops_queue) made = std::move(made).on_restart(OnRestart::drop).on_stop(drop);
    if (deal->small_mailbox) made = std::move(made).mailbox(bounded(3).drop_oldest());
    return made;
  }
  Child<Player> told_spec(Context& cx, const std::shared_ptr<const Deal>& deal) {
    auto made = spec(chaos_, deal);
    if (deal->told) made = std::move(made).on_end(cx.self(this));
    return made;
  }
  void begin(Context& cx, const std::shared_ptr<const Deal>& deal) {
    const auto one = cx.spawn(told_spec(cx, deal));
    chaos_->begun(cx.path() + "/" + deal->name, one, *deal);
  }
  /// One that is started between the others: it may end with this incarnation, and comes back with no other.
  std::shared_ptr<const Deal> late() {
    Deal deal{.name = "late" + std::to_string(++chaos_->last_late)};
    deal.restart = chaos_->one_in(2) ? Restart::never : Restart::on_failure;
    deal.told = !deal_->drops_queue && chaos_->one_in(2);
    deal.limit = 2;
    deal.late = true;
    chaos_->late.push_back(std::make_shared<const Deal>(std::move(deal)));
    return chaos_->late.back();
  }
  Task<> begin_and_wait(Context& cx) {
    const auto deal = late();
    const std::string path = cx.path() + "/" + deal->name;
    ++chaos_->living[path];
    chaos_->deals[path] = deal.get();
    bool refused = false;
    try {
      auto made = told_spec(cx, deal);
      const auto started = co_await cx.start(made).within(chaos_->some_time() + 1ms);
      if (started) chaos_->refs.insert(started.value());
    } catch (const Need&) {
      refused = true;
    }
    if (refused) --chaos_->living[path];
  }
  std::optional<Ref<Player>> somebody_below(Context& cx) {
    if (deal_->children.empty()) return {};
    auto found = cx.child<Player>(deal_->children[chaos_->random.below(deal_->children.size())]->name);
    if (!found) return {};
    return found.value();
  }
  void order(Context& cx, const Ref<Player>& one) {
    const auto entry = std::find_if(chaos_->known.begin(), chaos_->known.end(),
                                    [&](const auto& pair) { return pair.second == one; });
    const auto what = chaos_->random.below(4);
    if (what == 0) {
      if (entry != chaos_->known.end()) {
        chaos_->doomed.insert(entry->first);
        chaos_->stopped.push_back(*entry);
      }
      cx.stop(one);
    } else {
      cx.restart(one);
    }
  }
  Chaos* chaos_;
  std::shared_ptr<const Deal> deal_;
};

/// A world with some random trees, and what can be done to them from outside.
class Tree {
 public:
  explicit Tree(std::uint64_t seed)
      : chaos(seed), world({.seed = seed, .log_level = Level::off}), blocks(world.runtime().memory().live_blocks) {
    ended_ = world.runtime().events().subscribe([this](const Event& event) {
      if (const auto* end = std::get_if<Ended>(&event)) chaos.on_ended(end->path);
    });
    for (int i = 0; i < 2; ++i) {
      Deal top = deal("top" + std::to_string(i), 3);
      top.restart = Restart::on_failure;
      top.once = top.told = false;
      top.significant = Significant::no;
      top.live_for = top.start_after = Duration(0);
      tops_.push_back(std::make_shared<const Deal>(std::move(top)));
      const auto ref = world.spawn(Player::spec(&chaos, tops_.back()).at_most(unlimited));
      chaos.begun("/" + tops_.back()->name, ref, *tops_.back());
    }
  }
  void strike() {
    const auto [path, one] = chaos.known[chaos.random.below(chaos.known.size())];
    switch (chaos.random.below(12)) {
      case 0:
      case 1: world.runtime().restart(one); break;
      case 2:
        if (path.find('/', 1) == std::string::npos || chaos.random.below(3) != 0) break;
        chaos.doomed.insert(path);
        chaos.stopped.emplace_back(path, one);
        world.runtime().stop(one);
        break;
      case 3:
        if (path.find('/', 1) == std::string::npos || chaos.random.below(3) != 0) break;
        chaos.doomed.insert(path);
        chaos.stopped.emplace_back(path, one);
        world.runtime().kill(one);
        break;
      case 4:
      case 5: world.advance(chaos.some_time() / 4); break;
      case 6: (void)world.runtime().ask<Lives>(one).polled_within(1s); break;
      case 7:
        for (int i = 0; i < 5; ++i) (void)world.step();
        break;
      default: one.send(Poke{});
    }
  }
  /// No chance any more, and time for all that is under way.
  void calm_down() {
    chaos.calm = true;
    world.advance(2min);
  }
  void expect_all_right() {
    EXPECT_EQ(chaos.wrong, Lines{});
    std::map<std::string, int> there;
    for (const Service& top : world.runtime().service_tree().root.children) walk(top, "/" + top.name, there);
    for (auto& [path, count] : chaos.living) {
      EXPECT_EQ(there[path], count) << path << " lives, or not, against the book";
    }
    std::map<std::string, Ref<Player>> latest;
    for (const auto& [path, ref] : chaos.known) latest[path] = ref;
    for (const auto& [path, ref] : latest) {
      const bool lives = chaos.living[path] > 0;
      EXPECT_EQ(ref.try_send(Poke{}).has_value(), lives) << path;
      EXPECT_EQ(world.ask<Lives>(ref).has_value(), lives) << path << " answers, or not, against the book";
    }
    for (const auto& [path, ref] : chaos.stopped) EXPECT_FALSE(ref.try_send(Poke{})) << path << " was told to stop";
    for (const auto& [above, count] : chaos.owed) {
      EXPECT_TRUE(count <= 0 && -count <= chaos.unsure[above]) << above << " is owed " << count << " Eol";
    }
    world.run();
    EXPECT_EQ(world.runtime().counts().in_flight(), 0U);
  }
  void stop() {
    for (const auto& [path, ref] : chaos.known) {
      if (path.find('/', 1) != std::string::npos) continue;
      chaos.doomed.insert(path);
      world.runtime().stop(ref);
    }
    world.advance(2min);
    expect_nothing_left(world, blocks);
    EXPECT_EQ(world.next_timer(), Instant::never());
  }

  Chaos chaos;
  sim::TestRuntime world;
  std::int64_t blocks;

 private:
  Deal deal(std::string name, int depth) {
    Random& random = chaos.random;
    const auto up_to = [&random](std::uint64_t most) { return static_cast<std::int64_t>(random.below(most)); };
    Deal made{.name = std::move(name)};
    made.strategy = static_cast<Strategy>(random.below(3));
    if (random.below(4) == 0) made.budget = static_cast<std::uint32_t>(random.below(6));
    const Restart kinds[] = {Restart::always, Restart::on_failure, Restart::on_failure, Restart::never, Restart::ask};
    made.restart = kinds[random.below(5)];
    made.limit = static_cast<std::uint32_t>(random.below(7));
    made.told = made.restart == Restart::ask || random.below(2) == 0;
    made.once = made.restart != Restart::ask && random.below(12) == 0;
    if (made.once) made.restart = Restart::never;
    if (made.restart != Restart::always && random.below(8) == 0) {
      made.significant = random.below(2) == 0 ? Significant::any : Significant::all;
    }
    if (random.below(12) == 0) made.live_for = Duration(1ms) * (1 + up_to(5'000));
    if (random.below(5) == 0) made.start_after = Duration(1ms) * up_to(3'000);
    made.stop_within = Duration(1ms) * up_to(2'000);
    made.with_state = random.below(4) == 0;
    made.drops_queue = random.below(6) == 0;
    made.small_mailbox = random.below(6) == 0;
    made.retries = random.below(4) == 0 ? 1U : 0U;
    const std::uint64_t children = depth > 0 ? random.below(4) : 0;
    for (std::uint64_t i = 0; i < children; ++i) {
      made.children.push_back(
          std::make_shared<const Deal>(deal(std::string(1, static_cast<char>('a' + i)), depth - 1)));
    }
    // It loses what is queued when it is restarted: it cannot be held to count ends.
    if (made.drops_queue) {
      Deals silent;
      for (const auto& below : made.children) {
        Deal untold = *below;
        if (untold.restart == Restart::ask) untold.restart = Restart::on_failure;
        untold.told = false;
        silent.push_back(std::make_shared<const Deal>(std::move(untold)));
      }
      made.children = silent;
    }
    return made;
  }
  void walk(const Service& service, const std::string& path, std::map<std::string, int>& there) {
    for (const Service& below : service.children) walk(below, path + "/" + below.name, there);
    ++there[path];
    EXPECT_TRUE(service.responding) << path;
    EXPECT_EQ(service.status, Status::running) << path << " is " << to_string(service.status);
  }
  Deals tops_;
  Events::Subscription ended_;
};

class StrategyStorms : public testing::TestWithParam<std::uint64_t> {};

TEST_P(StrategyStorms, L2_L4_L6_leave_every_place_running_or_ended_and_nothing_half_done) {
  for (std::uint64_t seed = GetParam() * 20; seed < GetParam() * 20 + 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Tree tree(seed);
    for (int step = 0; step < 400; ++step) tree.strike();
    if (seed % 3 == 0) {
      // In the middle of everything.
      const bool clean = tree.world.runtime().shutdown().has_value();
      EXPECT_EQ(clean, tree.world.runtime().still_alive().root.type.empty());
      expect_nothing_left(tree.world, tree.blocks);
    } else {
      tree.calm_down();
      tree.expect_all_right();
      tree.stop();
    }
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, StrategyStorms, testing::Range<std::uint64_t>(0, 40));

}  // namespace
