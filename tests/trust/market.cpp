// Messages of all kinds between actors of one floor: parcels, requests, timers, monitors, links, interleaved handlers, and
// messages that make their receiver fail, in mailboxes of every kind, while actors fail, are stopped, killed, suspended,
// restarted, and others take over their cells.
//
// The book knows who was told what, and says what must not be: M1 to M8, L2, L3, L9, L10.
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#include "scenario.hpp"

namespace trust {
namespace {

using Key = std::uint64_t;

class Trader;

struct Place {
  Ref<Trader> ref;
  std::string path;
  Mailbox kind;
  std::uint32_t retries = 0;
  std::uint32_t interleaved = 2;
  bool drops = false;      // its queue, when it is stopped
  bool doomed = false;     // somebody said that it is to end
  bool wished = false;     // it said so itself
  bool silenced = false;   // killed, or told to drop what is queued: it handles nothing more
  bool suspended = false;  // by the test
  std::optional<Instant> ended{};
  std::uint32_t life = 0;
  std::uint32_t told_to_restart = 0;  // this life was, from outside
  bool up = false;
  std::map<Key, std::uint64_t> latest{};  // parcel by sender and its life
};
struct Watched {
  std::size_t watcher;
  std::uint32_t life;
  std::size_t target;
  std::uint64_t id;
  bool over = false;  // told or cancelled
};
struct Tied {
  std::size_t owner;
  std::uint32_t life;
  std::size_t other;
};

struct Floor {
  sim::World* world = nullptr;
  Random random{1};
  bool calm = false;
  std::vector<Place> places;
  std::map<std::string, std::size_t, std::less<>> by_path;
  std::vector<Watched> watched;
  std::vector<Tied> tied;
  std::map<std::uint64_t, std::uint32_t> poison;  // how often each was handled
  std::map<std::string_view, std::uint64_t> thrown;
  std::uint64_t last_number = 0;
  std::uint64_t ticks = 0;
  std::uint64_t answers = 0;

