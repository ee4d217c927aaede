// A supervisor with a crowd of children: all of them die at once, or are half started when it dies itself.
#include "life_support.hpp"

namespace {

using namespace life;

constexpr int crowd = 1'000;

/// Has a mailbox of one message, and a thousand children.
struct SmallBoss {
  SmallBoss(Journal* j, Restart r) : journal(j), restart(r) {}
  void init(Context& cx) {
    for (int i = 0; i < crowd; ++i) {
      cx.spawn(child<Part>("c" + std::to_string(i), Plan{.journal = journal})
                   .restart(restart)
                   .backoff(10ms, 10ms)
                   .at_most(unlimited)
                   .on_end(cx.self(this)));
    }
  }
  void handle(Eol<Part>) { ++ends; }
  void handle(Break how, Context& cx) {
    for (int i = 0; i < crowd; ++i) cx.child<Part>("c" + std::to_string(i)).or_fail().send(how);
  }
  int handle(Lives) const { return ends; }
  std::size_t handle(Quit, Context& cx) { return cx.children(); }
  Journal* journal;
  Restart restart;
  int ends = 0;
};

struct Crowd {
  explicit Crowd(Restart restart) {
    boss = world.spawn(child<SmallBoss>("boss", &journal, restart).mailbox(bounded(1)));
    world.run();
    (void)journal.take();
  }
  Journal journal;
  sim::TestRuntime world;
  Ref<SmallBoss> boss;
};

TEST(M3, a_thousand_ends_at_once_all_reach_a_boss_whose_mailbox_takes_one_message) {
  Crowd of(Restart::never);
  of.boss.send(Break{"all"});
  of.world.advance(1s);
  EXPECT_EQ(of.world.ask<Lives>(of.boss).value(), crowd);
  EXPECT_EQ(of.world.ask<Quit>(of.boss).value(), 0U);
  EXPECT_EQ(of.world.runtime().counts().dead_letters(), 0U);
}

TEST(L2, a_thousand_children_that_fail_at_once_are_all_restarted_by_such_a_boss) {
  Crowd of(Restart::on_failure);
  of.boss.send(Break{"all"});
  of.world.advance(1s);
  EXPECT_EQ(of.world.ask<Quit>(of.boss).value(), static_cast<std::size_t>(crowd));
  std::size_t inits = 0;
  for (const std::string& line : of.journal.lines) inits += line.ends_with(" init") ? 1U : 0U;
  EXPECT_EQ(inits, static_cast<std::size_t>(crowd));
}

TEST(L2, children_that_are_half_started_when_their_parent_dies_end_or_go_on_under_the_next_one) {
  Journal journal;
  sim::TestRuntime world;
  int lives = 0;
  const auto blocks = world.runtime().memory().live_blocks;
  const auto top = world.spawn(
      child<Part>("top", Plan{.journal = &journal,
                              .build =
                                  [&journal, &lives](Context& cx) {
                                    ++lives;
                                    // Its init takes a second; the parent dies before.
                                    cx.spawn(child<Part>(
                                        "slow", Plan{.journal = &journal,
                                                     .init = [](Context& c) -> Task<> { co_await c.sleep(1s); }}));
                                    // Not begun at all yet.
                                    cx.spawn(child<Part>("late", Plan{.journal = &journal}).start_after(1s));
                                    if (lives == 1) {
                                      cx.spawn(child<Part>("only-once", Plan{.journal = &journal}));
                                    }
                                  }})
          .backoff(10ms, 10ms));
  world.advance(500ms);
  top.send(Break{"boom"});
  world.advance(500ms);
  EXPECT_EQ(journal.count("slow frame gone"), 0U);
  EXPECT_EQ(journal.count("late init"), 0U);
  world.advance(2s);
  EXPECT_EQ(lives, 2);
  EXPECT_EQ(journal.count("slow init"), 2U);
  EXPECT_EQ(journal.count("slow terminating ok"), 0U);  // iff init had succeeded
  EXPECT_EQ(journal.count("late init"), 1U);
  EXPECT_EQ(journal.count("only-once destroyed"), 1U);
  EXPECT_EQ(world.runtime().actors(), 4U);
  world.runtime().stop(top);
  world.run();
  EXPECT_EQ(world.runtime().actors(), 1U);
  EXPECT_EQ(world.runtime().memory().live_blocks, blocks);
}

}  // namespace
