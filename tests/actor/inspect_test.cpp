// M3, L4: any actor can be looked into past its mailbox, and a stop that was not clean says who was left with what.
#include <algorithm>
#include <optional>
#include <vector>

#include "life_support.hpp"

// Named: what is anonymous is spelt differently by each compiler.
namespace looks {

using namespace life;

/// Looks from outside.
Inspection look_into(sim::TestRuntime& world, const auto& actor) {
  const Result<Inspection> seen = world.runtime().inspect(actor).within(1s);
  EXPECT_TRUE(seen.has_value()) << seen.error().describe();
  return seen ? seen.value() : Inspection();
}

struct Get {
  using reply = int;
};
struct Fetch {};
struct Push {};
struct Work {};
struct Both {};
struct Aside {};

/// Answers when it is told to.
struct Store {
  void handle(Get, Reply<int> reply) { replies.push_back(std::move(reply)); }
  void handle(Say) {}
  Task<> handle(Nap nap, Context& cx) { co_await cx.sleep(nap.d); }
  std::vector<Reply<int>> replies;
};

/// Waits in each of the ways there are.
struct Waiter {
  Ref<Store> store;
  explicit Waiter(Ref<Store> s) : store(s) {}
  Task<> handle(Fetch) { (void)co_await store.ask<Get>().within(10s); }
  Task<> handle(Push) {
    Say say{"x"};
    (void)co_await store.send_wait(moved(say)).within(10s);
  }
  Task<> handle(Nap nap, Context& cx) { co_await cx.sleep(nap.d); }
  Task<> handle(Both, Context& cx) { (void)co_await when_any(store.ask<Get>().within(10s), cx.sleep(5s)); }
  Interleaved<void> handle(Aside) { (void)co_await store.ask<Get>().within(10s); }
  void handle(Say) {}
};

/// "ask Get to /store since 3s, 7s left", of each wait.
Lines waits_in(const Inspection& seen) {
  Lines lines;
  for (const Waiting& one : seen.waits) {
    lines.push_back(one.work + ": " + one.on + ", " + to_string(one.since) +
                    (one.left == Duration::max() ? "" : ", " + to_string(one.left)));
  }
  return lines;
}

TEST(M3, an_inspection_tells_who_an_actor_is_and_how_it_fares) {
  sim::TestRuntime world;
  const auto part = world.spawn(child<Part>("a", Plan{.build =
                                                          [](Context& cx) {
                                                            cx.spawn<Part>("left", Plan{});
                                                            cx.spawn<Part>("right", Plan{});
                                                            cx.send_every(1h, Ref<Part>(), Say{"tick"});
                                                          }})
                                    .mailbox(bounded(7)));
  world.advance(3s);
  part.send(Say{"one"});
  world.run();
  part.send(Do{[](Context& cx) { cx.status(Status::degraded, "disconnected"); }});
  world.run();
  const Inspection seen = look_into(world, part);
  EXPECT_EQ(seen.path, "/a");
  EXPECT_EQ(seen.type, "life::Part");
  EXPECT_TRUE(seen.responding);
  EXPECT_EQ(seen.phase, "running");
  EXPECT_EQ(seen.status, Status::degraded);
  EXPECT_EQ(seen.word, "disconnected");
  EXPECT_FALSE(seen.suspended);
  EXPECT_EQ(seen.incarnation, 1U);
  EXPECT_EQ(seen.uptime, Duration(3s));
  EXPECT_EQ(seen.mailbox, 0U);
  EXPECT_EQ(seen.mailbox_bound, 7U);
  EXPECT_EQ(seen.handled, 2U);
  EXPECT_EQ(seen.timers, 1U);
  EXPECT_EQ(seen.children, 2U);
  EXPECT_EQ(seen.child_names, (std::vector<std::string>{"left", "right"}));
  EXPECT_TRUE(seen.waits.empty());
  EXPECT_TRUE(seen.handling.empty());
  EXPECT_TRUE(seen.state.empty());
}

TEST(M3, an_inspection_tells_what_each_coroutine_waits_for) {
  sim::TestRuntime world;
  const auto store = world.spawn(child<Store>("store").mailbox(bounded(1)));
  const auto waiter = world.spawn<Waiter>("waiter", store);
  waiter.send(Aside{});
  world.run();
  waiter.send(Fetch{});
  world.advance(3s);
  EXPECT_EQ(waits_in(look_into(world, waiter)), (Lines{"looks::Aside: ask looks::Get to /store, 3s, 7s",
                                                       "looks::Fetch: ask looks::Get to /store, 3s, 7s"}));
  EXPECT_EQ(look_into(world, waiter).handling, "looks::Fetch");
  EXPECT_EQ(look_into(world, waiter).handling_since, Duration(3s));
  world.advance(8s);
  EXPECT_TRUE(look_into(world, waiter).waits.empty());

  store.send(Nap{1h});
  world.run();
  store.send(Say{"fills it"});
  waiter.send(Push{});
  world.advance(2s);
  EXPECT_EQ(waits_in(look_into(world, waiter)),
            (Lines{"looks::Push: room in the mailbox of /store for life::Say, 2s, 8s"}));
  world.advance(9s);

  waiter.send(Nap{5s});
  world.advance(1s);
  EXPECT_EQ(waits_in(look_into(world, waiter)), (Lines{"life::Nap: sleep of 5s, 1s, 4s"}));
  world.advance(9s);

  const auto other = world.spawn<Waiter>("other", world.spawn<Store>("roomy"));
  other.send(Both{});
  world.advance(1s);
  Lines both = waits_in(look_into(world, other));
  std::sort(both.begin(), both.end());
  EXPECT_EQ(both, (Lines{"looks::Both: ask looks::Get to /roomy, 1s, 9s", "looks::Both: sleep of 5s, 1s, 4s"}));
}

struct Blocks {
  Task<> handle(Work, Context& cx) {
    auto work = [] {};
    (void)co_await cx.blocking(moved(work)).within(5s);
  }
  Task<> handle(Aside, Context& cx) { co_await cx.yield(); }
};
struct Loop {
  Task<> event_loop(Context& cx, Inbox<Say, Nap>& inbox) {
    while (auto event = co_await inbox.next()) {
      if (const auto* nap = std::get_if<Nap>(&*event)) co_await cx.sleep(nap->d);
    }
  }
};
struct Starts {
  Task<> init(Context& cx) {
    auto spec = child<Part>("slow", Plan{.init = [](Context& below) -> Task<> { co_await below.sleep(1h); }});
    (void)co_await cx.start(spec).within(10s);
  }
};

TEST(M3, an_inspection_knows_each_kind_of_wait) {
  sim::TestRuntime world;
  const auto starts = world.spawn<Starts>("starts");
  const auto loop = world.spawn<Loop>("loop");
  world.advance(1s);
  EXPECT_EQ(waits_in(look_into(world, starts)), (Lines{"init: the start of 'slow', 1s, 9s"}));
  EXPECT_EQ(look_into(world, starts).phase, "initializing");
  EXPECT_EQ(look_into(world, starts).handling, "init");
  EXPECT_EQ(waits_in(look_into(world, loop)), (Lines{"event_loop: its next message, 0s"}));
  EXPECT_EQ(look_into(world, loop).handling, "");
  loop.send(Nap{4s});
  world.advance(1s);
  EXPECT_EQ(waits_in(look_into(world, loop)), (Lines{"event_loop: sleep of 4s, 1s, 3s"}));
  EXPECT_EQ(look_into(world, loop).handling, "event_loop");
}

/// Looks into another actor from inside.
struct Looker {
  Journal* journal;
  explicit Looker(Journal* j) : journal(j) {}
  template <class A>
  struct Look {
    Ref<A> at;
  };
  Task<> handle(Look<Part> look, Context& cx) {
    const Result<Inspection> seen = co_await cx.inspect(look.at).within(1s);
    journal->note(seen ? seen.value().path + " " + seen.value().handling : seen.error().describe());
  }
  Task<> handle(Look<Blocks> look, Context& cx) {
    const Result<Inspection> seen = co_await cx.inspect(look.at).within(1s);
    for (const Waiting& one : seen.value().waits) journal->note(one.on);
  }
  Task<> handle(Quit, Context& cx) {
    const Result<Inspection> seen = co_await cx.inspect(cx.self(this)).within(1s);
    journal->note(seen.value().waits.at(0).on);
  }
};

TEST(M3, an_inspection_lists_who_watches_whom) {
  sim::TestRuntime world;
  const auto target = world.spawn<Store>("target");
  const auto linked = world.spawn<Store>("linked");
  struct Watcher {
    Ref<Store> target, linked;
    Watcher(Ref<Store> t, Ref<Store> l) : target(t), linked(l) {}
    void init(Context& cx) {
      (void)cx.monitor(target, cx.self(this));
      (void)cx.watch_status(target, cx.self(this));
      cx.link(linked);
    }
    void handle(const Down&) {}
    void handle(const StatusChanged&) {}
  };
  const auto watcher = world.spawn<Watcher>("watcher", target, linked);
  auto outside = world.runtime().monitor(target);
  world.run();
  const auto lines = [](const std::vector<Watched>& list) {
    Lines out;
    for (const Watched& one : list) out.push_back(one.how + " " + one.who);
    return out;
  };
  const Inspection mine = look_into(world, watcher);
  EXPECT_EQ(lines(mine.watches), (Lines{"status /target", "monitor /target", "link /linked"}));
  EXPECT_EQ(lines(mine.watched_by), Lines{});
  EXPECT_NE(mine.text().find("  watches /target (monitor)\n"), std::string::npos);
  EXPECT_EQ(lines(look_into(world, target).watched_by),
            (Lines{"monitor /watcher", "monitor a thread outside", "status /watcher"}));
  EXPECT_EQ(lines(look_into(world, linked).watched_by), (Lines{"link /watcher"}));
  outside.cancel();
  world.runtime().stop(watcher);
  world.run();
  EXPECT_EQ(lines(look_into(world, target).watched_by), Lines{});
}

TEST(M3, an_actor_inspects_another_one_and_itself) {
  Journal journal;
  sim::TestRuntime world;
  const auto looker = world.spawn<Looker>("looker", &journal);
  const auto part = world.spawn<Part>("a", Plan{});
  part.send(Nap{1h});
  world.run();
  looker.send(Looker::Look<Part>{part});
  looker.send(Quit{});
  world.run();
  EXPECT_EQ(journal.take(), (Lines{"/a life::Nap", "the inspection of /looker"}));
}

TEST(M3, blocking_work_under_way_is_named) {
  Journal journal;
  sim::TestRuntime world;
  const auto looker = world.spawn<Looker>("looker", &journal);
  const auto blocks = world.spawn<Blocks>("blocks");
  world.run();
  blocks.send(Work{});
  looker.send(Looker::Look<Blocks>{blocks});
  world.run();
  EXPECT_EQ(journal.take(), (Lines{"blocking work"}));
}

TEST(M3, an_actor_with_a_full_mailbox_and_a_waiting_handler_still_answers_an_inspection) {
  sim::TestRuntime world;
  for (const Mailbox box : {Mailbox(bounded(2)), Mailbox(bounded(2).drop_oldest())}) {
    const auto part = world.spawn(child<Part>(unnamed, Plan{}).mailbox(box));
    part.send(Nap{1h});
    world.run();
    for (int i = 0; i < 5; ++i) part.send(Say{"x"});
    const Inspection seen = look_into(world, part);
    EXPECT_TRUE(seen.responding);
    EXPECT_EQ(seen.mailbox, 2U);
    EXPECT_EQ(seen.mailbox_bound, 2U);
    EXPECT_EQ(seen.handling, "life::Nap");
  }
}

TEST(M3, what_has_ended_and_what_never_was_is_gone) {
  sim::TestRuntime world;
  const auto part = world.spawn<Part>("a", Plan{});
  world.runtime().stop(part);
  world.run();
  for (const Ref<Part>& ref : {part, Ref<Part>()}) {
    const Result<Inspection> seen = world.runtime().inspect(ref).within(1s);
    ASSERT_FALSE(seen.has_value());
    EXPECT_EQ(seen.error().code(), Errc::gone);
  }
  Journal journal;
  const auto looker = world.spawn<Looker>("looker", &journal);
  looker.send(Looker::Look<Part>{part});
  looker.send(Looker::Look<Part>{});
  world.run();
  const Lines lines = journal.take();
  ASSERT_EQ(lines.size(), 2U);
  for (const std::string& line : lines) EXPECT_TRUE(line.starts_with("gone: ")) << line;
}

TEST(M3, an_actor_that_waits_for_its_restart_can_be_inspected) {
  sim::TestRuntime world;
  const auto top = world.spawn<Part>(
      "top", Plan{.build = [](Context& cx) { cx.spawn(child<Part>("below", Plan{}).backoff(1s, 1s)); }});
  world.run();
  Ref<Part> below;
  top.send(Do{[&](Context& cx) { below = cx.child<Part>("below").value(); }});
  world.run();
  below.send(Break{"boom"});
  below.send(Say{"waits"});
  world.run();
  const Inspection failed = look_into(world, below);
  EXPECT_EQ(failed.phase, "failed: waits for its restart");
  EXPECT_EQ(failed.mailbox, 1U);
  EXPECT_EQ(failed.last_error, "failed: std::runtime_error: boom (in life::Break)");
  top.send(Break{"boom"});
  world.run();
  const Inspection kept = look_into(world, below);
  EXPECT_EQ(kept.phase, "kept: waits for its supervisor's restart");
  EXPECT_EQ(kept.path, "/top/below");
  EXPECT_EQ(kept.type, "life::Part");
}

struct Describing {
  explicit Describing(std::function<std::string()> how) : how_(std::move(how)) {}
  void handle(Say) {}
  Task<> handle(Nap nap, Context& cx) { co_await cx.sleep(nap.d); }
  std::string describe() const { return how_(); }

