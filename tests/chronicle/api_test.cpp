// The HTTP API over a memory network: every route, every status.
#include "chronicle/app_world.hpp"
#include "chronicle/base64.hpp"

namespace chronicle::test {
namespace {

struct Api_ : testing::Test {
  Api_() { app.start_api(); }
  static std::string text(const boost::json::value& value) { return std::string(value.as_string()); }
  AppWorld app;
};

TEST_F(Api_, a_new_message_is_201_and_the_same_again_200_with_duplicate) {
  const auto first = app.post_json(R"({"stream":"a/b","payload":{"n":1},"key":"k"})");
  EXPECT_EQ(first.status, 201) << first.body;
  EXPECT_EQ(text(first.json().at("id")).size(), 64u);
  EXPECT_EQ(first.json().at("sequence"), 1);
  EXPECT_FALSE(first.json().as_object().contains("duplicate"));
  const auto again = app.post_json(R"({"stream":"a/b","payload":{"n":1},"key":"k"})");
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.json().at("duplicate"), true);
  EXPECT_EQ(again.json().at("id"), first.json().at("id"));
}

TEST_F(Api_, without_key_and_time_every_post_is_a_new_event) {
  const std::string body = R"({"stream":"a","payload":"x"})";
  EXPECT_EQ(app.post_json(body).status, 201);
  EXPECT_EQ(app.post_json(body).status, 201);
  const std::string timed = R"({"stream":"a","payload":"x","source_time":"2026-01-01T00:00:00Z"})";
  EXPECT_EQ(app.post_json(timed).status, 201);
  EXPECT_EQ(app.post_json(timed).status, 200);
}

TEST_F(Api_, the_Idempotency_Key_header_tells_events_apart) {
  const std::string body = R"({"stream":"a","payload":"x"})";
  EXPECT_EQ(app.post_json(body, "Idempotency-Key: one\r\n").status, 201);
  EXPECT_EQ(app.post_json(body, "Idempotency-Key: one\r\n").status, 200);
  EXPECT_EQ(app.post_json(body, "Idempotency-Key: two\r\n").status, 201);
}

TEST_F(Api_, a_json_payload_comes_back_as_it_was_written) {
  const auto stored = app.post_json(R"({"stream":"a", "payload" : {"n":1.10, "s":"}\""} , "key":"k"})");
  const auto id = text(stored.json().at("id"));
  const auto message = app.get("/api/messages/" + id);
  EXPECT_EQ(message.status, 200);
  EXPECT_NE(message.body.find(R"("encoding":"json","payload":{"n":1.10, "s":"}\""})"), std::string::npos)
      << message.body;
  const auto raw = app.get("/api/messages/" + id, "Accept: application/octet-stream\r\n");
  EXPECT_EQ(raw.body, R"({"n":1.10, "s":"}\""})");
}

TEST_F(Api_, raw_bytes_come_back_as_they_went_in_or_as_base64) {
  const std::string bytes("\0\xff\r\n raw", 8);
  const auto stored = app.call("POST", "/api/messages?stream=raw/bytes", bytes);
  EXPECT_EQ(stored.status, 201) << stored.body;
  const auto id = text(stored.json().at("id"));
  EXPECT_EQ(app.get("/api/messages/" + id, "Accept: application/octet-stream\r\n").body, bytes);
  const auto message = app.get("/api/messages/" + id).json();
  EXPECT_EQ(message.at("encoding"), "base64");
  EXPECT_EQ(from_base64(text(message.at("payload"))).value(), bytes);
}

TEST_F(Api_, payload_base64_is_raw_bytes_in_json) {
  const auto stored = app.post_json(R"({"stream":"a","payload_base64":"AP8="})");
  const auto raw = app.get("/api/messages/" + text(stored.json().at("id")), "Accept: application/octet-stream\r\n");
  EXPECT_EQ(raw.body, std::string("\0\xff", 2));
}

TEST_F(Api_, a_content_stream_takes_the_true_id_of_the_bytes_and_stays_so) {
  const auto stored = app.call("POST", "/api/messages?stream=ledger&identity=content", "block");
  EXPECT_EQ(stored.status, 201);
  EXPECT_EQ(text(stored.json().at("id")), content_id("block").hex());
  EXPECT_EQ(app.call("POST", "/api/messages?stream=ledger", "block").status, 200);
  const auto conflict = app.call("POST", "/api/messages?stream=ledger&identity=event", "other");
  EXPECT_EQ(conflict.status, 409);
  EXPECT_EQ(conflict.code(), "identity_conflict");
}

TEST_F(Api_, a_batch_is_answered_line_by_line) {
  const auto answer = app.call("POST", "/api/messages",
                               "{\"stream\":\"a\",\"payload\":1,\"key\":\"k\"}\nnonsense\n\n"
                               "{\"stream\":\"a\",\"payload\":1,\"key\":\"k\"}",
                               "Content-Type: application/x-ndjson\r\n");
  EXPECT_EQ(answer.status, 200);
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < answer.body.size();) {
    const auto end = answer.body.find('\n', at);
    lines.push_back(answer.body.substr(at, end - at));
    at = end + 1;
  }
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_EQ(boost::json::parse(lines[0]).at("status"), 201);
  EXPECT_EQ(boost::json::parse(lines[1]).at("status"), 400);
  EXPECT_EQ(boost::json::parse(lines[2]).at("error").at("code"), "invalid");
  EXPECT_EQ(boost::json::parse(lines[3]).at("duplicate"), true);
}

