// L1: the service tree: words, uptime and downtime, restarts, the last error, the roll-up; and that it is correct after
// any storm, compared with what the events of the runtime told.
#include <algorithm>
#include <map>
#include <optional>

#include "life_support.hpp"

#include "backstage/base/random.hpp"

namespace {

using namespace life;

Service look(sim::TestRuntime& world, std::string_view name) {
  for (const Service& service : world.runtime().service_tree().root.children) {
    if (service.name == name) return service;
  }
  ADD_FAILURE() << "no " << name;
  return {};
}

Do says(Status status, std::string word = {}) {
  return Do{[status, word](Context& cx) { cx.status(status, word); }};
}

TEST(L1, an_actor_has_a_word_of_its_own_for_its_status) {
  sim::TestRuntime world;
  Lines told;
  const auto subscription = world.runtime().events().subscribe([&](const Event& event) {
    if (const auto* change = std::get_if<StatusChanged>(&event)) {
      told.push_back(std::string(to_string(change->from)) + ">" + std::string(to_string(change->to)) + " " +
                     change->word);
    }
  });
  const auto part = world.spawn<Part>("a", Plan{});
  world.run();
  told.clear();
  part.send(says(Status::degraded, "disconnected"));
  part.send(says(Status::degraded, "disconnected"));
  part.send(says(Status::degraded, "reconnecting"));
  world.run();
  EXPECT_EQ(look(world, "a").word, "reconnecting");
  EXPECT_NE(world.runtime().service_tree().text().find("a  degraded \"reconnecting\""), std::string::npos);
  part.send(says(Status::running));
  world.run();
  EXPECT_EQ(look(world, "a").word, "");
  part.send(says(Status::outage, "lost"));
  part.send(Break{"boom"});
  world.advance(1s);
  EXPECT_EQ(look(world, "a").word, "") << "a new life has not said anything yet";
  EXPECT_EQ(told, (Lines{"running>degraded disconnected", "degraded>degraded reconnecting", "degraded>running ",
                         "running>outage lost", "outage>stopping ", "stopping>stopped ", "stopped>starting ",
                         "starting>initializing ", "initializing>running "}));
}

TEST(L1, a_word_is_bounded_and_holds_no_control_characters) {
  sim::TestRuntime world;
  const auto part = world.spawn<Part>("a", Plan{});
  part.send(says(Status::degraded, "two\nlines\x1b[2J"));
  world.run();
  EXPECT_EQ(look(world, "a").word, "two lines [2J");
  // Two bytes a character: the cut at 64 would be clean, the one at 63 not.
  std::string accents = "x";
  for (int i = 0; i < 100; ++i) accents += "\xc3\xa9";
  part.send(says(Status::degraded, accents));
  world.run();
  EXPECT_EQ(look(world, "a").word, accents.substr(0, max_status_word - 1));
}

TEST(L1, the_downtime_is_the_time_in_which_a_place_did_not_run_since_it_first_did) {
  sim::TestRuntime world;
  const auto slow =
      world.spawn(child<Part>("slow", Plan{.init = [](Context& cx) -> Task<> { co_await cx.sleep(2s); }})
                      .backoff(1s, 1s)
                      .at_most(unlimited));
  world.advance(10s);
  EXPECT_EQ(look(world, "slow").downtime, Duration(0)) << "it had not run before";
  slow.send(Break{"boom"});
  world.advance(500ms);
  EXPECT_EQ(look(world, "slow").downtime, Duration(500ms)) << "the present one counts";
  EXPECT_EQ(look(world, "slow").uptime, Duration(0));
  world.advance(10s);
  const Duration once = look(world, "slow").downtime;
  EXPECT_GE(once, Duration(2800ms));  // back-off of 1 s, spread by 20 %, and init
  EXPECT_LE(once, Duration(3200ms));
  EXPECT_EQ(look(world, "slow").restarts, 1U);
  world.advance(1h);
  EXPECT_EQ(look(world, "slow").downtime, once);
  slow.send(Break{"boom"});
  world.advance(10s);
  EXPECT_GE(look(world, "slow").downtime, once + Duration(2800ms));
  EXPECT_LE(look(world, "slow").downtime, once + Duration(3200ms));
  EXPECT_EQ(look(world, "slow").restarts, 2U);
}

TEST(L1, a_child_is_down_while_its_parent_is_and_keeps_count_in_the_place_that_is_taken_over) {
  sim::TestRuntime world;
  const auto top = world.spawn(
      child<Part>("top", Plan{.build = [](Context& cx) { cx.spawn<Part>("below", Plan{}); }}).backoff(1s, 1s));
  world.advance(1s);
  top.send(Break{"boom"});
  world.advance(5s);
  const Service above = look(world, "top");
  EXPECT_GE(above.downtime, Duration(800ms));
  EXPECT_LE(above.downtime, Duration(1200ms));
  EXPECT_EQ(above.children.at(0).downtime, above.downtime);
  EXPECT_EQ(above.children.at(0).restarts, 1U);
  EXPECT_EQ(above.children.at(0).last_error, "");
}

TEST(L1, an_init_that_fails_again_and_again_is_one_long_downtime) {
  int lives = 0;
  sim::TestRuntime world;
  const auto part = world.spawn(child<Part>("a", Plan{.build =
                                                          [&](Context&) {
                                                            if (++lives != 1 && lives < 5)
                                                              throw std::runtime_error("init");
                                                          }})
                                    .backoff(1s, 1s)
                                    .at_most(unlimited));
  world.advance(1s);
  part.send(Break{"boom"});
  world.advance(10s);
  const Service service = look(world, "a");
  EXPECT_EQ(service.status, Status::running);
  EXPECT_EQ(service.restarts, 4U);
  EXPECT_EQ(service.downtime + service.uptime, Duration(10s));
  EXPECT_EQ(service.last_error, "failed: std::runtime_error: init (in init)");
}

TEST(L1, the_text_of_the_tree_is_for_people) {
  sim::TestRuntime world;
  const auto top = world.spawn<Part>("top", Plan{.build = [](Context& cx) {
                                       cx.spawn<Part>("left", Plan{});
                                       cx.spawn<Part>("right", Plan{});
                                     }});
  world.advance(90s);
  top.send(Do{[](Context& cx) { cx.child<Part>("left").value().send(says(Status::degraded, "disconnected")); }});
  world.run();
  const std::string text = world.runtime().service_tree().text();
  EXPECT_NE(text.find("`- top  running (below: degraded)  life::Part  up=1.5min  handled=1\n"
                      "   |- left  degraded \"disconnected\"  life::Part  up=1.5min  handled=1\n"
                      "   `- right  running  life::Part  up=1.5min  handled=0\n"),
            std::string::npos)
      << text;
}

// -------------------------------------------------------------------------------------------------- the storm

/// The tree as the events alone tell it.
struct Oracle {
  struct Place {
    Status status = Status::starting;
    std::string word;
    std::uint32_t incarnation = 0;
    bool failed = false;  // and not begun anew
    std::string last_error;
    WallTime last_error_at{};
    bool has_run = false;
    std::optional<Instant> down_since;
    Duration downtime{0};
  };

