// The sources as actors: supervised, held back by the store, started anew without storing anything twice.
#include "chronicle/app_world.hpp"
#include "chronicle/storage_support.hpp"

namespace chronicle::test {
namespace {

struct IngestWorld : AppWorld {
  IngestWorld() {
    settings->no_host = true;
    settings->no_apt = true;
  }
  void start() {
    start_store();
    ingest = world.spawn<Ingest>("ingest", settings, store);
    world.run();
  }
  std::uint64_t count(const std::string& stream) {
    for (const StreamInfo& info : world.ask<ListStreams>(store).value()) {
      if (info.name == stream) return info.count;
    }
    return 0;
  }
  SourceReport report(const std::string& source) {
    for (const SourceReport& found : world.ask<ListSources>(ingest).value()) {
      if (found.source == source) return found;
    }
    return {};
  }
};

TEST(IngestActor, a_file_read_once_is_stored_line_by_line_and_its_source_ends) {
  IngestWorld app;
  app.files().put("/log", "one\n{\"time\":\"2026-01-01T00:00:00Z\"}\nlast");
  app.settings->files = {"app=/log"};
  app.start();
  EXPECT_EQ(app.count("app"), 3u);
  EXPECT_TRUE(app.report("file-1").is_done);
  EXPECT_EQ(app.report("file-1").tally.stored, 3u);
}

TEST(IngestActor, a_followed_file_is_taken_in_as_it_grows) {
  IngestWorld app;
  app.files().put("/log", "one\ntw");
  app.settings->follow = {"/log"};
  app.start();
  EXPECT_EQ(app.count("file/log"), 1u);
  app.files().append("/log", "o\nthree\n");
  app.world.advance(2s);
  EXPECT_EQ(app.count("file/log"), 3u);
}

TEST(IngestActor, what_was_read_before_is_recognised_by_its_key) {
  IngestWorld first;
  first.files().put("/log", "one\ntwo\n");
  first.settings->files = {"app=/log"};
  first.start();
  IngestWorld second;
  second.disk = first.disk;
  EXPECT_TRUE(first.world.runtime().shutdown().has_value());
  second.files().put("/log", "one\ntwo\nthree\n");
  second.settings->files = {"app=/log"};
  second.start();
  EXPECT_EQ(second.count("app"), 3u);
  EXPECT_EQ(second.report("file-1").tally.duplicates, 2u);
}

TEST(IngestActor, the_place_in_a_followed_file_is_kept_beside_the_store) {
  IngestWorld app;
  app.settings->memory = false;
  app.settings->data = "/data";
  app.files().put("/log", "one\ntwo\n");
  app.settings->follow = {"app=/log"};
  app.start();
  const auto kept = app.files().list("/data", 10);
  ASSERT_TRUE(kept.has_value());
  ASSERT_EQ(kept->names.size(), 1u);
  EXPECT_TRUE(kept->names[0].starts_with("position-"));
  // Another life of the source begins behind what was read: it offers nothing again.
  app.world.runtime().stop(app.ingest);
  app.world.advance(1s);
  app.ingest = app.world.spawn<Ingest>("ingest", app.settings, app.store);
  app.files().append("/log", "three\n");
  app.world.advance(2s);
  EXPECT_EQ(app.report("follow-1").tally.duplicates, 0u);
  EXPECT_EQ(app.count("app"), 3u);
}

TEST(IngestActor, a_store_out_of_service_holds_the_reader_back_and_nothing_is_lost_or_doubled) {
  IngestWorld app;
  std::string lines;
  for (int i = 0; i < 5'000; ++i) lines += "line " + std::to_string(i) + "\n";
  app.files().put("/log", lines);
  app.settings->files = {"app=/log"};
  app.start_store();
  app.disk->fail_sync(3);
  app.ingest = app.world.spawn<Ingest>("ingest", app.settings, app.store);
  app.world.run();
  EXPECT_LT(app.world.ask_within<GetStoreState>(10ms, app.store)->counters.stored, 5'000u);
  const auto reads = app.files().reads();
  app.world.advance(50ms);
  EXPECT_EQ(app.files().reads(), reads);  // it waits, and reads nothing meanwhile
  app.world.advance(10s);
  EXPECT_EQ(app.count("app"), 5'000u);
  EXPECT_TRUE(app.report("file-1").is_done);
}

TEST(IngestActor, an_absent_package_index_is_said_and_the_rest_goes_on) {
  IngestWorld app;
  app.settings->no_apt = false;
  app.files().put("/log", "one\n");
  app.settings->files = {"app=/log"};
  app.start();
  EXPECT_EQ(app.report("packages").doing, "absent");
  EXPECT_EQ(app.count("app"), 1u);
}

TEST(IngestActor, the_package_index_is_streamed_with_progress) {
  IngestWorld app;
  app.settings->no_apt = false;
  const AptIndex::Options apt;
  app.commands().on(apt.targets, {.output = "/lists/main\n"});
  auto cat = apt.cat;
  cat.emplace_back("/lists/main");
  std::string stanzas;
  for (int i = 0; i < 1'200; ++i) {
    stanzas += "Package: p" + std::to_string(i) + "\nVersion: 1\nArchitecture: all\n\n";
  }
  app.commands().on(cat, {.output = stanzas});
  app.start();
  EXPECT_EQ(app.count("debian/packages"), 1'200u);
  EXPECT_TRUE(app.report("packages").is_done);
  EXPECT_EQ(app.report("packages").doing, "1200 packages");
}

TEST(IngestActor, the_machine_is_looked_at_each_second) {
  IngestWorld app;
  app.settings->no_host = false;
  app.files().put("/proc/stat", "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\nbtime 1\nprocesses 5\n");
  app.files().put("/proc/loadavg", "0.1 0.2 0.3 1/2 3\n");
  app.start();
  EXPECT_EQ(app.count("host/cpu"), 1u);
  app.world.advance(5s);
  EXPECT_EQ(app.count("host/cpu"), 6u);
}

TEST(IngestActor, a_line_for_people_says_each_second_what_is_taken_in) {
  IngestWorld app;
  app.files().put("/log", "one\ntwo\n");
  app.settings->files = {"app=/log"};
  app.start();
  app.world.advance(3s);
  ASSERT_EQ(app.printed.size(), 3u);
  EXPECT_EQ(app.printed[0], "2 messages (+2, 2/s) in 1 streams, 6 B");
  app.world.advance(17s);
  EXPECT_EQ(app.printed.size(), 12u);  // ten, and then each five seconds
}

TEST(Settings, a_path_names_its_stream) {
  EXPECT_EQ(parse_file("/var/log/sys log")->stream, "file/var/log/sys_log");
  EXPECT_EQ(parse_file("app=/x=y")->stream, "app");
  EXPECT_EQ(parse_file("app=/x=y")->path, "/x=y");
  EXPECT_EQ(parse_file("/x=y")->path, "/x=y");
  EXPECT_FALSE(parse_file("").has_value());
  EXPECT_FALSE(parse_file("bad name=/x").has_value());
}

}  // namespace
}  // namespace chronicle::test