TEST_F(Api_, bad_input_is_400) {
  for (const char* body :
       {"", "{", "[]", "{}", R"({"stream":"a"})", R"({"payload":1})", R"({"stream":"a b","payload":1})",
        R"({"stream":"a","payload":1,"paylod":2})", R"({"stream":"a","payload":1,"identity":"both"})",
        R"({"stream":"a","payload":1,"source_time":"yesterday"})", R"({"stream":"a","payload_base64":"A"})",
        R"({"stream":7,"payload":1})", R"({"stream":"a","payload":1,"payload_base64":"AA=="})"}) {
    const auto answer = app.post_json(body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_EQ(answer.code(), "invalid") << body;
  }
  EXPECT_EQ(app.call("POST", "/api/messages", "x", "Content-Type: text/plain\r\n").status, 400);
  EXPECT_EQ(app.call("POST", "/api/messages?stream=a&identity=x", "x").status, 400);
  EXPECT_EQ(app.call("POST", "/api/messages?stream=a&sorce_time=1", "x").status, 400);
  EXPECT_EQ(app.call("POST", "/api/messages", "", "Content-Type: application/x-ndjson\r\n").status, 400);
  EXPECT_EQ(app.get("/api/messages/XYZ").status, 400);
  for (const char* query : {"limit=0", "limit=x", "from=x", "to=x", "time=x", "cursor=x", "form=1"}) {
    EXPECT_EQ(app.get(std::string("/api/streams/a/messages?") + query).status, 400) << query;
  }
}

TEST_F(Api_, what_is_not_there_is_404) {
  EXPECT_EQ(app.get("/nothing").status, 404);
  EXPECT_EQ(app.get("/api/messages/" + content_id("no").hex()).status, 404);
  const auto answer = app.get("/api/streams/none/messages");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.code(), "not_found");
}

TEST_F(Api_, the_wrong_method_is_405_with_Allow) {
  const auto answer = app.call("DELETE", "/api/streams");
  EXPECT_EQ(answer.status, 405);
  EXPECT_NE(answer.head.find("\r\nAllow: GET"), std::string::npos) << answer.head;
  EXPECT_EQ(app.get("/api/messages").status, 405);
}

TEST_F(Api_, too_large_is_413) {
  const auto payload = app.call("POST", "/api/messages?stream=a", std::string((std::size_t{1} << 20U) + 1, 'x'));
  EXPECT_EQ(payload.status, 413);
  EXPECT_EQ(payload.code(), "too_large");
  EXPECT_EQ(app.call("POST", "/api/messages?stream=a", std::string((std::size_t{4} << 20U) + 1, 'x')).status, 413);
  EXPECT_EQ(app.call("POST", "/api/messages", std::string(Desk::most_lines + 1, '\n'),
                     "Content-Type: application/x-ndjson\r\n")
                .status,
            413);
}

TEST_F(Api_, streams_are_listed_with_identity_count_and_times) {
  app.post_json(R"({"stream":"b","payload":1})");
  app.call("POST", "/api/messages?stream=a&identity=content", "xyz");
  const auto streams = app.get("/api/streams").json().at("streams").as_array();
  ASSERT_EQ(streams.size(), 2u);
  EXPECT_EQ(streams[0].at("name"), "a");
  EXPECT_EQ(streams[0].at("identity"), "content");
  EXPECT_EQ(streams[0].at("bytes"), 3);
  EXPECT_EQ(streams[1].at("count"), 1);
  EXPECT_TRUE(text(streams[1].at("first_arrival")).starts_with("2026-01-01T00:00:00"));
}

TEST_F(Api_, pages_follow_cursors_and_stay_stable_under_writes) {
  for (int i = 0; i < 5; ++i) app.post_json(R"({"stream":"a/b","payload":)" + std::to_string(i) + "}");
  std::vector<std::int64_t> seen;
  std::string cursor;
  for (bool more = true; more;) {
    const auto page = app.get("/api/streams/a%2Fb/messages?limit=2" + cursor);
    ASSERT_EQ(page.status, 200) << page.body;
    const auto json = page.json();
    for (const auto& message : json.at("messages").as_array()) seen.push_back(message.at("payload").as_int64());
    cursor = "&cursor=" + text(json.at("cursor"));
    more = json.at("more").as_bool();
    if (seen.size() == 2) app.post_json(R"({"stream":"a/b","payload":5})");
  }
  EXPECT_EQ(seen, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5}));
}

