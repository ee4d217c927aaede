// Who has neither a name nor a spec lives by shorter ways (ADR 0032). Nobody can tell: the same is done to actors with a name,
// without one, and without one while somebody listens to the Runtime's events, which is the long way but for the start.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "../src/actor/core.hpp"
#include "backstage/actor/actor.hpp"
#include "backstage/sim/test_runtime.hpp"

namespace {

using namespace backstage;
using namespace std::chrono_literals;

using Notes = std::vector<std::string>;

struct Say {
  int number;
};
struct End {};
struct Fail {};
struct Breed {};
struct Question {};

class Heir {
 public:
  explicit Heir(Notes* notes) : notes_(notes) {}
  void handle(Say say) { notes_->push_back("heir " + std::to_string(say.number)); }

 private:
  Notes* notes_;
};

enum class Init { plain, stops, sends_and_stops, fails_once, breeds_and_stops, states_idle, waits, waits_and_stops };

struct Means {
  Notes* notes = nullptr;
  Ref<Heir> heir{};      // is sent a message by the destructor
  int* fails = nullptr;  // so many constructors fail
  Init init = Init::plain;
};

class Fly {
 public:
  explicit Fly(const Means& means) : means_(means) {
    if (means_.fails != nullptr && *means_.fails > 0) {
      --*means_.fails;
      note("not made");
      throw std::runtime_error("no wings");
    }
    note("made");
  }
  Fly(const Fly&) = delete;
  Fly& operator=(const Fly&) = delete;
  ~Fly() {
    note("gone");
    means_.heir.send(Say{7});
  }
  void handle(Say say) { note("say " + std::to_string(say.number)); }
  void handle(End, Context& cx) {
    note("end");
    cx.stop();
  }
  void handle(Fail) {
    note("fail");
    throw std::runtime_error("fell");
  }
  void handle(Breed, Context& cx) {
    note("breed");
    cx.spawn<Fly>(unnamed, Means{.notes = means_.notes}).send(Say{100});
  }
  int handle(Question) { return 42; }

 protected:
  void note(const std::string& what) { means_.notes->push_back(what); }
  void begin(Context& cx) {
    note("init");
    switch (means_.init) {
      case Init::sends_and_stops: means_.heir.send(Say{5}); [[fallthrough]];
      case Init::waits_and_stops:
      case Init::stops: return cx.stop();
      case Init::fails_once:
        if (std::count(means_.notes->begin(), means_.notes->end(), "init") == 1) throw std::runtime_error("no air");
        return;
      case Init::breeds_and_stops:
        cx.spawn<Fly>(unnamed, Means{.notes = means_.notes}).send(Say{100});
        return cx.stop();
      case Init::states_idle: return cx.status(Status::idle);
      case Init::waits:
      case Init::plain: return;
    }
  }
  Means means_;
};
/// The same with a hook.
class Hatched : public Fly {
 public:
  using Fly::Fly;
  void init(Context& cx) { begin(cx); }
};
/// With one that may wait.
class Brooded : public Fly {
 public:
  using Fly::Fly;
  Task<> init(Context& cx) {
    if (means_.init == Init::waits || means_.init == Init::waits_and_stops) co_await cx.sleep(1s);
    begin(cx);
  }
};

/// What is done right after it was spawned, in the same message; and after all of that has come to rest.
template <class A>
struct ScriptOf {
  const char* name;
  std::function<void(Ref<A>, Runtime&)> at_once;
  std::function<void(Ref<A>, Runtime&)> later = [](Ref<A>, Runtime&) {};
  int failing_constructors = 0;
  Init init = Init::plain;
};
using Script = ScriptOf<Fly>;

template <class A>
struct PlayOf {
  const ScriptOf<A>* script;
  std::string name;
  Means means;
  Runtime* runtime;
};

template <class A>
class OwnerOf {
 public:
  void handle(const PlayOf<A>& play, Context& cx) {
    fly_ = cx.spawn<A>(play.name, play.means);
    play.script->at_once(fly_, *play.runtime);
  }
  Ref<A> handle(Question) { return fly_; }