  explicit Oracle(sim::TestRuntime& w)
      : world(w), subscription(w.runtime().events().subscribe([this](const Event& e) { std::visit(*this, e); })) {}

  void operator()(const DeadLetter&) {}
  void operator()(const Restarting&) {}
  void operator()(const Quarantined&) {}
  void operator()(const GaveUp&) {}
  void operator()(const Hog&) {}
  void operator()(const ActorFailed& e) {
    Place& place = places[e.path];
    place.failed = true;
    place.last_error = e.error.describe();
    place.last_error_at = world.runtime().environment().clock().wall();
    place.incarnation = e.incarnation;
  }
  void operator()(const StatusChanged& e) {
    Place& place = places[e.path];
    EXPECT_EQ(place.status, e.from) << e.path << ": no change was left out";
    place.status = e.to;
    place.word = e.word;
    place.incarnation = e.incarnation;
    switch (e.to) {
      case Status::starting: place.failed = false; break;
      case Status::stopping:
        if (place.has_run && !place.down_since) place.down_since = world.now();
        break;
      case Status::initializing:
      case Status::stopped: break;
      default:
        place.has_run = true;
        if (place.down_since) place.downtime += world.now() - *std::exchange(place.down_since, {});
    }
  }
  void operator()(const Ended& e) { places.erase(e.path); }