TEST_F(Api_, from_and_to_are_arrival_unless_time_is_source) {
  app.post_json(R"({"stream":"a","payload":1,"source_time":"2020-01-01T00:00:00Z"})");
  app.post_json(R"({"stream":"a","payload":2,"source_time":"2021-01-01T00:00:00Z"})");
  const auto count = [&](const std::string& query) {
    return app.get("/api/streams/a/messages?" + query).json().at("messages").as_array().size();
  };
  EXPECT_EQ(count("from=2025-12-31T00:00:00Z"), 2u);
  EXPECT_EQ(count("to=2025-12-31T00:00:00Z"), 0u);
  EXPECT_EQ(count("from=2020-06-01T00:00:00Z&time=source"), 1u);
  EXPECT_EQ(count("to=2020-06-01T00:00:00Z&time=source"), 1u);
}

TEST_F(Api_, info_healthz_readyz_service_and_the_home_page_answer) {
  app.post_json(R"({"stream":"a","payload":1})");
  EXPECT_EQ(app.get("/info").json().at("store").at("messages"), 1);
  EXPECT_EQ(app.get("/healthz").status, 200);
  EXPECT_EQ(app.get("/readyz").status, 200);
  EXPECT_NE(app.get("/").body.find("/api/messages"), std::string::npos);
  const auto tree = app.get("/service");
  EXPECT_EQ(tree.status, 200);
  EXPECT_NE(tree.body.find("\"desk-1\""), std::string::npos) << tree.body;
}

TEST_F(Api_, a_strange_host_or_origin_is_turned_away) {
  backstage_test::RawClient client(app.network(), {"127.0.0.1", 80});
  client.send("GET /info HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  app.settle();
  EXPECT_GE(AppWorld::parse(client.take()).status, 400);
  EXPECT_EQ(app.post_json(R"({"stream":"a","payload":1})", "Origin: http://evil.example\r\n").status, 403);
}

TEST_F(Api_, while_the_store_is_out_of_service_it_answers_503_with_Retry_After_and_still_reads) {
  const auto stored = app.post_json(R"({"stream":"a","payload":1})");
  app.disk->fail_sync(1);
  const auto failed = app.post_json(R"({"stream":"a","payload":2})");
  EXPECT_EQ(failed.status, 503);
  EXPECT_NE(failed.head.find("\r\nRetry-After: 1"), std::string::npos) << failed.head;
  EXPECT_EQ(app.post_json(R"({"stream":"a","payload":3})").status, 503);
  EXPECT_EQ(app.get("/readyz").status, 503);
  EXPECT_EQ(app.get("/healthz").status, 200);
  EXPECT_EQ(app.get("/api/messages/" + text(stored.json().at("id"))).status, 200);
  const auto batch =
      app.call("POST", "/api/messages", R"({"stream":"a","payload":1})", "Content-Type: application/x-ndjson\r\n");
  EXPECT_EQ(batch.status, 503);
  app.world.advance(1s);
  EXPECT_EQ(app.post_json(R"({"stream":"a","payload":4})").status, 201);
  EXPECT_EQ(app.get("/readyz").status, 200);
}

TEST_F(Api_, without_a_store_it_answers_503) {
  app.world.runtime().stop(app.store);
  app.settle();
  EXPECT_EQ(app.post_json(R"({"stream":"a","payload":1})").status, 503);
  EXPECT_EQ(app.get("/api/streams").status, 503);
  EXPECT_EQ(app.get("/healthz").status, 200);
}

TEST(ApiOverload, what_is_offered_at_once_is_stored_or_refused_with_503_and_nothing_is_lost) {
  AppWorld app;
  app.start_store({.count = 20, .bytes = std::size_t{1} << 20U});
  app.start_api({.desks = 2, .mailbox = 16, .max_connections = 512});
  std::vector<std::unique_ptr<backstage_test::RawClient>> clients;
  for (int i = 0; i < 100; ++i) {
    clients.push_back(
        std::make_unique<backstage_test::RawClient>(app.network(), backstage::net::Address{"127.0.0.1", 80}));
    clients.back()->send(AppWorld::wire("POST", "/api/messages?stream=a", std::to_string(i), ""));
  }
  app.settle();
  std::uint64_t stored = 0;
  std::uint64_t refused = 0;
  for (auto& client : clients) {
    const auto answer = AppWorld::parse(client->take());
    stored += answer.status == 201 ? 1U : 0U;
    refused += answer.status == 503 && answer.head.find("Retry-After") != std::string::npos ? 1U : 0U;
  }
  EXPECT_EQ(stored + refused, 100u);
  // What fitted the store's bound, and at most the first append, which was being written already.
  EXPECT_GE(stored, 20u);
  EXPECT_LE(stored, 21u);
  EXPECT_EQ(app.world.ask<GetStoreState>(app.store)->messages, stored);
}

TEST(ApiStop, L4_requests_in_flight_are_answered_before_it_ends) {
  AppWorld app;
  const auto api = app.start_api();
  backstage_test::RawClient client(app.network(), {"127.0.0.1", 80});
  client.send(AppWorld::wire("POST", "/api/messages?stream=a", "x", ""));
  app.world.runtime().stop(api);
  for (int i = 0; i < 200; ++i) {
    app.settle();
    app.world.advance(10ms);
  }
  EXPECT_EQ(AppWorld::parse(client.take()).status, 201);
  EXPECT_TRUE(client.ended());
}

}  // namespace
}  // namespace chronicle::test