 private:
  Ref<A> fly_;
};

struct Seen {
  Notes notes;
  MessageCounts counts;
  std::size_t alive;
};

enum class Way { unnamed, named, told };

template <class A>
Seen play(const ScriptOf<A>& script, Way way) {
  Seen seen;
  int fails = script.failing_constructors;
  {
    sim::TestRuntime world;
    Runtime& runtime = world.runtime();
    Events::Subscription subscription;
    if (way == Way::told) subscription = runtime.events().subscribe([](const Event&) {});
    const auto owner = world.spawn<OwnerOf<A>>("owner");
    const auto heir = world.spawn<Heir>("heir", &seen.notes);
    owner.send(
        PlayOf<A>{&script, way == Way::named ? "fly" : "", Means{&seen.notes, heir, &fails, script.init}, &runtime});
    world.run();
    world.advance(1min);  // back-offs of restarts
    const Ref<A> fly = world.ask<Question>(owner).value();
    script.later(fly, runtime);
    world.run();
    world.advance(1min);
    seen.counts = runtime.counts();
    seen.alive = runtime.core().live_cells();
  }
  return seen;
}

const Script scripts[] = {
    {"ends in its first message", [](Ref<Fly> fly, Runtime&) { fly.send(End{}); }},
    {"ends behind another",
     [](Ref<Fly> fly, Runtime&) {
       fly.send(Say{1});
       fly.send(End{});
       fly.send(Say{2});
     }},
    {"is sent to when it has ended", [](Ref<Fly> fly, Runtime&) { fly.send(End{}); },
     [](Ref<Fly> fly, Runtime&) { fly.send(Say{3}); }},
    {"rests, and ends later", [](Ref<Fly> fly, Runtime&) { fly.send(Say{1}); },
     [](Ref<Fly> fly, Runtime&) { fly.send(End{}); }},
    {"is sent nothing, and is stopped later", [](Ref<Fly>, Runtime&) {},
     [](Ref<Fly> fly, Runtime& runtime) { runtime.stop(fly); }},
    {"is stopped before it has handled anything",
     [](Ref<Fly> fly, Runtime& runtime) {
       fly.send(Say{1});
       runtime.stop(fly);
       fly.send(Say{2});
     }},
    {"is killed before it has handled anything",
     [](Ref<Fly> fly, Runtime& runtime) {
       fly.send(Say{1});
       runtime.kill(fly);
     }},
    {"fails in its first message",
     [](Ref<Fly> fly, Runtime&) {
       fly.send(Fail{});
       fly.send(Say{1});
     },
     [](Ref<Fly> fly, Runtime&) { fly.send(End{}); }},
    {"fails in its second message",
     [](Ref<Fly> fly, Runtime&) {
       fly.send(Say{1});
       fly.send(Fail{});
       fly.send(Say{2});
       fly.send(End{});
     }},
    {"cannot be made the first time", [](Ref<Fly> fly, Runtime&) { fly.send(Say{1}); },
     [](Ref<Fly> fly, Runtime&) { fly.send(End{}); }, 1},
    {"cannot be made at all", [](Ref<Fly> fly, Runtime&) { fly.send(Say{1}); },
     [](Ref<Fly> fly, Runtime&) { fly.send(Say{2}); }, 1'000},
    {"breeds, and ends",
     [](Ref<Fly> fly, Runtime&) {
       fly.send(Breed{});
       fly.send(End{});
     }},
    {"breeds, rests, and is stopped", [](Ref<Fly> fly, Runtime&) { fly.send(Breed{}); },
     [](Ref<Fly> fly, Runtime& runtime) { runtime.stop(fly); }},
    {"is suspended before it has handled anything",
     [](Ref<Fly> fly, Runtime& runtime) {
       runtime.suspend(fly);
       fly.send(Say{1});
     },
     [](Ref<Fly> fly, Runtime& runtime) {
       fly.send(End{});
       runtime.resume(fly);
     }},
    {"is restarted by order before it has handled anything",
     [](Ref<Fly> fly, Runtime& runtime) {
       runtime.restart(fly);
       fly.send(Say{1});
     },
     [](Ref<Fly> fly, Runtime&) { fly.send(End{}); }},
};

std::ostream& operator<<(std::ostream& out, const Script& script) { return out << script.name; }

class ShortLives : public testing::TestWithParam<Script> {};

template <class A>
void expect_alike(const ScriptOf<A>& script) {
  const Seen named = play(script, Way::named);
  for (const Way way : {Way::unnamed, Way::told}) {
    const Seen other = play(script, way);
    EXPECT_EQ(other.notes, named.notes);
    EXPECT_EQ(other.counts.sent, named.counts.sent);
    EXPECT_EQ(other.counts.handled, named.counts.handled);
    for (std::size_t i = 0; i < undelivered_kinds; ++i) {
      EXPECT_EQ(other.counts.undelivered[i], named.counts.undelivered[i]) << "kind " << i;
    }
    EXPECT_EQ(other.alive, named.alive);
  }
  EXPECT_FALSE(named.notes.empty());
}
TEST_P(ShortLives, L1_are_like_long_ones) { expect_alike(GetParam()); }

INSTANTIATE_TEST_SUITE_P(All, ShortLives, testing::ValuesIn(scripts));

class ShortInits : public testing::TestWithParam<Init> {};

template <class A>
void expect_inits_alike(Init init) {
  const auto early = [](Ref<A> fly, Runtime&) { fly.send(Say{1}); };
  expect_alike(ScriptOf<A>{"is sent to", early, [](Ref<A> fly, Runtime&) { fly.send(End{}); }, 0, init});
  expect_alike(ScriptOf<A>{"is sent nothing", [](Ref<A>, Runtime&) {},
                           [](Ref<A> fly, Runtime& runtime) { runtime.stop(fly); }, 0, init});
  expect_alike(ScriptOf<A>{"is stopped at once", [](Ref<A> fly, Runtime& runtime) { runtime.stop(fly); },
                           [](Ref<A> fly, Runtime&) { fly.send(Say{2}); }, 0, init});
  expect_alike(ScriptOf<A>{"is killed at once", [](Ref<A> fly, Runtime& runtime) { runtime.kill(fly); },
                           [](Ref<A> fly, Runtime&) { fly.send(Say{2}); }, 0, init});
  expect_alike(ScriptOf<A>{"is suspended at once",
                           [](Ref<A> fly, Runtime& runtime) {
                             runtime.suspend(fly);
                             fly.send(Say{1});
                           },
                           [](Ref<A> fly, Runtime& runtime) { runtime.resume(fly); }, 0, init});
}
TEST_P(ShortInits, L1_are_like_long_ones) {
  if (GetParam() != Init::waits && GetParam() != Init::waits_and_stops) expect_inits_alike<Hatched>(GetParam());
  expect_inits_alike<Brooded>(GetParam());
}
INSTANTIATE_TEST_SUITE_P(All, ShortInits,
                         testing::Values(Init::plain, Init::stops, Init::sends_and_stops, Init::fails_once,
                                         Init::breeds_and_stops, Init::states_idle, Init::waits,
                                         Init::waits_and_stops));

TEST(ShortInits, L1_who_stops_in_its_init_handles_what_was_queued_and_keeps_the_order_of_what_it_sends) {
  const ScriptOf<Hatched> script{"", [](Ref<Hatched> fly, Runtime&) { fly.send(Say{1}); },
                                 [](Ref<Hatched>, Runtime&) {}, 0, Init::sends_and_stops};
  EXPECT_EQ(play(script, Way::unnamed).notes, (Notes{"made", "init", "say 1", "gone", "heir 5", "heir 7"}));
}
TEST(ShortInits, L1_a_status_that_init_said_is_kept_by_the_short_way_too) {
  for (const char* const name : {"fly", ""}) {
    Notes notes;
    sim::TestRuntime world;
    const auto owner = world.spawn<OwnerOf<Hatched>>("owner");
    const ScriptOf<Hatched> script{"", [](Ref<Hatched>, Runtime&) {}};
    owner.send(PlayOf<Hatched>{&script, name, Means{&notes, {}, nullptr, Init::states_idle}, &world.runtime()});
    const Ref<Hatched> fly = world.ask<Question>(owner).value();
    EXPECT_EQ(detail::RefAccess::cell(fly)->status.load(), Status::idle) << "'" << name << "'";
  }
}

const Script& script(std::string_view name) {
  return *std::find_if(std::begin(scripts), std::end(scripts),
                       [name](const Script& one) { return one.name == name; });
}

// What the scripts say, for two of them, so that the three ways are not wrong together.
TEST(ShortLives, L4_end_when_what_was_queued_is_handled_and_their_places_are_free_then) {
  const Seen seen = play(script("ends behind another"), Way::unnamed);
  EXPECT_EQ(seen.notes, (Notes{"made", "say 1", "end", "say 2", "gone", "heir 7"}));
  EXPECT_EQ(seen.alive, play(script("ends in its first message"), Way::named).alive);
}
TEST(ShortLives, L1_begin_anew_when_they_fail_with_what_was_queued) {
  const Seen seen = play(script("fails in its second message"), Way::unnamed);
  EXPECT_EQ(seen.notes, (Notes{"made", "say 1", "fail", "gone", "made", "say 2", "end", "gone", "heir 7", "heir 7"}));
}

TEST(ShortLives, inherit_the_scheduling_group_as_long_ones_do) {
  for (const char* const name : {"fly", ""}) {
    Notes notes;
    sim::TestRuntime world;
    const auto owner = world.spawn<OwnerOf<Fly>>("owner");
    world.run();
    detail::RefAccess::cell(owner)->scheduling_group = 3;
    owner.send(PlayOf<Fly>{&script("rests, and ends later"), name, Means{&notes}, &world.runtime()});
    const Ref<Fly> fly = world.ask<Question>(owner).value();
    EXPECT_EQ(detail::RefAccess::cell(fly)->scheduling_group, 3) << "'" << name << "'";
  }
}

}  // namespace
