// The store as an actor: group commit, durability before the answer, bounds, outage and return.
#include "chronicle/app_world.hpp"
#include "chronicle/storage_support.hpp"

namespace chronicle::test {
namespace {

using backstage::PendingAnswer;

std::vector<Draft> one(std::int64_t time) { return {event("s", time, "payload " + std::to_string(time))}; }

PendingAnswer<Outcomes> ask(AppWorld& app, std::vector<Draft> drafts) {
  return app.world.runtime().ask<Append>(app.store, std::move(drafts)).polled_within(10s);
}

/// What survives when the power goes now.
std::uint64_t messages_after_crash(AppWorld& app) {
  app.disk->crash();
  MemoryStorage found(app.disk);
  EXPECT_TRUE(found.open().has_value());
  const auto streams = found.streams();
  std::uint64_t count = 0;
  for (const StreamInfo& stream : *streams) count += stream.count;
  return count;
}

TEST(StoreActor, what_one_mailbox_run_brings_is_one_synced_group) {
  AppWorld app;
  app.start_store();
  const std::uint64_t syncs = app.disk->syncs();
  std::vector<PendingAnswer<Outcomes>> answers;
  for (int i = 1; i <= 50; ++i) answers.push_back(ask(app, one(i)));
  app.world.run();
  for (auto& answer : answers) {
    const auto outcomes = answer.poll();
    ASSERT_TRUE(outcomes && outcomes->has_value());
    EXPECT_TRUE(outcomes->value().at(0).is_stored());
  }
  EXPECT_EQ(app.disk->syncs(), syncs + 1);
}

TEST(StoreActor, no_answer_leaves_before_its_sync) {
  AppWorld app;
  app.start_store();
  const std::uint64_t syncs = app.disk->syncs();
  std::vector<PendingAnswer<Outcomes>> answers;
  for (int i = 1; i <= 10; ++i) answers.push_back(ask(app, one(i)));
  // Every turn there is, but not the blocking pool, where the write waits.
  while (app.world.step()) {
  }
  ASSERT_EQ(app.disk->syncs(), syncs);
  for (auto& answer : answers) EXPECT_FALSE(answer.poll().has_value());
  app.world.run();
  EXPECT_EQ(app.disk->syncs(), syncs + 1);
  for (auto& answer : answers) EXPECT_TRUE(answer.poll().has_value());
  EXPECT_EQ(messages_after_crash(app), 10u);
}

TEST(StoreActor, a_storage_that_does_not_sync_is_noticed) {
  MemoryOptions options;
  options.sync = false;
  AppWorld app(options);
  app.start_store();
  EXPECT_TRUE(app.world.ask<Append>(app.store, one(1)).has_value());
  EXPECT_EQ(messages_after_crash(app), 0u);  // so the test above can fail
}

TEST(StoreActor, more_than_may_wait_is_refused_at_once_and_counted) {
  AppWorld app;
  app.start_store({.count = 4, .bytes = std::size_t{1} << 20U});
  std::vector<PendingAnswer<Outcomes>> answers;
  for (int i = 1; i <= 10; ++i) answers.push_back(ask(app, one(i)));
  app.world.run();
  int stored = 0;
  int full = 0;
  for (auto& answer : answers) {
    const auto outcomes = answer.poll();
    ASSERT_TRUE(outcomes.has_value());
    stored += outcomes->has_value() ? 1 : 0;
    full += !outcomes->has_value() && outcomes->error().is(Errc::full) ? 1 : 0;
  }
  EXPECT_EQ(stored, 4);
  EXPECT_EQ(full, 6);
  const auto state = app.world.ask<GetStoreState>(app.store).value();
  EXPECT_EQ(state.messages, 4u);
  EXPECT_EQ(state.turned_away, 6u);
  EXPECT_EQ(state.waiting, 0u);
}

TEST(StoreActor, the_bound_counts_bytes_too_and_a_large_append_alone_is_judged_by_the_storage) {
  AppWorld app;
  app.start_store({.count = 1'000, .bytes = 1'000});
  auto large = ask(app, {event("s", 1, std::string(5'000, 'x'))});
  auto second = ask(app, {event("s", 2, "y")});
  app.world.run();
  EXPECT_TRUE(large.poll()->has_value());
  EXPECT_TRUE(second.poll()->error().is(Errc::full));
}

TEST(StoreActor, appends_beyond_one_group_become_several_in_order) {
  MemoryOptions options;
  options.limits.group_count = 3;
  AppWorld app(options);
  app.start_store();
  const std::uint64_t syncs = app.disk->syncs();
  std::vector<PendingAnswer<Outcomes>> answers;
  for (int i = 0; i < 4; ++i) answers.push_back(ask(app, {event("s", 2 * i + 1, "a"), event("s", 2 * i + 2, "b")}));
  app.world.run();
  std::uint64_t sequence = 0;
  for (auto& answer : answers) {
    const auto outcomes = answer.poll();
    ASSERT_TRUE(outcomes && outcomes->has_value());
    for (const Outcome& outcome : outcomes->value()) EXPECT_EQ(outcome.sequence, ++sequence);
  }
  EXPECT_EQ(app.disk->syncs(), syncs + 4);
}

TEST(StoreActor, after_a_failed_sync_it_is_out_of_service_and_comes_back) {
  AppWorld app;
  app.start_store();
  app.disk->fail_sync(1);
  const auto failed = app.world.ask<Append>(app.store, one(1));
  ASSERT_FALSE(failed.has_value());
  EXPECT_TRUE(failed.error().is(Errc::unavailable));
  EXPECT_TRUE(failed.error().may_have_run());
  const auto refused = app.world.ask_within<Append>(10ms, app.store, one(2));
  ASSERT_FALSE(refused.has_value());
  EXPECT_TRUE(refused.error().is(Errc::unavailable));
  EXPECT_TRUE(app.world.ask_within<GetStoreState>(10ms, app.store)->fault.has_value());
  app.world.advance(1s);
  EXPECT_FALSE(app.world.ask<GetStoreState>(app.store)->fault.has_value());
  // Sent again, the message is stored or recognised: either way it is there once.
  ASSERT_TRUE(app.world.ask<Append>(app.store, one(1)).has_value());
  EXPECT_EQ(app.world.ask<GetStoreState>(app.store)->messages, 1u);
}

TEST(StoreActor, it_reopens_with_a_back_off_while_the_disk_stays_broken) {
  AppWorld app;
  app.start_store();
  app.disk->fail_sync(1);
  (void)app.world.ask_within<Append>(50ms, app.store, one(1));
  app.disk->fail_sync(1);  // the first reopening
  app.world.advance(150ms);
  EXPECT_TRUE(app.world.ask_within<GetStoreState>(1ms, app.store)->fault.has_value());
  app.world.advance(1s);
  EXPECT_FALSE(app.world.ask<GetStoreState>(app.store)->fault.has_value());
}

TEST(StoreActor, L4_told_to_stop_it_writes_and_answers_what_it_has_accepted) {
  AppWorld app;
  app.start_store();
  std::vector<PendingAnswer<Outcomes>> answers;
  for (int i = 1; i <= 5; ++i) answers.push_back(ask(app, one(i)));
  EXPECT_TRUE(app.world.runtime().shutdown().has_value());
  for (auto& answer : answers) {
    const auto outcomes = answer.poll();
    ASSERT_TRUE(outcomes.has_value());
    EXPECT_TRUE(outcomes->has_value());
  }
  EXPECT_EQ(messages_after_crash(app), 5u);
}

TEST(StoreActor, reads_give_messages_pages_and_streams_and_say_what_is_not_there) {
  AppWorld app;
  app.start_store();
  const auto stored = app.world.ask<Append>(app.store, one(7)).value();
  EXPECT_EQ(app.world.ask<GetMessage>(app.store, stored[0].id)->payload, "payload 7");
  Query query;
  query.stream = "s";
  EXPECT_EQ(app.world.ask<GetPage>(app.store, query)->messages.size(), 1u);
  EXPECT_EQ(app.world.ask<ListStreams>(app.store)->at(0).name, "s");
  EXPECT_TRUE(app.world.ask<GetMessage>(app.store, content_id("no")).error().is(Errc::not_found));
  query.stream = "none";
  EXPECT_TRUE(app.world.ask<GetPage>(app.store, query).error().is(Errc::not_found));
}

TEST(StoreActor, what_it_holds_is_counted_across_restarts) {
  AppWorld app;
  app.start_store();
  (void)app.world.ask<Append>(app.store, one(1));
  AppWorld again;
  again.disk = app.disk;
  EXPECT_TRUE(app.world.runtime().shutdown().has_value());
  again.start_store();
  EXPECT_EQ(again.world.ask<GetStoreState>(again.store)->messages, 1u);
  EXPECT_TRUE(again.world.ask<Append>(again.store, one(1))->at(0).is_duplicate());
  EXPECT_EQ(again.world.ask<GetStoreState>(again.store)->messages, 1u);
}

}  // namespace
}  // namespace chronicle::test