 private:
  std::function<std::string()> how_;
};

TEST(M3, what_an_actor_says_of_its_state_is_part_of_the_inspection_and_is_bounded) {
  sim::TestRuntime world;
  const auto says = [&world](std::function<std::string()> how) {
    const auto one = world.spawn<Describing>("", std::move(how));
    one.send(Nap{1h});
    world.run();
    return look_into(world, one).state;
  };
  EXPECT_EQ(says([] { return std::string("3 accounts open"); }), "3 accounts open");
  EXPECT_EQ(says([]() -> std::string { throw std::runtime_error("no words"); }),
            "describe() threw std::runtime_error: no words");
  const std::string huge = says([] { return std::string(1'000'000, 'x'); });
  EXPECT_EQ(huge.size(), max_description);
  EXPECT_TRUE(huge.ends_with("..."));
  // A character of two bytes is not cut in half.
  std::string accents;
  for (int i = 0; i < 3'000; ++i) accents += "\xc3\xa9";
  const std::string cut = says([accents] { return accents; });
  EXPECT_EQ(cut, accents.substr(0, cut.size() - 3) + "...");
  EXPECT_EQ((cut.size() - 3) % 2, 0U);
}

TEST(M3, an_inspection_as_text_is_lines_for_people_without_control_characters) {
  sim::TestRuntime world;
  const auto one = world.spawn<Describing>("one", [] { return std::string("two\nlines\x1b[31m"); });
  one.send(Nap{12s});
  world.advance(2s);
  one.send(Say{"x"});
  EXPECT_EQ(look_into(world, one).text(),
            "/one  looks::Describing  running\n"
            "  phase: running, life 1, up 2s\n"
            "  mailbox: 1 of 65536, 1 handled\n"
            "  handling: life::Nap since 2s\n"
            "  life::Nap waits for sleep of 12s since 2s, 10s left\n"
            "  state: two lines [31m\n");
}

TEST(M3, an_inspection_from_within_an_actor_by_the_blocking_way_is_refused) {
  sim::TestRuntime world;
  const auto part = world.spawn<Part>("a", Plan{});
  std::optional<Errc> code;
  part.send(Do{[&](Context&) { code = world.runtime().inspect(part).within(1s).error().code(); }});
  world.run();
  EXPECT_EQ(code, Errc::invalid);
}

TEST(L4, what_is_still_alive_at_the_deadline_is_logged_as_a_tree_with_what_each_waits_for) {
  sim::TestRuntime world;
  const auto store = world.spawn<Store>("store");
  const auto waiter = world.spawn<Waiter>("waiter", store);
  const auto top = world.spawn<Part>("top", Plan{.build = [](Context& cx) { cx.spawn<Part>("below", Plan{}); }});
  world.run();
  waiter.send(Fetch{});
  top.send(Do{[](Context& cx) { cx.child<Part>("below").value().send(Nap{1h}); }});
  world.advance(3s);
  EXPECT_TRUE(world.runtime().still_alive().root.type.empty());
  const Result<> end = world.runtime().shutdown(1s);
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code(), Errc::timeout);
  EXPECT_TRUE(end.error().text().starts_with(
      "everything stopped, but not in order within 1s: these were ended where they waited: /waiter ("))
      << end.error().text();
  EXPECT_TRUE(end.error().text().ends_with("; /top/below (life::Nap waits for sleep of 1h since 3s)"));
  Lines told;
  for (const auto& record : world.log().entries()) {
    if (record.text == "still alive") told.push_back(record.where + ": " + std::string(record.field("waits")));
  }
  // The youngest is stopped first: the others have not been told yet.
  EXPECT_EQ(told, (Lines{"/store: ",
                         "/waiter: looks::Fetch waits for ask looks::Get "
                         "to /store since 3s",
                         "/top: ", "/top/below: life::Nap waits for sleep of 1h since 3s"}));
  const ServiceTree& alive = world.runtime().still_alive();
  ASSERT_EQ(alive.root.children.size(), 3U);
  EXPECT_EQ(alive.root.children[1].waits.size(), 1U);
  EXPECT_NE(alive.text().find("life::Nap waits for sleep of 1h since 3s\n"), std::string::npos) << alive.text();
}

TEST(L4, a_clean_stop_leaves_nothing_to_tell) {
  sim::TestRuntime world;
  world.spawn<Store>("store");
  world.run();
  EXPECT_TRUE(world.runtime().shutdown(1s).has_value());
  EXPECT_TRUE(world.runtime().still_alive().root.type.empty());
  EXPECT_EQ(world.log().count("still alive"), 0U);
}

}  // namespace looks
