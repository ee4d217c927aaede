// L2: a Ref names a place. What the place keeps through restarts of its actor and of its parent, and when it closes.
#include "life_support.hpp"

namespace {

using namespace life;

/// A parent whose children are as `build` says, which may look at cx.incarnation().
Plan building(std::function<void(Context&)> build, Journal* journal = nullptr) {
  return Plan{.journal = journal, .build = [build](Context& cx) { build(cx); }};
}

Ref<Part> child_of(sim::TestRuntime& world, const Ref<Part>& parent, std::string name) {
  Ref<Part> found;
  parent.send(Do{[&](Context& cx) { found = cx.child<Part>(name).value(); }});
  world.run();
  return found;
}

TEST(L2, a_place_keeps_its_mailbox_and_its_refs_through_restarts) {
  Journal journal;
  sim::TestRuntime world;
  const auto part = world.spawn(child<Part>("a", Plan{.journal = &journal}).at_most(unlimited));
  for (int i = 0; i < 20; ++i) {
    part.send(Break{"boom"});
    part.send(Say{std::to_string(i)});
  }
  world.advance(1h);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(journal.count("a " + std::to_string(i)), 1U);
  EXPECT_EQ(world.ask<Lives>(part).value(), 21U);
}

TEST(L2, a_restarted_parents_children_take_their_old_places_over_with_all_that_is_queued) {
  Journal journal;
  sim::TestRuntime world;
  Journal* const j = &journal;
  const auto top = world.spawn<Part>(
      "top", building([j](Context& cx) {
        cx.spawn<Part>("c", building([j](Context& below) { below.spawn<Part>("g", Plan{.journal = j}); }, j));
      }));
  world.run();
  const auto c = child_of(world, top, "c");
  const auto g = child_of(world, c, "g");
  g.send(Nap{1h});
  c.send(Nap{1h});
  world.run();
  c.send(Say{"queued for c"});
  g.send(Say{"queued for g"});
  auto asked = world.runtime().ask<Lives>(g).polled_within(1h);
  top.send(Break{"boom"});
  world.run();
  EXPECT_EQ(journal.count("g frame gone"), 1U) << "the older life is over";
  c.send(Say{"while away"});
  world.advance(1s);
  EXPECT_EQ(journal.count("c queued for c"), 1U);
  EXPECT_EQ(journal.count("c while away"), 1U);
  EXPECT_EQ(journal.count("g queued for g"), 1U);
  EXPECT_EQ(asked.poll()->value(), 2U);
  EXPECT_EQ(world.ask<Lives>(c).value(), 2U);
  EXPECT_EQ(child_of(world, top, "c"), c);
  EXPECT_EQ(child_of(world, c, "g"), g);
}

struct Other {
  void handle(Say) {}
};

TEST(L2, another_type_or_nobody_under_the_old_name_closes_the_place_for_good_and_asks_fail_at_once) {
  Journal journal;
  sim::TestRuntime world;
  Journal* const j = &journal;
  const auto top = world.spawn<Part>(
      "top", building([j](Context& cx) {
        if (cx.incarnation() == 1) {
          cx.spawn<Part>("typed", building([j](Context& below) { below.spawn<Part>("g", Plan{.journal = j}); }));
          cx.spawn<Part>("dropped", Plan{});
          cx.spawn<Part>(unnamed, Plan{});
        } else {
          cx.spawn<Other>("typed");
        }
      }));
  world.run();
  const auto typed = child_of(world, top, "typed");
  const auto dropped = child_of(world, top, "dropped");
  const auto g = child_of(world, typed, "g");
  dropped.send(Nap{1h});
  world.run();
  auto queued = world.runtime().ask<Lives>(dropped).polled_within(1h);
  top.send(Break{"boom"});
  world.run();
  EXPECT_FALSE(queued.poll()) << "until the parent's next init has decided";
  world.advance(1s);
  ASSERT_TRUE(queued.poll().has_value());
  for (const auto& gone : {typed, dropped, g}) {
    auto late = world.runtime().ask<Lives>(gone).polled_within(1h);
    world.run();
    EXPECT_EQ(late.poll()->error().code(), Errc::gone);
  }
  EXPECT_EQ(world.runtime().actors(), 3U);  // the root, top, the new "typed"
}

TEST(L2, the_place_of_a_child_that_failed_its_parent_is_taken_over_too) {
  Journal journal;
  sim::TestRuntime world;
  Journal* const j = &journal;
  const auto top = world.spawn<Part>(
      "top", building([j](Context& cx) { cx.spawn(child<Part>("c", Plan{.journal = j}).at_most(0, per(1s))); }));
  world.run();
  const auto c = child_of(world, top, "c");
  c.send(Break{"boom"});
  c.send(Say{"survives"});
  world.advance(1s);
  EXPECT_EQ(journal.count("c survives"), 1U);
  EXPECT_EQ(world.ask<Lives>(c).value(), 2U);
  EXPECT_EQ(world.ask<Lives>(top).value(), 2U);
}

TEST(L2, a_parent_that_fails_for_good_takes_the_kept_places_with_it) {
  sim::TestRuntime world;
  const auto blocks = world.runtime().memory().live_blocks;
  const auto top =
      world.spawn(child<Part>("top", building([](Context& cx) {
                                cx.spawn<Part>("c", building([](Context& below) { below.spawn<Part>("g", Plan{}); }));
                              }))
                      .restart(Restart::never));
  const auto c = child_of(world, top, "c");
  const auto g = child_of(world, c, "g");
  g.send(Nap{1h});
  world.run();
  g.send(Say{"never handled"});
  top.send(Break{"boom"});
  world.run();
  EXPECT_EQ(world.runtime().counts().count(Undelivered::ended), 1U);
  expect_nothing_left(world, blocks);
}

TEST(L2, a_parent_stopped_while_it_ends_by_a_failure_takes_the_kept_places_with_it) {
  sim::TestRuntime world;
  const auto blocks = world.runtime().memory().live_blocks;
  Plan plan = building([](Context& cx) { cx.spawn<Part>("c", Plan{}); });
  plan.end = [](Context& cx) -> Task<> { co_await cx.sleep(500ms); };
  const auto top = world.spawn<Part>("top", plan);
  top.send(Break{"boom"});
  world.advance(100ms);  // terminating, with the child's place kept
  world.runtime().stop(top);
  world.advance(1s);
  expect_nothing_left(world, blocks);
}

TEST(L2, a_stop_given_to_a_place_between_two_lives_is_not_forgotten) {
  Journal journal;
  sim::TestRuntime world;
  Journal* const j = &journal;
  const auto top = world.spawn(
      child<Part>("top", building([j](Context& cx) { cx.spawn<Part>("c", Plan{.journal = j}); })).backoff(1s, 1s));
  const auto c = child_of(world, top, "c");
  top.send(Break{"boom"});
  world.run();
  world.runtime().stop(c);
  world.advance(10s);
  EXPECT_EQ(journal.count("c init"), 1U);
  EXPECT_EQ(world.ask<Lives>(top).value(), 2U);
  EXPECT_EQ(world.runtime().actors(), 2U);
}

TEST(L2, a_place_taken_over_is_the_last_in_start_order) {
  Journal journal;
  sim::TestRuntime world;
  Journal* const j = &journal;
  const auto top = world.spawn<Part>("top", building([j](Context& cx) {
                                       const bool first = cx.incarnation() == 1;
                                       for (const char* name : {first ? "a" : "c", "b", first ? "c" : "a"})
                                         cx.spawn<Part>(name, Plan{.journal = j});
                                     }));
  top.send(Break{"boom"});
  world.advance(1s);
  (void)journal.take();
  world.runtime().stop(top);
  world.run();
  EXPECT_EQ(journal.take(), (Lines{"a terminating ok", "a destroyed", "b terminating ok", "b destroyed",
                                   "c terminating ok", "c destroyed"}));
}

TEST(L2, a_ref_to_a_closed_place_never_reaches_the_next_owner_of_its_memory) {
  Journal journal;
  sim::TestRuntime world;
  std::vector<Ref<Part>> old;
  for (int i = 0; i < 50; ++i) {
    old.push_back(world.spawn<Part>("x" + std::to_string(i), Plan{}));
    world.run();
    world.runtime().stop(old.back());
    world.run();
  }
  const auto fresh = world.spawn<Part>("fresh", Plan{.journal = &journal});
  world.run();
  for (const auto& ref : old) {
    EXPECT_NE(ref, fresh);
    ref.send(Say{"late"});
    world.runtime().stop(ref);
  }
  world.run();
  EXPECT_EQ(journal.take(), (Lines{"fresh init"}));
  EXPECT_EQ(world.runtime().counts().count(Undelivered::gone), 50U);
  EXPECT_EQ(world.ask<Lives>(fresh).value(), 1U);
}

TEST(L2, a_sibling_found_while_it_ends_is_not_taken_for_the_next_owner_of_its_memory) {
  sim::TestRuntime world;
  const auto ending = world.spawn<Part>("ending", Plan{});
  const auto looker = world.spawn<Part>("looker", Plan{});
  world.run();
  Ref<Part> found;
  ending.send(Quit{});
  looker.send(Do{[&](Context& cx) {
    if (auto sibling = cx.sibling<Part>("ending")) found = sibling.value();
  }});
  world.run();
  EXPECT_TRUE(!found || found == ending);
}

TEST(L2, what_is_left_for_a_closed_place_goes_with_it_and_not_with_its_next_owner) {
  sim::TestRuntime world;
  const auto blocks = world.runtime().memory().live_blocks;
  const auto part = world.spawn<Part>("a", Plan{});
  world.runtime().stop(part);
  world.run();
  for (int i = 0; i < 10; ++i) world.runtime().stop(part);
  for (int i = 0; i < 10; ++i) part.send(Say{"late"});
  world.run();
  expect_nothing_left(world, blocks);
}

TEST(L2, a_place_taken_over_under_another_kind_of_mailbox_keeps_what_is_queued) {
  Journal journal;
  sim::TestRuntime world;
  Journal* const j = &journal;
  const auto top =
      world.spawn<Part>("top", building([j](Context& cx) {
                          const Mailbox kinds[] = {bounded(10).drop_oldest(), bounded(20), bounded(5).drop_oldest()};
                          cx.spawn(child<Part>("c", Plan{.journal = j}).mailbox(kinds[(cx.incarnation() - 1) % 3]));
                        }));
  const auto c = child_of(world, top, "c");
  for (int life = 1; life <= 3; ++life) {
    c.send(Nap{1h});
    world.run();
    for (int i = 0; i < 4; ++i) c.send(Say{std::to_string(i)});
    top.send(Break{"boom"});
    world.advance(10s);
    for (int i = 0; i < 4; ++i) {
      EXPECT_EQ(journal.count("c " + std::to_string(i)), static_cast<std::size_t>(life)) << i;
    }
  }
}

}  // namespace
