// Chronicle's parts die under load, each at any moment: what was acknowledged is kept, and the rest recovers alone.
#include <map>

#include "app_world.hpp"
#include "backstage/base/random.hpp"

namespace chronicle::test {
namespace {

using backstage::Error;

/// One request under way on a connection of its own.
struct Post {
  std::string key;
  std::unique_ptr<backstage_test::RawClient> client;
};

class Parts : public testing::TestWithParam<std::uint64_t> {
 protected:
  Parts() {
    app.store = app.world.spawn(Store::spec("store", app.settings).at_most(backstage::unlimited).backoff(10ms, 50ms));
    app.world.run();
    api = app.world.spawn(backstage::child<Api>("api", app.settings, app.store, app.ingest, ApiOptions{.desks = 2})
                              .at_most(backstage::unlimited)
                              .backoff(10ms, 50ms));
    app.settle();
  }
  void post(const std::string& key) {
    Post post{key,
              std::make_unique<backstage_test::RawClient>(app.network(), backstage::net::Address{"127.0.0.1", 80})};
    if (!post.client->connected()) return;  // the api is being restarted
    post.client->send(
        AppWorld::wire("POST", "/api/messages?stream=a", "payload of " + key, "Idempotency-Key: " + key + "\r\n"));
    under_way.push_back(std::move(post));
  }
  void collect() {
    for (Post& one : under_way) {
      const auto answer = AppWorld::parse(one.client->take());
      ++answers[answer.status];
      if (answer.status == 201 || answer.status == 200) acknowledged[one.key] = text(answer.json().at("id"));
    }
    under_way.clear();
  }
  void recover() {
    for (int i = 0; i < 100; ++i) {
      app.world.advance(10ms);
      app.settle();
    }
  }
  static std::string text(const boost::json::value& value) { return std::string(value.as_string()); }

  AppWorld app;
  backstage::Ref<Api> api;
  std::vector<Post> under_way;
  std::map<std::string, std::string> acknowledged;
  std::map<int, int> answers;
};

TEST_P(Parts, L3_nothing_acknowledged_is_lost_when_any_part_is_killed_under_load) {
  backstage::Random random(GetParam());
  for (int round = 0; round < 40; ++round) {
    const auto posts = 1 + random.next() % 8;
    for (std::uint64_t i = 0; i < posts; ++i) {
      post("r" + std::to_string(round) + "-" + std::to_string(i));
    }
    // Somewhere in the middle of handling them.
    for (auto steps = random.next() % 40; steps > 0; --steps) {
      if (random.next() % 3 == 0) (void)app.network().pump();
      if (!app.world.step()) break;
    }
    const bool store = random.next() % 2 == 0;
    if (store) {
      app.world.runtime().fail(app.store, Error("pulled"));
    } else {
      app.world.runtime().fail(api, Error("pulled"));
    }
    if (random.next() % 4 == 0) app.disk->fail_sync(1 + random.next() % 2);
    recover();
    collect();
  }
  EXPECT_GT(acknowledged.size(), 20U);
  EXPECT_GT(answers[0] + answers[503] + answers[504], 0) << "no request met a dying part: the test is toothless";
  // All came back by themselves.
  EXPECT_EQ(app.get("/readyz").status, 200);
  EXPECT_EQ(app.post_json(R"({"stream":"b","payload":1})").status, 201);
  for (const auto& [key, id] : acknowledged) {
    const auto kept = app.get("/api/messages/" + id, "Accept: application/octet-stream\r\n");
    ASSERT_EQ(kept.status, 200) << key;
    EXPECT_EQ(kept.body, "payload of " + key);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Parts, testing::Range<std::uint64_t>(1, 26));

/// The sources are parts, too: a reader that is begun anew offers again what it had offered, and the keys tell.
TEST_P(Parts, L3_a_file_is_in_the_store_once_and_whole_however_often_its_reader_or_the_store_is_killed) {
  backstage::Random random(GetParam());
  std::string lines;
  for (int i = 0; i < 3'000; ++i) lines += "line " + std::to_string(i) + "\n";
  app.files().put("/log", lines);
  app.settings->files = {"app=/log"};
  app.settings->no_host = true;
  app.settings->no_apt = true;
  const auto ingest = app.world.spawn(
      backstage::child<Ingest>("ingest", app.settings, app.store).at_most(backstage::unlimited).backoff(10ms, 50ms));
  for (int round = 0; round < 20; ++round) {
    for (auto steps = random.next() % 60; steps > 0 && app.world.step(); --steps) {
    }
    if (random.next() % 2 == 0) {
      app.world.runtime().fail(ingest, Error("pulled"));
    } else {
      app.world.runtime().fail(app.store, Error("pulled"));
    }
    if (random.next() % 4 == 0) app.disk->fail_sync(1);
    app.world.advance(backstage::Duration(static_cast<std::int64_t>(random.next() % 60'000'000)));
  }
  app.world.advance(1min);
  const auto streams = app.world.ask<ListStreams>(app.store);
  ASSERT_TRUE(streams.has_value());
  ASSERT_EQ(streams->size(), 1U);
  EXPECT_EQ(streams->front().name, "app");
  EXPECT_EQ(streams->front().count, 3'000U);
}

TEST(PartsDown, L2_while_the_store_waits_for_its_restart_posts_are_refused_and_then_it_serves_by_itself) {
  AppWorld app;
  app.store = app.world.spawn(Store::spec("store", app.settings).backoff(20s, 20s));
  app.world.run();
  app.start_api();
  EXPECT_EQ(app.get("/readyz").status, 200);
  app.world.runtime().fail(app.store, Error("pulled"));
  app.settle();
  EXPECT_EQ(app.get("/readyz").status, 503);
  EXPECT_EQ(app.get("/healthz").status, 200);
  const auto refused = app.post_json(R"({"stream":"a","payload":1})");
  EXPECT_EQ(refused.status, 503);
  EXPECT_NE(refused.head.find("Retry-After"), std::string::npos);
  app.world.advance(25s);  // 20 s, spread by 20 %
  app.settle();
  EXPECT_EQ(app.get("/readyz").status, 200);
  EXPECT_EQ(app.world.ask<GetStoreState>(app.store)->messages, 0U);
  EXPECT_EQ(app.post_json(R"({"stream":"a","payload":1})").status, 201);
}

TEST(PartsDown, L3_a_post_whose_desk_dies_while_it_is_stored_is_never_told_that_it_was_refused) {
  AppWorld app;
  const auto api = app.start_api();
  backstage_test::RawClient client(app.network(), {"127.0.0.1", 80});
  client.send(AppWorld::wire("POST", "/api/messages?stream=a", "x", ""));
  // Up to the write, which waits for its thread.
  while (app.world.step() || app.network().pump() > 0) {
  }
  app.world.runtime().kill(api);
  app.settle();
  const auto answer = AppWorld::parse(client.take());
  EXPECT_TRUE(answer.status == 504 || answer.status == 0) << answer.status;
  EXPECT_EQ(app.world.ask<GetStoreState>(app.store)->messages, 1U);
}

}  // namespace
}  // namespace chronicle::test