  void wrong(std::string_view promise, const std::string& what) const { complain(*world, promise, what); }
  [[nodiscard]] bool one_in(std::uint64_t n) { return !calm && random.below(n) == 0; }
  [[nodiscard]] Duration some_time(std::uint64_t most) {
    return Duration(1ms) * static_cast<std::int64_t>(random.below(most));
  }
  [[nodiscard]] std::size_t somebody() { return random.below(places.size()); }
  [[noreturn]] void fail(std::string_view kind) {
    ++thrown[kind];
    throw std::runtime_error(std::string(kind));
  }
};

/// Do something: send, ask, wait, watch ...
struct Go {
  int left;
};
struct Parcel {
  std::size_t sender;
  std::uint32_t life;
  std::uint64_t number;
};
struct Heavy {
  Parcel parcel;
  std::size_t bytes;
};
std::size_t payload_bytes(const Heavy& heavy) { return heavy.bytes; }
struct Poison {
  std::uint64_t number;
};
struct Aside {
  Duration time;
};
struct Tick {
  std::uint32_t life;
  Instant due;
  std::uint64_t timer;
  bool again;
};
enum class How : std::uint8_t { at_once, dropped, kept, fails };
struct Query {
  Instant due;
  How how;
  int value;
};
struct SlowQuery {
  Instant due;
  Duration time;
  int value;
};
struct Relay {
  Instant due;
  int value;
};
struct Lives {
  using reply = std::uint32_t;
};

class Trader {
 public:
  Trader(Floor* floor, std::size_t me) : floor_(floor), me_(me) {
    if (floor_->one_in(60)) floor_->fail("constructor");
  }
  Task<> init(Context& cx) {
    if (floor_->one_in(8)) co_await cx.sleep(floor_->some_time(100));
    if (floor_->one_in(60)) floor_->fail("init");
    if (floor_->random.below(3) == 0) every(cx);
  }
  Task<> handle(Go go, Context& cx) {
    begun("Go");
    for (int i = 0; i < 2 && go.left > 0; ++i) other().ref.send(Go{go.left - 1});
    switch (floor_->calm ? 99 : floor_->random.below(24)) {
      case 0: floor_->fail("handler");
      case 1: co_await cx.sleep(floor_->some_time(60)); break;
      case 2: co_await cx.sleep(floor_->some_time(60)); floor_->fail("after an await");
      case 3: co_await query(cx); break;
      case 4: co_await slow_query(cx); break;
      case 5: co_await relay(cx); break;
      case 6: once(cx); break;
      case 7: watch(cx); break;
      case 8: unwatch(cx); break;
      case 9: tie(cx); break;
      case 10: co_await wait_to_send(); break;
      case 11: co_await query_all(cx); break;
      case 12: other().ref.send(Aside{floor_->some_time(80)}); break;
      case 13: other().ref.send(Poison{++floor_->last_number}); break;
      case 14: other().ref.send(Heavy{parcel(cx), floor_->random.below(200)}); break;
      case 15: co_await cx.yield(); break;
      case 16:
        if (floor_->one_in(12)) {
          mine().doomed = mine().wished = true;
          cx.stop();
        }
        break;
      case 17:
        if (floor_->one_in(12)) {
          mine().doomed = mine().wished = true;
          throw Need::stop("sold out");
        }
        break;
      default:
        for (int i = 0; i < 3; ++i) other().ref.send(parcel(cx));
    }
  }
  void handle(Parcel parcel) {
    begun("Parcel");
    take(parcel);
    if (floor_->one_in(80)) floor_->fail("handler");
  }
  void handle(Heavy heavy) {
    begun("Heavy");
    take(heavy.parcel);
  }
  void handle(Poison poison) {
    begun("Poison");
    if (++floor_->poison[poison.number] > mine().retries + 1) {
      floor_->wrong("L2", mine().path + " was given a message again that failed " +
                              std::to_string(mine().retries + 1) + " times");
      return;
    }
    floor_->fail("a message that always fails");
  }
  Interleaved<> handle(Aside aside, Context& cx) {
    begun("Aside");
    struct Inside {
      Trader& trader;
      explicit Inside(Trader& t) : trader(t) {
        if (++trader.aside_ > trader.mine().interleaved) {
          trader.floor_->wrong("M8", trader.mine().path + " handles " + std::to_string(trader.aside_) +
                                         " messages aside, and may handle " +
                                         std::to_string(trader.mine().interleaved));
        }
      }
      Inside(const Inside&) = delete;
      Inside& operator=(const Inside&) = delete;
      ~Inside() { --trader.aside_; }
    } const inside(*this);
    co_await cx.sleep(aside.time);
  }
  void handle(Tick tick, Context& cx) {
    begun("Tick");
    ++floor_->ticks;
    if (tick.life != cx.incarnation()) {
      floor_->wrong("L2", mine().path + " in life " + std::to_string(cx.incarnation()) + " had a tick of life " +
                              std::to_string(tick.life));
    }
    if (cx.now() < tick.due) floor_->wrong("L10", "a tick of " + mine().path + " was early");
    if (tick.again) {
      if (last_tick_ == cx.now())
        floor_->wrong("L10", "two ticks of one timer of " + mine().path + " at one instant");
      last_tick_ = cx.now();
    } else if (tick.timer == cancelled_) {
      floor_->wrong("L10", mine().path + " had the tick of a timer that it had cancelled");
    }
    if (floor_->one_in(60)) floor_->fail("tick");
  }
  void handle(Query query, Reply<int> reply, Context& cx) {
    begun("Query");
    in_time(query.due, cx);
    switch (query.how) {
      case How::at_once: std::move(reply)(query.value); break;
      case How::dropped: break;
      case How::kept:
        if (kept_.size() < 8) kept_.push_back(std::move(reply));
        break;
      case How::fails: floor_->fail("request");
    }
  }
  Task<int> handle(SlowQuery query, Context& cx) {
    begun("SlowQuery");
    in_time(query.due, cx);
    co_await cx.sleep(query.time);
    co_return query.value;
  }
  void handle(Relay relay, Reply<int> reply, Context& cx) {
    begun("Relay");
    in_time(relay.due, cx);
    other().ref.forward(Query{relay.due, How::at_once, relay.value}, std::move(reply));
  }
  void handle(Down down) {
    begun("Down");
    for (Watched& one : floor_->watched) {
      if (one.watcher != me_ || one.id != down.monitor || one.life != mine().life) continue;
      if (one.over) floor_->wrong("L9", "the end of " + floor_->places[one.target].path + " was told twice");
      one.over = true;
      if (!floor_->places[one.target].ended) {
        floor_->wrong("L9", floor_->places[one.target].path + " was told to be over, and is not");
      }
      return;
    }
    floor_->wrong("L9", mine().path + " was told of an end that it did not watch: " + down.path);
  }
  std::uint32_t handle(Lives, Context& cx) { return cx.incarnation(); }
  Task<> terminating(Context& cx) {
    if (floor_->one_in(10)) co_await cx.sleep(floor_->some_time(100));
    if (floor_->one_in(20)) floor_->fail("terminating");
  }

