// Trees of supervisors under every kind of spec and strategy, hit at random by failures in every hook, stops, kills and
// restarts, and watched by the oracle of supervision. Then it is calm, and all must have come right; then it ends, and
// nothing may be left.
#include <algorithm>
#include <memory>
#include <stdexcept>
#include <vector>

#include "oracle.hpp"

namespace trust {
namespace {

class Player;

/// Chance, and who is who.
struct House {
  House(sim::World& world, std::uint64_t seed) : oracle(world), random(seed) {}
  Oracle oracle;
  Random random;
  bool calm = false;
  std::vector<std::pair<std::string, Ref<Player>>> known{};
  std::map<std::string, Ref<Player>> latest{};  // by path
  Deals late{};                                 // specs of those started in between
  std::uint64_t last_late = 0;
  std::uint64_t last_word = 0;

  [[nodiscard]] bool one_in(std::uint64_t n) { return !calm && random.below(n) == 0; }
  [[nodiscard]] Duration some_time() {
    return Duration(1ms) * static_cast<std::int64_t>(calm ? 1 : random.below(3'000));
  }
  void begun(const std::string& above, const Ref<Player>& ref, const std::shared_ptr<const Deal>& deal) {
    oracle.begun(above, deal);
    known_by(above + "/" + deal->name, ref);
  }
  void known_by(const std::string& path, const Ref<Player>& ref) {
    Ref<Player>& last = latest[path];
    if (last == ref) return;  // taken over
    last = ref;
    known.emplace_back(path, ref);
  }
  /// A Ref to a place that is over may have a path that is somebody else's by now: who is over hears of nothing.
  [[nodiscard]] bool is_latest(const std::string& path, const Ref<Player>& ref) const {
    const auto found = latest.find(path);
    return found != latest.end() && found->second == ref;
  }
  [[nodiscard]] const std::string* path_of(const Ref<Player>& ref) const {
    const auto found = std::find_if(known.begin(), known.end(), [&](const auto& one) { return one.second == ref; });
    return found != known.end() ? &found->first : nullptr;
  }
};

struct Poke {};
struct Word {
  std::uint64_t place;
  std::uint64_t number;
};
struct Lives {
  using reply = std::uint32_t;
};

class Player {
 public:
  Player(House* house, std::shared_ptr<const Deal> deal) : house_(house), deal_(std::move(deal)) {
    if (house_->one_in(40)) throw std::runtime_error("constructor");
  }
  Task<> init(Context& cx) {
    set(cx, deal_->strategy);
    if (deal_->budget) {
      cx.at_most(*deal_->budget, per(budget_window));
      house_->oracle.budget(cx.path(), *deal_->budget);
    }
    for (const auto& below : deal_->children) {
      if (cx.incarnation() > 1 && house_->one_in(12)) continue;  // left out: its place closes
      if (house_->one_in(20)) co_await cx.sleep(house_->some_time());
      begin(cx, below);
    }
    if (house_->one_in(8)) co_await cx.sleep(house_->some_time());
    if (house_->one_in(25)) throw Need::fail(Error("init"));
    if (house_->one_in(60)) {
      house_->oracle.wishes_to_end(cx.path());
      throw Need::stop("not wanted");
    }
  }
  Task<> handle(Poke, Context& cx) {
    tell_above(cx);
    switch (house_->calm ? 99 : house_->random.below(14)) {
      case 0:
      case 1: throw std::runtime_error("handler");
      case 2: co_await cx.sleep(house_->some_time()); break;
      case 3: co_await cx.sleep(house_->some_time()); throw 1;
      case 4:
        if (house_->one_in(3)) {
          house_->oracle.wishes_to_end(cx.path());
          throw Need::stop("enough");
        }
        break;
      case 5:
        if (house_->one_in(3)) {
          house_->oracle.told_to_end(cx.path());
          cx.stop();
        }
        break;
      case 6: begin(cx, late()); break;
      case 7: co_await begin_and_wait(cx); break;
      case 8: set(cx, static_cast<Strategy>(house_->random.below(3))); break;
      case 9:
        if (const auto one = somebody_below(cx)) order(cx, *one);
        break;
      default:
        for (int i = 0; i < 3; ++i) {
          if (const auto one = somebody_below(cx)) one->send(Poke{});
        }
    }
  }
  void handle(Word word) { house_->oracle.said(word.place, word.number); }
  std::uint32_t handle(Lives, Context& cx) {
    if (house_->one_in(10)) throw std::runtime_error("asked");
    return cx.incarnation();
  }
  Verdict handle(Eol<Player> end, Context& cx) {
    if (!end.asks) {
      house_->oracle.eol(cx.path(), end.name);
      if (house_->one_in(20)) throw std::runtime_error("end of a child");
      return Verdict::stop();
    }
    const auto said = [&](Verdict::Kind kind) {
      house_->oracle.given_verdict(cx.path() + "/" + end.name, end.incarnation, kind);
    };
    switch (house_->random.below(house_->calm ? 2 : 5)) {
      case 0: said(Verdict::Kind::restart); return Verdict::restart();
      case 1:
        said(Verdict::Kind::restart_with_state);
        return end.state ? Verdict::restart_with_state(std::move(end.state)) : Verdict::restart_with_state();
      case 2: said(Verdict::Kind::escalate); return Verdict::escalate();
      case 3: throw std::runtime_error("no verdict");
      default: said(Verdict::Kind::stop); return Verdict::stop();
    }
  }
  Task<> terminating(Context& cx) {
    tell_above(cx);
    if (house_->one_in(6)) co_await cx.sleep(house_->some_time());
    if (house_->one_in(12)) throw 2;
  }

  static Child<Player> spec(House* house, const std::shared_ptr<const Deal>& deal, const Ref<Player>& above) {
    auto made = deal->once ? once<Player>(deal->name, house, deal)
                           : child<Player>(deal->name, house, deal).restart(deal->restart);
    made = std::move(made)
               .backoff(family_backoff.first, family_backoff.most)
               .at_most(deal->limit, per(limit_window))
               .stop_within(deal->stop_within)
               .start_within(5s)
               .significant(deal->significant)
               .live_for(deal->live_for)
               .start_after(deal->start_after);
    if (deal->with_state) made = std::move(made).restart_with_state();
    if (deal->told) made = std::move(made).on_end(above);
    return made;
  }

 private:
  void set(Context& cx, Strategy strategy) {
    cx.strategy(strategy);
    house_->oracle.strategy(cx.path(), strategy);
  }
  /// So that its supervisor can say whether its end came last.
  void tell_above(Context& cx) {
    const std::string path = cx.path();
    const std::size_t cut = path.rfind('/');
    if (cut == 0) return;
    const auto above = std::find_if(house_->known.rbegin(), house_->known.rend(),
                                    [&](const auto& one) { return path.compare(0, cut, one.first) == 0; });
    if (above == house_->known.rend()) return;
    // In a row: all but the first go together.
    for (int i = 0; i < 3; ++i) above->second.send(Word{house_->oracle.place_at(path), ++house_->last_word});
  }
  void begin(Context& cx, const std::shared_ptr<const Deal>& deal) {
    house_->begun(cx.path(), cx.spawn(spec(house_, deal, cx.self(this))), deal);
  }
  /// One that is started between the others: it may end with this life, and comes back with no other.
  std::shared_ptr<const Deal> late() {
    Deal deal{.name = "late" + std::to_string(++house_->last_late)};
    deal.restart = house_->one_in(2) ? Restart::never : Restart::on_failure;
    deal.told = house_->one_in(2);
    deal.limit = 2;
    house_->late.push_back(std::make_shared<const Deal>(std::move(deal)));
    return house_->late.back();
  }
  Task<> begin_and_wait(Context& cx) {
    const auto deal = late();
    const std::string above = cx.path();
    house_->oracle.begun(above, deal, true);
    try {
      auto made = spec(house_, deal, cx.self(this));
      const auto started = co_await cx.start(made).within(house_->some_time() + 1ms);
      if (started) house_->known_by(above + "/" + deal->name, started.value());
    } catch (const Need&) {
      house_->oracle.not_begun(above + "/" + deal->name);
    }
  }
  std::optional<Ref<Player>> somebody_below(Context& cx) {
    if (deal_->children.empty()) return {};
    auto found = cx.child<Player>(deal_->children[house_->random.below(deal_->children.size())]->name);
    if (!found) return {};
    return found.value();
  }
  void order(Context& cx, const Ref<Player>& one) {
    const std::string* const path = house_->path_of(one);
    if (path == nullptr) return;
    if (house_->random.below(5) == 0) {
      house_->oracle.told_to_end(*path);
      cx.stop(one);
    } else {
      house_->oracle.told_to_restart(*path);
      cx.restart(one);
    }
  }
  House* house_;
  std::shared_ptr<const Deal> deal_;
};

class Family {
 public:
  Family(sim::World& world, Tally& tally)
      : world_(world), tally_(tally), census_(world), house_(world.keep<House>(world, world.random().next())) {
    for (int i = 0; i < 2; ++i) {
      Deal top = deal("top" + std::to_string(i), 3);
      top.restart = Restart::on_failure;
      top.once = top.told = false;
      top.significant = Significant::no;
      top.live_for = top.start_after = Duration(0);
      tops_.push_back(std::make_shared<const Deal>(std::move(top)));
      const auto ref = world.spawn(Player::spec(&house_, tops_.back(), {}).at_most(unlimited));
      house_.begun("", ref, tops_.back());
    }
  }
  void play() {
    sim::Faults faults;
    faults.fail_every = 80;
    faults.point_every = 60;
    faults.late_every = 10;
    faults.late_up_to = 500ms;
    world_.inject(faults);
    for (int step = 0; step < 1'200; ++step) strike();
  }
  void settle() {
    world_.heal();
    house_.calm = true;
    world_.run_for(2min);
    house_.oracle.expect_calm();
    for (const auto& [path, ref] : house_.latest) {
      const bool is_over = house_.oracle.is_over(path);
      if (world_.ask<Lives>(ref).has_value() == is_over) {
        complain(world_, "L2", path + (is_over ? " answers, and is over" : " lives, and does not answer"));
      }
    }
    world_.run();
    census_.expect_all_counted();
  }
  void end() {
    for (const auto& [path, ref] : house_.known) {
      if (path.find('/', 1) != std::string::npos) continue;
      house_.oracle.told_to_end(path);
      world_.runtime().stop(ref);
    }
    world_.run_for(2min);
    house_.oracle.hear_no_more();
    census_.expect_nothing_left();
    for (const auto& [kind, times] : house_.oracle.kinds()) tally_.add("failures: " + kind, times);
    tally_.add("failures in all", house_.oracle.failures());
    tally_.add("restarts decided", house_.oracle.restarts());
    tally_.add("actors", house_.known.size());
  }

 private:
  void strike() {
    const auto& [path, one] = house_.known[house_.random.below(house_.known.size())];
    const bool is_top = path.find('/', 1) == std::string::npos;
    Runtime& runtime = world_.runtime();
    switch (house_.random.below(12)) {
      case 0:
      case 1:
        if (house_.is_latest(path, one)) house_.oracle.told_to_restart(path);
        runtime.restart(one);
        tally_.add("restarts by order");
        break;
      case 2:
      case 3: {
        if (is_top || house_.random.below(6) != 0) break;
        const bool kills = house_.random.below(2) == 0;
        if (house_.is_latest(path, one)) house_.oracle.told_to_end(path);
        kills ? runtime.kill(one) : runtime.stop(one);
        tally_.add(kills ? "kills" : "stops");
        break;
      }
      case 4:
      case 5: world_.run_for(house_.some_time() / 4); break;
      case 6: (void)runtime.ask<Lives>(one).polled_within(1s); break;
      case 7:
        for (int i = 0; i < 5; ++i) (void)world_.step();
        break;
      default: one.send(Poke{});
    }
  }
  Deal deal(std::string name, int depth) {
    Random& random = house_.random;
    const auto up_to = [&random](std::uint64_t most) { return static_cast<std::int64_t>(random.below(most)); };
    Deal made{.name = std::move(name)};
    made.strategy = static_cast<Strategy>(random.below(3));
    if (random.below(4) == 0) made.budget = static_cast<std::uint32_t>(random.below(6));
    constexpr Restart kinds[] = {Restart::always, Restart::on_failure, Restart::on_failure, Restart::never,
                                 Restart::ask};
    made.restart = kinds[random.below(5)];
    made.limit = static_cast<std::uint32_t>(random.below(7));
    made.told = made.restart == Restart::ask || random.below(2) == 0;
    made.once = made.restart != Restart::ask && random.below(12) == 0;
    if (made.once) made.restart = Restart::never;
    if (made.restart != Restart::always && random.below(4) == 0) {
      made.significant = random.below(2) == 0 ? Significant::any : Significant::all;
    }
    if (random.below(12) == 0) made.live_for = Duration(1ms) * (1 + up_to(5'000));
    if (random.below(5) == 0) made.start_after = Duration(1ms) * up_to(3'000);
    made.stop_within = Duration(1ms) * up_to(2'000);
    made.with_state = random.below(4) == 0;
    const std::uint64_t children = depth > 0 ? random.below(4) : 0;
    for (std::uint64_t i = 0; i < children; ++i) {
      const std::string below(1, static_cast<char>('a' + i));
      made.children.push_back(std::make_shared<const Deal>(deal(below, depth - 1)));
    }
    return made;
  }

  sim::World& world_;
  Tally& tally_;
  Census census_;
  House& house_;
  Deals tops_;
};

}  // namespace

void run_family(sim::World& world, Tally& tally) {
  Family family(world, tally);
  family.play();
  family.settle();
  family.end();
}

}  // namespace trust
