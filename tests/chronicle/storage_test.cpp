// What every storage does, RocksDB and its model alike; and that the two do the same under random operations.
#include <algorithm>
#include <random>
#include <thread>

#include "chronicle/storage_support.hpp"

namespace chronicle::test {
namespace {

class AnyStorage : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Storage> opened(const Limits& limits = {}) {
    auto storage = world_.make(limits);
    const auto result = storage->open();
    if (!result) throw std::runtime_error(result.error().describe());
    return storage;
  }
  World world_{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Each, AnyStorage, testing::ValuesIn(World::kinds()),
                         [](const auto& kind) { return kind.param; });

TEST_P(AnyStorage, gives_back_what_it_took_with_sequences_from_one) {
  auto storage = opened();
  Draft draft = event("host/cpu", 5, std::string("raw\0bytes\xff", 10));
  draft.content_type = "application/octet-stream";
  const auto outcomes = append(*storage, {draft, event("host/cpu", 6, ""), event("other", 7, "x")});
  ASSERT_EQ(outcomes.size(), 3u);
  EXPECT_TRUE(outcomes[0].is_stored());
  EXPECT_EQ(outcomes[0].sequence, 1u);
  EXPECT_EQ(outcomes[1].sequence, 2u);
  EXPECT_EQ(outcomes[2].sequence, 1u);
  const auto message = storage->get(outcomes[0].id);
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(*message, (Message{outcomes[0].id, "host/cpu", 1, WallTime{5}, WallTime{5}, "application/octet-stream",
                               std::string("raw\0bytes\xff", 10)}));
  EXPECT_TRUE(storage->get(content_id("nothing")).error().is(Errc::not_found));
}

TEST_P(AnyStorage, knows_duplicates_within_a_group_after_it_and_after_a_restart) {
  auto storage = opened();
  const auto first = append(*storage, {event("s", 1, "a"), event("s", 1, "a"), event("s", 2, "a")});
  EXPECT_TRUE(first[1].is_duplicate());
  EXPECT_EQ(first[1].sequence, 1u);
  EXPECT_TRUE(first[2].is_stored());
  EXPECT_TRUE(append(*storage, {event("s", 2, "a")})[0].is_duplicate());
  storage.reset();
  storage = opened();
  const auto again = append(*storage, {event("s", 1, "a"), event("s", 3, "a")});
  EXPECT_TRUE(again[0].is_duplicate());
  EXPECT_EQ(again[0].id, first[0].id);
  EXPECT_EQ(again[1].sequence, 3u);
}

TEST_P(AnyStorage, takes_the_same_key_as_the_same_event_and_a_nonce_as_a_new_one) {
  auto storage = opened();
  Draft keyed = event("s", 1, "a");
  keyed.key = "k";
  Draft later = keyed;
  later.source_time = WallTime{99};
  Draft bare = event("s", 1, "a");
  bare.source_time.reset();
  bare.nonce = Nonce{1};
  Draft bare2 = bare;
  bare2.nonce = Nonce{2};
  Draft none = bare;
  none.nonce.reset();
  const auto outcomes = append(*storage, {keyed, later, bare, bare2, none});
  EXPECT_TRUE(outcomes[1].is_duplicate());
  EXPECT_TRUE(outcomes[2].is_stored());
  EXPECT_TRUE(outcomes[3].is_stored());
  EXPECT_TRUE(outcomes[4].is_refused());
}

TEST_P(AnyStorage, keeps_the_identity_of_the_first_message_and_refuses_the_other_one) {
  auto storage = opened();
  Draft unsaid = content("ledger", 2, "block 2");
  unsaid.identity.reset();
  Draft wrong = event("ledger", 3, "block 3");
  wrong.identity = Identity::event;
  auto outcomes = append(*storage, {content("ledger", 1, "block 1"), unsaid, wrong});
  EXPECT_EQ(outcomes[0].id, content_id("block 1"));
  EXPECT_EQ(outcomes[1].id, content_id("block 2")) << "what is not said is what the stream is";
  ASSERT_TRUE(outcomes[2].is_refused());
  EXPECT_EQ(outcomes[2].refused->why, Refusal::identity);
  EXPECT_NE(outcomes[2].refused->error.text().find("'ledger' has identity 'content'"), std::string_view::npos);
  storage.reset();
  storage = opened();
  outcomes = append(*storage, {wrong, event("plain", 1, "x"), content("plain", 2, "y")});
  EXPECT_TRUE(outcomes[0].is_refused());
  EXPECT_TRUE(outcomes[2].is_refused());
}

TEST_P(AnyStorage, keeps_the_same_content_once_and_says_where_the_first_lies) {
  auto storage = opened();
  const auto outcomes =
      append(*storage, {content("a", 1, "block"), content("b", 2, "block"), content("b", 3, "mine")});
  EXPECT_TRUE(outcomes[1].is_duplicate());
  EXPECT_EQ(outcomes[1].stream, "a");
  EXPECT_EQ(outcomes[2].sequence, 1u) << "a duplicate takes no sequence";
  EXPECT_TRUE(append(*storage, {content("c", 4, "block")})[0].is_duplicate());
  EXPECT_TRUE(storage->stream("c").error().is(Errc::not_found)) << "a duplicate makes no stream";
}

TEST_P(AnyStorage, refuses_what_cannot_be_meant_and_stores_the_rest_of_the_group) {
  Limits limits;
  limits.payload = 10;
  limits.streams = 1;
  auto storage = opened(limits);
  Draft empty_key = event("s", 1, "x");
  empty_key.key = "";
  const auto outcomes = append(*storage, {event("s", 1, "ok"), event("", 1, "x"), event("a b", 1, "x"),
                                          event("a//b", 1, "x"), event("../x", 1, "x"), event("s", 1, "12345678901"),
                                          empty_key, event("second", 1, "x"), event(std::string(201, 'x'), 1, "x")});
  EXPECT_TRUE(outcomes[0].is_stored());
  using enum Refusal;
  const std::vector<Refusal> why{invalid, invalid, invalid, invalid, too_large, invalid, full, too_large};
  for (std::size_t i = 0; i < why.size(); ++i) {
    ASSERT_TRUE(outcomes[i + 1].is_refused()) << i;
    EXPECT_EQ(outcomes[i + 1].refused->why, why[i]) << i;
  }
  EXPECT_EQ(storage->counters(), (Counters{9, 1, 0, 8, 0, 1, 2}));
}

TEST_P(AnyStorage, refuses_a_group_beyond_its_bounds_and_stays_sound) {
  Limits limits;
  limits.group_count = 2;
  auto storage = opened(limits);
  const std::vector<Draft> three{event("s", 1, "a"), event("s", 2, "a"), event("s", 3, "a")};
  EXPECT_TRUE(storage->append(three).error().is(Errc::invalid));
  EXPECT_FALSE(storage->fault().has_value());
  EXPECT_EQ(storage->counters().failed, 3u);
  EXPECT_TRUE(append(*storage, {three[0], three[1]})[1].is_stored());
}

TEST_P(AnyStorage, lists_streams_and_the_list_survives_a_restart) {
  auto storage = opened();
  append(*storage, {event("b", 10, "12"), event("b", 20, "345"), content("a", 15, "x")});
  const std::vector<StreamInfo> expected{{"a", Identity::content, 1, 1, WallTime{15}, WallTime{15}},
                                         {"b", Identity::event, 2, 5, WallTime{10}, WallTime{20}}};
  EXPECT_EQ(*storage->streams(), expected);
  storage.reset();
  EXPECT_EQ(*opened()->streams(), expected);
}

TEST_P(AnyStorage, never_lets_arrival_go_back_within_a_stream) {
  auto storage = opened();
  append(*storage, {event("s", 100, "a"), event("s", 50, "b"), event("other", 50, "c")});
  append(*storage, {event("s", 70, "d"), event("s", 120, "e")});
  std::vector<std::int64_t> arrivals;
  for (const Message& message : all_of(*storage, "s")) arrivals.push_back(message.arrival.ns);
  EXPECT_EQ(arrivals, (std::vector<std::int64_t>{100, 100, 100, 120}));
  EXPECT_EQ(all_of(*storage, "other")[0].arrival.ns, 50);
}

TEST_P(AnyStorage, answers_by_range_of_either_time_negative_ones_too) {
  auto storage = opened();
  Draft timeless = event("s", 45, "no time");
  timeless.source_time.reset();
  timeless.nonce = Nonce{};
  std::vector<Draft> drafts{event("s", -30, "a"), event("s", 10, "b"), event("s", 20, "c"), event("s", 40, "d"),
                            timeless};
  drafts[2].source_time = WallTime{-50};
  append(*storage, drafts);
  const auto payloads = [&](Query query) {
    query.stream = "s";
    std::string out;
    const Page page = *storage->query(query);
    for (const auto& message : page.messages) out += message.payload + " ";
    return out;
  };
  EXPECT_EQ(payloads({}), "a b c d no time ");
  EXPECT_EQ(payloads({.stream = {}, .from = WallTime{10}, .to = WallTime{40}, .cursor = {}}), "b c ");
  EXPECT_EQ(payloads({.stream = {}, .by = By::source, .from = {}, .to = {}, .cursor = {}}), "c a b d ");
  EXPECT_EQ(payloads({.stream = {}, .by = By::source, .from = WallTime{-30}, .to = WallTime{40}, .cursor = {}}),
            "a b ");
  EXPECT_EQ(payloads({.stream = {}, .from = WallTime{41}, .to = WallTime{41}, .cursor = {}}), "");
}

TEST_P(AnyStorage, pages_are_capped_and_their_cursors_stable_under_writes) {
  Limits limits;
  limits.page_count = 3;
  limits.page_bytes = 100;
  auto storage = opened(limits);
  for (int i = 0; i < 8; ++i) append(*storage, {event("s", i, std::to_string(i))});
  Query query;
  query.stream = "s";
  query.limit = 1'000'000;
  std::string seen;
  for (int page_number = 0; page_number < 10; ++page_number) {
    const auto page = storage->query(query);
    ASSERT_TRUE(page.has_value());
    EXPECT_LE(page->messages.size(), 3u);
    for (const auto& message : page->messages) seen += message.payload;
    query.cursor = page->cursor;
    if (!page->more) break;
    if (page_number == 0) append(*storage, {event("s", 8, "8"), event("s", 3, "9")});  // meanwhile
  }
  EXPECT_EQ(seen, "0123456789");
  EXPECT_TRUE(storage->query(query)->messages.empty());
  EXPECT_EQ(storage->query(query)->cursor, query.cursor) << "at the end the cursor is kept, to ask again later";
  append(*storage, {event("s", 4, "new")});
  EXPECT_EQ(storage->query(query)->messages.at(0).payload, "new");

  append(*storage, {event("big", 1, std::string(150, 'x')), event("big", 2, "y")});
  query = Query{};
  query.stream = "big";
  EXPECT_EQ(storage->query(query)->messages.size(), 1u) << "a page ends after its bytes, with one message at least";
  EXPECT_TRUE(storage->query(query)->more);
}

TEST_P(AnyStorage, refuses_queries_and_cursors_that_cannot_be_meant) {
  auto storage = opened();
  append(*storage, {event("s", 1, "a"), event("s", 2, "b"), event("t", 1, "c")});
  Query query;
  query.stream = "s";
  query.limit = 1;
  const std::string cursor = storage->query(query)->cursor;
  const auto code = [&](auto change) {
    Query other = query;
    other.cursor = cursor;
    change(other);
    const auto page = storage->query(other);
    return page ? Errc::application : page.error().code();
  };
  EXPECT_EQ(code([](Query&) {}), Errc::application);
  EXPECT_EQ(code([](Query& q) { q.limit = 5; }), Errc::application) << "the limit may change";
  EXPECT_EQ(code([](Query& q) { q.stream = "t"; }), Errc::invalid);
  EXPECT_EQ(code([](Query& q) { q.by = By::source; }), Errc::invalid);
  EXPECT_EQ(code([](Query& q) { q.from = WallTime{0}; }), Errc::invalid);
  EXPECT_EQ(code([](Query& q) { q.cursor.pop_back(); }), Errc::invalid);
  EXPECT_EQ(code([](Query& q) { q.limit = 0; }), Errc::invalid);
  EXPECT_EQ(code([](Query& q) { q.cursor.clear(), q.from = WallTime{2}, q.to = WallTime{1}; }), Errc::invalid);
  EXPECT_EQ(code([](Query& q) { q.cursor.clear(), q.stream = "nobody"; }), Errc::not_found);
  for (std::size_t i = 0; i < cursor.size(); ++i) {
    EXPECT_EQ(code([&](Query& q) { q.cursor[i] = q.cursor[i] == '0' ? '1' : '0'; }), Errc::invalid) << i;
  }
}

TEST_P(AnyStorage, says_that_it_is_not_open) {
  auto storage = world_.make();
  EXPECT_TRUE(storage->append({}).error().is(Errc::unavailable));
  EXPECT_TRUE(storage->streams().error().is(Errc::unavailable));
  EXPECT_TRUE(storage->fault().has_value());
  ASSERT_TRUE(storage->open().has_value());
  ASSERT_TRUE(storage->open().has_value()) << "open again is open anew";
  EXPECT_FALSE(storage->fault().has_value());
  storage->close();
  EXPECT_TRUE(storage->get({}).error().is(Errc::unavailable));
}

TEST_P(AnyStorage, is_read_from_other_threads_while_it_is_written) {
  auto storage = opened();
  append(*storage, {event("s", 0, "first")});
  std::thread reader([&] {
    std::size_t seen = 0;
    while (seen < 100) {
      const auto messages = all_of(*storage, "s");
      EXPECT_GE(messages.size(), seen);
      for (std::size_t i = 0; i < messages.size(); ++i) EXPECT_EQ(messages[i].sequence, i + 1);
      seen = messages.size();
      EXPECT_GE(storage->streams()->size(), 1u);
    }
  });
  for (int i = 1; i < 100; ++i) append(*storage, {event("s", i, "more"), event("t" + std::to_string(i % 5), i, "x")});
  reader.join();
}

// Random operations, small ranges so that everything collides, on several storages at once.
TEST(Storages, do_the_same_under_the_same_random_operations) {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    std::mt19937_64 chance(seed);
    const auto pick = [&](std::uint64_t below) { return static_cast<std::int64_t>(chance() % below); };
    Limits limits;
    limits.streams = 5;
    limits.page_count = 6;
    limits.page_bytes = 40;
    std::vector<std::unique_ptr<World>> worlds;
    std::vector<std::unique_ptr<Storage>> storages;
    for (const auto& kind : World::kinds()) {
      worlds.push_back(std::make_unique<World>(kind));
      storages.push_back(worlds.back()->make(limits));
      ASSERT_TRUE(storages.back()->open().has_value());
    }
    std::vector<MessageId> ids{MessageId{}};
    std::vector<Draft> sent;  // some are sent again
    std::string cursor;
    // What each storage says, as text; all must say the same.
    const auto same = [&](auto ask) {
      const std::string said = ask(*storages[0]);
      for (std::size_t i = 1; i < storages.size(); ++i) EXPECT_EQ(ask(*storages[i]), said) << "seed " << seed;
    };
    const auto name = [&] { return std::string(1, static_cast<char>('a' + pick(7))); };
    const auto time = [&] { return WallTime{pick(40) - 10}; };
    const auto show = [](const Message& message) {
      return message.id.hex().substr(0, 8) + message.stream + std::to_string(message.sequence) + "@" +
             std::to_string(message.arrival.ns) + message.payload + ";";
    };
    for (int step = 0; step < 150; ++step) {
      const auto what = pick(10);
      if (what < 5) {
        std::vector<Draft> drafts(static_cast<std::size_t>(pick(6)));
        for (Draft& draft : drafts) {
          draft = event(name(), 0, std::string(static_cast<std::size_t>(pick(12)), static_cast<char>('x' + pick(2))));
          draft.arrival = time();
          draft.source_time.reset();
          if (pick(3) > 0) draft.source_time = time();
          if (pick(5) == 0) draft.key = name();
          if (pick(5) > 0) draft.nonce = Nonce{static_cast<unsigned char>(pick(4))};
          if (pick(3) == 0) draft.identity = pick(2) == 0 ? Identity::event : Identity::content;
          if (pick(20) == 0) draft.stream = "not good";
          if (!sent.empty() && pick(4) == 0) draft = sent[static_cast<std::size_t>(pick(sent.size()))];
          sent.push_back(draft);
        }
        same([&](Storage& storage) {
          std::string said;
          for (const Outcome& outcome : append(storage, drafts)) {
            said += std::to_string(static_cast<int>(outcome.kind)) + outcome.id.hex() + outcome.stream +
                    std::to_string(outcome.sequence) + (outcome.refused ? outcome.refused->error.describe() : "") +
                    ";";
            if (&storage == storages[0].get() && outcome.is_stored()) ids.push_back(outcome.id);
          }
          return said;
        });
      } else if (what < 7) {
        Query query;
        query.stream = name();
        query.by = pick(2) == 0 ? By::arrival : By::source;
        if (pick(2) == 0) query.from = time();
        if (pick(2) == 0) query.to = time();
        query.limit = static_cast<std::size_t>(pick(9));
        for (int pages = 0; pages < 4; ++pages) {
          same([&](Storage& storage) {
            const auto page = storage.query(query);
            if (!page) return page.error().describe();
            std::string said = page->cursor + (page->more ? " more:" : " end:");
            for (const Message& message : page->messages) said += show(message);
            cursor = page->cursor;
            return said;
          });
          query.cursor = cursor;
        }
        cursor.clear();
      } else if (what < 8) {
        const MessageId id = ids[static_cast<std::size_t>(pick(ids.size()))];
        same([&](Storage& storage) {
          const auto message = storage.get(id);
          return message ? show(*message) : message.error().describe();
        });
      } else if (what < 9) {
        same([&](Storage& storage) {
          std::string said;
          for (const auto& info : *storage.streams()) {
            said += info.name + std::string(to_string(info.identity)) + std::to_string(info.count) + "/" +
                    std::to_string(info.bytes) + "/" + std::to_string(info.first_arrival.ns) + "-" +
                    std::to_string(info.last_arrival.ns) + ";";
          }
          return said;
        });
      } else {
        for (auto& storage : storages) ASSERT_TRUE(storage->open().has_value());
      }
    }
    const Counters counters = storages[0]->counters();
    EXPECT_EQ(counters.drafts, counters.stored + counters.duplicates + counters.refused + counters.failed);
    EXPECT_GT(counters.stored, 20u);
    EXPECT_GT(counters.duplicates, 5u);
    EXPECT_GT(counters.refused, 5u);
    for (auto& storage : storages) EXPECT_EQ(storage->counters(), counters);
  }
}

}  // namespace
}  // namespace chronicle::test