  static Child<Trader> spec(Floor& floor, std::size_t which) {
    const Place& place = floor.places[which];
    return child<Trader>(place.path.substr(1), &floor, which)
        .backoff(1ms, 100ms)
        .at_most(unlimited)
        .mailbox(place.kind)
        .interleaved(place.interleaved)
        .retry_failed(place.retries)
        .stop_within(200ms)
        .on_stop(place.drops ? drop : drain);
  }

 private:
  Place& mine() { return floor_->places[me_]; }
  Place& other() { return floor_->places[floor_->somebody()]; }
  void begun(const char* what) {
    if (mine().silenced) {
      floor_->wrong("M3", mine().path + " was ended and handles a " + what);
    }
  }
  void in_time(Instant due, Context& cx) {
    if (cx.now() >= due) floor_->wrong("M7", mine().path + " handles a request after its deadline");
  }
  void take(const Parcel& parcel) {
    std::uint64_t& latest = mine().latest[(static_cast<Key>(parcel.sender) << 32U) | parcel.life];
    // What failed is handled again, by whoever asked for that.
    if (parcel.number < latest || (parcel.number == latest && mine().retries == 0)) {
      floor_->wrong("M2", mine().path + " was given parcel " + std::to_string(parcel.number) + " of " +
                              floor_->places[parcel.sender].path + " after " + std::to_string(latest));
    }
    latest = parcel.number;
  }
  Parcel parcel(Context& cx) { return Parcel{me_, cx.incarnation(), ++floor_->last_number}; }