  void compare(const Service& service, const std::string& path) {
    ++compared;
    const auto found = places.find(path);
    // A place of which nothing has been told yet is starting.
    const Place place = found != places.end() ? found->second : Place{};
    EXPECT_TRUE(service.responding) << path;
    EXPECT_EQ(service.status, place.status) << path;
    EXPECT_EQ(service.word, place.word) << path;
    if (place.incarnation != 0) {
      EXPECT_EQ(service.incarnation, place.incarnation) << path;
      EXPECT_EQ(service.restarts, place.incarnation - 1) << path;
    }
    EXPECT_EQ(service.last_error, place.last_error) << path;
    EXPECT_EQ(service.last_error_at, place.last_error_at) << path;
    const Duration present = place.down_since ? world.now() - *place.down_since : Duration::zero();
    // One that is being stopped may be ending for good, which is no downtime; the events do not tell.
    const bool waits = place.status == Status::stopped && place.failed;
    if (waits || (place.status != Status::stopping && place.status != Status::stopped)) {
      EXPECT_EQ(service.downtime, place.downtime + present) << path;
    }
    Lines names;
    for (const Service& child : service.children) {
      names.push_back(path + "/" + child.name);
      compare(child, names.back());
    }
    // The roll-up. Only who states something graver or milder than running has stated it.
    const bool stated = place.status == Status::idle || place.status == Status::degraded ||
                        place.status == Status::maintenance || place.status == Status::outage;
    Status own = place.status;
    if (place.status == Status::stopped && place.failed) own = Status::outage;
    Status worst = own;
    for (const Service& child : service.children) {
      if (!stated && gravity(child.rolled_up) > gravity(worst)) worst = child.rolled_up;
    }
    // A failed place that is kept for its parent's next life does not count by itself; its parent does.
    if (service.status == Status::stopped && place.failed) {
      EXPECT_TRUE(service.rolled_up == worst || gravity(service.rolled_up) == 0) << path;
    } else {
      EXPECT_EQ(gravity(service.rolled_up), gravity(worst)) << path << " " << to_string(service.rolled_up);
    }
    // No place that was told of and has not ended is missing.
    for (const auto& [other, unused] : places) {
      if (!other.starts_with(path + "/") || other.find('/', path.size() + 1) != std::string::npos) continue;
      EXPECT_NE(std::find(names.begin(), names.end(), other), names.end()) << other << " is missing";
    }
  }

  sim::TestRuntime& world;
  std::map<std::string, Place> places;
  std::size_t compared = 0;
  Events::Subscription subscription;
};

struct Storm {
  Random* random;
  int depth;
};

/// Does something at random for each Say.
class Mad {
 public:
  explicit Mad(const Storm& storm) : storm_(storm) {
    if (one_in(40)) throw std::runtime_error("constructor");
  }
  Task<> init(Context& cx) {
    for (const char* name : {"a", "b", "c"}) {
      if (storm_.depth > 0 && !one_in(4)) cx.spawn(spec(name));
    }
    if (one_in(3)) co_await cx.sleep(some_time());
    if (one_in(15)) throw Need::fail(Error("init"));
  }
  Task<> handle(Say, Context& cx) {
    switch (storm_.random->below(12)) {
      case 0: throw Need::fail(Error(Errc::unavailable, "handler", Error("cause")));
      case 1: cx.stop(); break;
      case 2: cx.status(Status::degraded, one_in(2) ? "disconnected" : ""); break;
      case 3: cx.status(Status::maintenance, "sweeping"); break;
      case 4: cx.status(Status::outage); break;
      case 5: cx.status(Status::idle, "asleep"); break;
      case 6: co_await cx.sleep(some_time()); break;
      case 7: throw Need::stop();
      default:
        for (const char* name : {"a", "b", "c"}) {
          if (auto below = cx.child<Mad>(name)) below.value().send(Say{"down"});
        }
        if (storm_.depth > 0 && one_in(3)) {
          if (!cx.child<Mad>("d")) cx.spawn(spec("d"));
        }
    }
  }
  Task<> terminating(Context& cx) {
    if (one_in(5)) co_await cx.sleep(some_time());
  }

 private:
  bool one_in(std::uint64_t n) { return storm_.random->below(n) == 0; }
  Duration some_time() { return std::chrono::milliseconds(storm_.random->below(900)); }
  Child<Mad> spec(std::string_view name) {
    Child<Mad> out = child<Mad>(name, Storm{storm_.random, storm_.depth - 1}).backoff(50ms, 2s);
    if (one_in(4)) out = std::move(out).restart(Restart::always);
    if (one_in(4)) out = std::move(out).at_most(2, per(10s));
    return out;
  }
  Storm storm_;
};

class TreeInStorms : public testing::TestWithParam<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, TreeInStorms, testing::Range<std::uint64_t>(1, 41));

TEST_P(TreeInStorms, L1_the_tree_is_what_the_events_told_at_each_moment_of_the_storm) {
  Random random(GetParam());
  sim::TestRuntime world(sim::TestOptions{.seed = GetParam()});
  Oracle oracle(world);
  const auto top = world.spawn(child<Mad>("top", Storm{&random, 3}).at_most(unlimited));
  for (int round = 0; round < 60; ++round) {
    for (std::uint64_t n = random.below(6); n > 0; --n) top.send(Say{"go"});
    world.advance(std::chrono::milliseconds(random.below(400)));
    world.run();
    const ServiceTree tree = world.runtime().service_tree();
    for (const Service& service : tree.root.children) oracle.compare(service, "/" + service.name);
    if (HasFailure()) {
      FAIL() << "seed " << GetParam() << ", round " << round << "\n" << tree.text();
    }
    if (tree.root.children.empty()) break;
  }
  EXPECT_GT(oracle.compared, 0U);
}

}  // namespace