  // ---- asking
  void answered(const Result<int>& answer, int value, const Place& whom, Instant due, bool relayed, Context& cx) {
    ++floor_->answers;
    if (answer && answer.value() != value)
      floor_->wrong("M7", mine().path + " was given the answer to another request");
    if (answer || !answer.error().is(Errc::timeout)) return;
    if (cx.now() < due) floor_->wrong("M7", "a request of " + mine().path + " timed out early");
    if (!relayed && whom.ended && *whom.ended < due) {
      floor_->wrong("M5",
                    mine().path + " waited for the answer of " + whom.path + " until the deadline; that was gone");
    }
  }
  Task<> query(Context& cx) {
    const std::size_t whom = floor_->somebody();
    const Duration within = floor_->some_time(100) + 1ms;
    const Instant due = cx.now() + within;
    const auto how = static_cast<How>(floor_->random.below(4));
    const int value = static_cast<int>(floor_->random.below(1'000));
    Query asked{due, how, value};
    const Result<int> answer = co_await floor_->places[whom].ref.template ask<Query>(moved(asked)).within(within);
    answered(answer, value, floor_->places[whom], due, false, cx);
  }
  Task<> slow_query(Context& cx) {
    const std::size_t whom = floor_->somebody();
    const Duration within = floor_->some_time(100) + 1ms;
    const Instant due = cx.now() + within;
    const int value = static_cast<int>(floor_->random.below(1'000));
    SlowQuery asked{due, floor_->some_time(80), value};
    const Result<int> answer = co_await floor_->places[whom].ref.template ask<SlowQuery>(moved(asked)).within(within);
    answered(answer, value, floor_->places[whom], due, false, cx);
  }
  Task<> relay(Context& cx) {
    const std::size_t whom = floor_->somebody();
    const Duration within = floor_->some_time(100) + 1ms;
    const Instant due = cx.now() + within;
    const int value = static_cast<int>(floor_->random.below(1'000));
    Relay asked{due, value};
    const Result<int> answer = co_await floor_->places[whom].ref.template ask<Relay>(moved(asked)).within(within);
    answered(answer, value, floor_->places[whom], due, true, cx);
  }
  /// Several, one after the other, all of one place.
  Task<> query_all(Context& cx) {
    const std::size_t whom = floor_->somebody();
    for (int i = 0; i < 3; ++i) {
      const Duration within = floor_->some_time(30) + 1ms;
      const Instant due = cx.now() + within;
      Query asked{due, How::at_once, i};
      const Result<int> answer = co_await floor_->places[whom].ref.template ask<Query>(moved(asked)).within(within);
      answered(answer, i, floor_->places[whom], due, false, cx);
    }
  }
  Task<> wait_to_send() {
    const Ref<Trader> whom = other().ref;
    Parcel sent{me_, mine().life, ++floor_->last_number};
    (void)co_await whom.send_wait(moved(sent)).within(floor_->some_time(50) + 1ms);
  }

  // ---- timers
  void every(Context& cx) {
    const Duration period = floor_->some_time(40) + 1ms;
    (void)cx.send_every(period, cx.self(this), Tick{cx.incarnation(), cx.now() + period, 0, true});
  }
  void once(Context& cx) {
    const Duration after = floor_->some_time(60);
    const std::uint64_t number = ++floor_->last_number;
    Timer timer = cx.send_after(after, cx.self(this), Tick{cx.incarnation(), cx.now() + after, number, false});
    if (floor_->one_in(3) && timer.cancel()) cancelled_ = number;
  }

  // ---- watching
  void watch(Context& cx) {
    const std::size_t whom = floor_->somebody();
    monitors_.push_back(cx.monitor(floor_->places[whom].ref, cx.self(this)));
    floor_->watched.push_back({me_, cx.incarnation(), whom, monitors_.back().id()});
  }
  void unwatch(Context& cx) {
    if (monitors_.empty()) return;
    Monitor last = std::move(monitors_.back());
    monitors_.pop_back();
    if (!last.cancel()) return;
    for (Watched& one : floor_->watched) {
      if (one.watcher == me_ && one.id == last.id() && one.life == cx.incarnation()) one.over = true;
    }
  }
  void tie(Context& cx) {
    const std::size_t whom = floor_->somebody();
    if (whom == me_ || floor_->places[whom].ended) return;
    cx.link(floor_->places[whom].ref);
    floor_->tied.push_back({me_, cx.incarnation(), whom});
  }

  Floor* floor_;
  std::size_t me_;
  std::uint32_t aside_ = 0;
  std::optional<Instant> last_tick_;
  std::uint64_t cancelled_ = 0;
  std::vector<Reply<int>> kept_;
  std::vector<Monitor> monitors_;
};

class Market {
 public:
  Market(sim::World& world, Tally& tally)
      : world_(world), tally_(tally), census_(world), floor_(world.keep<Floor>()) {
    floor_.world = &world;
    floor_.random = Random(world.random().next());
    floor_.places.reserve(4'096);  // actors hold references across waits
    events_ = world.runtime().events().subscribe([this](const Event& event) { heard(event); });
    for (int i = 0; i < 8; ++i) open();
  }
  void trade() {
    sim::Faults faults;
    faults.fail_every = 100;
    faults.point_every = 60;
    faults.late_every = 10;
    faults.late_up_to = 150ms;
    faults.jump_every = 500;
    faults.jump_up_to = 1h;
    world_.inject(faults);
    for (int step = 0; step < 1'200; ++step) strike();
  }
  void settle() {
    world_.heal();
    floor_.calm = true;
    for (Place& place : floor_.places) {
      if (std::exchange(place.suspended, false)) world_.runtime().resume(place.ref);
    }
    world_.run_for(2s);
    for (const Watched& one : floor_.watched) {
      const Place& watcher = floor_.places[one.watcher];
      const Place& target = floor_.places[one.target];
      if (watcher.life == one.life && watcher.up && target.ended && !one.over) {
        complain(world_, "L9", watcher.path + " watches " + target.path + ", which is over, and was not told");
      }
    }
    for (const Place& place : floor_.places) {
      const bool answers = world_.ask<Lives>(place.ref).has_value();
      if (place.ended ? answers : !answers)
        complain(world_, "L2", place.path + (answers ? " answers, and is over" : " does not answer"));
      if (place.doomed && !place.ended) complain(world_, "L4", place.path + " was told to end, and lives");
    }
    world_.run();
    census_.expect_all_counted();
    for (Place& place : floor_.places) {
      place.doomed = true;
      if (!place.ended) world_.runtime().stop(place.ref);
    }
    world_.run_for(30s);
    census_.expect_nothing_left();
    events_.end();
    for (const auto& [kind, times] : floor_.thrown) tally_.add("failures: " + std::string(kind), times);
    tally_.add("actors", floor_.places.size());
    tally_.add("answers", floor_.answers);
    tally_.add("ticks", floor_.ticks);
  }

 private:
  [[nodiscard]] Mailbox some_kind() {
    switch (floor_.random.below(7)) {
      case 0: return bounded(1 + static_cast<std::uint32_t>(floor_.random.below(6)));
      case 1: return bounded(1 + static_cast<std::uint32_t>(floor_.random.below(6))).drop_oldest();
      case 2: return bounded(1 + static_cast<std::uint32_t>(floor_.random.below(6))).drop_newest();
      case 3: return bounded(20).bytes(400).drop_oldest();
      case 4: return bounded(1'000).bytes(100'000);
      case 5: return unbounded();
      default: return bounded(65'536);
    }
  }
  std::size_t open() {
    const std::size_t me = floor_.places.size();
    Place place;
    place.path = "/t" + std::to_string(me);
    place.kind = some_kind();
    place.retries = static_cast<std::uint32_t>(floor_.random.below(3));
    place.interleaved = 1 + static_cast<std::uint32_t>(floor_.random.below(3));
    place.drops = floor_.random.below(3) == 0;
    floor_.by_path.emplace(place.path, me);
    floor_.places.push_back(std::move(place));
    floor_.places[me].ref = world_.spawn(Trader::spec(floor_, me));
    return me;
  }
  /// Exactly as many get in as its bound says: nobody else knows of it yet.
  void fill() {
    const std::size_t me = open();
    Place& place = floor_.places[me];
    world_.runtime().suspend(place.ref);
    place.suspended = true;
    if (place.kind.count_limit() > 6) return;
    std::uint32_t accepted = 0;
    while (accepted < 10 && place.ref.try_send(Go{0})) ++accepted;
    if (accepted != place.kind.count_limit()) {
      complain(world_, "M4",
               place.path + " took " + std::to_string(accepted) + " messages, its bound is " +
                   std::to_string(place.kind.count_limit()));
    }
  }
  void strike() {
    const std::size_t which = floor_.somebody();
    Place& place = floor_.places[which];
    Runtime& runtime = world_.runtime();
    switch (floor_.random.below(40)) {
      case 0: fill(); break;
      case 1: (void)open(); break;
      case 2:
        runtime.restart(place.ref);
        place.told_to_restart = place.life;
        tally_.add("restarts by order");
        break;
      case 3:
        if (floor_.random.below(3) != 0) break;
        place.doomed = true;
        runtime.stop(place.ref);  // also of one that is over: then nobody may hear of it
        // Draining begins with what is queued; who drops its queue handles nothing from here on.
        if (place.drops) place.silenced = true;
        tally_.add("stops");
        break;
      case 4:
        if (floor_.random.below(3) == 0) kill(which);
        break;
      case 5:
        runtime.fail(place.ref, Error("failed by the test"));
        ++floor_.thrown["ordered from outside"];
        break;
      case 6:
        runtime.suspend(place.ref);
        place.suspended = true;
        break;
      case 7:
      case 8:
        runtime.resume(place.ref);
        place.suspended = false;
        break;
      case 9:
      case 10:
      case 11:
      case 12: world_.run_for(floor_.some_time(60)); break;
      case 13:
      case 14: (void)runtime.ask<Lives>(place.ref).polled_within(50ms); break;
      case 15: world_.run(); break;
      case 16:
      case 17:
      case 18:
      case 19:
      case 20:
        for (int i = 0; i < 8; ++i) (void)world_.step();
        break;
      default: place.ref.send(Go{static_cast<int>(floor_.random.below(4))});
    }
  }
  /// And whoever is tied to it fails with it.
  void kill(std::size_t which) {
    Place& place = floor_.places[which];
    const bool lived = !place.ended && !place.doomed && place.life > 0;
    std::vector<std::pair<std::size_t, std::uint32_t>> partners;
    for (const Tied& tied : floor_.tied) {
      if (!lived) break;
      const Place& owner = floor_.places[tied.owner];
      if (owner.life != tied.life) continue;  // a link ends with the life that made it
      const std::size_t partner = tied.owner == which ? tied.other : tied.other == which ? tied.owner : which;
      const Place& theirs = floor_.places[partner];
      if (partner != which && theirs.up && !theirs.doomed && place.up) partners.emplace_back(partner, theirs.life);
    }
    const bool restarts = place.told_to_restart == place.life;  // and has not done it yet, perhaps
    place.doomed = true;
    place.silenced = true;
    world_.runtime().kill(place.ref);
    tally_.add("kills");
    if (partners.empty()) return;
    world_.run();
    if (place.wished || restarts) return;  // before it heard of it: an end in order
    for (const auto& [partner, life] : partners) {
      const Place& theirs = floor_.places[partner];
      if (theirs.life == life && theirs.up && !theirs.ended) {
        complain(world_, "L9", theirs.path + " is linked with " + place.path + ", which was killed, and lives on");
      }
    }
    world_.sometimes(true, "one that is linked with the killed fails");
  }
  void heard(const Event& event) {
    if (const auto* const change = std::get_if<StatusChanged>(&event)) {
      const auto found = floor_.by_path.find(change->path);
      if (found == floor_.by_path.end()) return;
      Place& place = floor_.places[found->second];
      place.life = change->incarnation;
      place.up = change->to != Status::stopping && change->to != Status::stopped && change->to != Status::starting;
      if (place.ended) complain(world_, "L3", place.path + " changes its status, and is over");
    } else if (const auto* const failed = std::get_if<ActorFailed>(&event)) {
      tally_.add("failures in all");
      const auto found = floor_.by_path.find(failed->path);
      if (found != floor_.by_path.end()) floor_.places[found->second].up = false;
    } else if (const auto* const end = std::get_if<Ended>(&event)) {
      const auto found = floor_.by_path.find(end->path);
      if (found == floor_.by_path.end()) return complain(world_, "L3", end->path + " ended, and was never begun");
      Place& place = floor_.places[found->second];
      if (place.ended) complain(world_, "L3", place.path + " ended twice");
      if (!place.doomed) complain(world_, "L2", place.path + " ended, and nobody said so");
      place.ended = world_.now();
      place.up = false;
    }
  }

  sim::World& world_;
  Tally& tally_;
  Census census_;
  Floor& floor_;
  Events::Subscription events_;
};

}  // namespace

void run_market(sim::World& world, Tally& tally) {
  Market market(world, tally);
  market.trade();
  market.settle();
}

}  // namespace trust
