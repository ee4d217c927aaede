// The server on the memory network, under a clock moved by hand: keep-alive, limits, deadlines, answers, stopping.
#include "backstage/http/server.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <thread>

#include "backstage/http/client.hpp"
#include "world.hpp"

namespace {

using namespace std::chrono_literals;
using namespace backstage_test;

TEST(Server, answers_a_request_with_length_and_the_environments_date) {
  World world;
  EXPECT_EQ(world.exchange(get("/a%20b?x=1&y=z+w%2B")),
            "HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 21:30:29 GMT\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Content-Length: 11\r\n\r\nGET /a b 0 ");
  EXPECT_FALSE(world.last_ended);
  ASSERT_EQ(world.seen.size(), 1U);
  EXPECT_EQ(world.seen[0].query_value("x"), "1");
  EXPECT_EQ(world.seen[0].query_value("y"), "z w+");
  EXPECT_EQ(world.seen[0].remote.host, "127.0.0.1");
}

TEST(Server, keeps_a_connection_for_the_next_request) {
  World world;
  auto client = world.client();
  for (int i = 0; i < 3; ++i) {
    client.send(post("/x", "hello"));
    EXPECT_NE(client.take().find("POST /x 5 hello"), std::string::npos);
  }
  EXPECT_FALSE(client.ended());
  EXPECT_EQ(world.server->counters().accepted, 1U);
}

TEST(Server, answers_pipelined_requests_in_order_and_handles_one_at_a_time) {
  World world({}, false);
  auto client = world.client();
  client.send(get("/1") + post("/2", "two") + get("/3"));
  std::string answers;
  for (int i = 1; i <= 3; ++i) {
    ASSERT_EQ(world.seen.size(), static_cast<std::size_t>(i));
    world.waiting.back().answer(http::text_response(200, "answer " + std::to_string(i) + ";"));
    world.network->pump();
    answers += client.take();
  }
  EXPECT_LT(answers.find("answer 1;"), answers.find("answer 2;"));
  EXPECT_LT(answers.find("answer 2;"), answers.find("answer 3;"));
}

TEST(Server, does_not_read_a_pipelining_flood_before_the_first_is_answered) {
  World world({}, false);
  world.network->hold_at_most(1000);
  std::unique_ptr<net::Stream> stream;
  world.network->connect(world.server->local(), backstage::Instant::never(),
                         [&](backstage::Result<std::unique_ptr<net::Stream>> s) { stream = std::move(*s); });
  world.network->pump();
  std::string flood;
  for (int i = 0; i < 1000; ++i) flood += get("/x");
  bool all_taken = false;
  stream->write(flood, backstage::Instant::never(), [&](const backstage::Result<>&) { all_taken = true; });
  world.network->pump();
  EXPECT_EQ(world.seen.size(), 1U);
  EXPECT_FALSE(all_taken);
}

TEST(Server, takes_requests_byte_by_byte) {
  World world;
  world.network->deliver_at_most(1);
  EXPECT_NE(world.exchange(post("/x", "hello") + get("/y")).find("GET /y 0"), std::string::npos);
  EXPECT_NE(world
                .exchange("POST /x HTTP/1.1\r\nHost: localhost:8080\r\nTransfer-Encoding: Chunked\r\n\r\n"
                          "3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\n\r\n")
                .find("POST /x 5 hello"),
            std::string::npos);
  EXPECT_NE(world.exchange("POST /x HTTP/1.1\r\nHost: [::1]:8080\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
                .find("POST /x 0 "),
            std::string::npos);
}

TEST(Server, answers_HEAD_with_the_length_but_no_body) {
  World world;
  const std::string answer = world.exchange("HEAD /x HTTP/1.1\r\nHost: localhost:8080\r\n\r\n");
  EXPECT_NE(answer.find("Content-Length: 10\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST(Server, sends_no_length_with_204) {
  World world({}, false);
  auto client = world.client();
  client.send(get("/x"));
  world.waiting[0].answer({204, {}, {}});
  world.network->pump();
  EXPECT_EQ(client.take().find("Content-Length"), std::string::npos);
}

TEST(Server, tells_who_expects_it_to_continue_but_not_who_is_refused) {
  World world({.max_body_bytes = 10});
  auto client = world.client();
  const std::string head = "POST /x HTTP/1.1\r\nHost: localhost:8080\r\nExpect: 100-continue\r\nContent-Length: ";
  client.send(head + "5\r\n\r\n");
  EXPECT_EQ(client.take(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hello");
  EXPECT_EQ(status_of(client.take()), 200);
  client.send(head + "50\r\n\r\n");
  EXPECT_EQ(status_of(client.take()), 413);
}

TEST(Server, closes_after_HTTP_1_0_and_after_connection_close) {
  World world;
  EXPECT_EQ(status_of(world.exchange("GET /x HTTP/1.0\r\nHost: localhost:8080\r\n\r\n")), 200);
  EXPECT_TRUE(world.last_ended);
  EXPECT_NE(world.exchange(get("/x", "Connection: close\r\n")).find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(world.last_ended);
}

TEST(Server, accepts_an_absolute_target_of_its_own_host) {
  World world;
  EXPECT_NE(world.exchange(get("http://127.0.0.1:8080/y?a=b")).find("GET /y 0"), std::string::npos);
}

TEST(Server, still_answers_a_client_that_has_ended_its_side) {
  World world({}, false);
  auto client = world.client();
  client.send(get("/x"));
  client.end();
  world.waiting[0].answer(http::text_response(200, "late but fine"));
  world.network->pump();
  EXPECT_EQ(status_of(client.take()), 200);
}

// Deadlines (all on the network's timers).

TEST(Server, W1_gives_a_slow_head_up_after_its_deadline_however_steadily_it_drips) {
  World world;
  auto client = world.client();
  const std::string head = get("/x");
  for (std::size_t i = 0; i < 11; ++i) {
    client.send(head.substr(i, 1));
    EXPECT_EQ(client.take(), "") << i;
    world.run_for(900ms);
  }
  world.run_for(100ms);
  EXPECT_EQ(status_of(client.take()), 408);
  EXPECT_TRUE(client.ended());
}

TEST(Server, W1_closes_a_connection_that_never_says_anything) {
  World world;
  auto client = world.client();
  world.run_for(9999ms);
  EXPECT_FALSE(client.ended());
  world.run_for(2ms);
  EXPECT_TRUE(client.ended());
  EXPECT_EQ(client.take(), "");
}

TEST(Server, W1_closes_an_idle_connection_later_than_a_silent_one) {
  World world;
  auto client = world.client();
  client.send(get("/x"));
  client.take();
  world.run_for(59s);
  EXPECT_FALSE(client.ended());
  world.run_for(2s);
  EXPECT_TRUE(client.ended());
}

TEST(Server, W1_gives_a_slow_body_up) {
  World world;
  auto client = world.client();
  client.send("POST /x HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: 100\r\n\r\n");
  for (int i = 0; i < 30; ++i) {
    client.send("x");
    EXPECT_EQ(client.take(), "");
    world.run_for(1s);
  }
  EXPECT_EQ(status_of(client.take()), 408);
}

TEST(Server, W1_closes_a_client_that_does_not_read_its_answer) {
  World world({}, false);
  world.network->hold_at_most(10);
  std::unique_ptr<net::Stream> stream;
  world.network->connect(world.server->local(), backstage::Instant::never(),
                         [&](backstage::Result<std::unique_ptr<net::Stream>> s) { stream = std::move(*s); });
  world.network->pump();
  stream->write(get("/x"), backstage::Instant::never(), [](const backstage::Result<>&) {});
  world.network->pump();
  world.waiting.at(0).answer(http::text_response(200, std::string(1000, 'x')));
  world.run_for(29s);
  EXPECT_EQ(world.server->counters().connections, 1U);
  world.run_for(2s);
  EXPECT_EQ(world.server->counters().connections, 0U);
}

TEST(Server, W1_answers_503_for_a_handler_that_takes_too_long_and_drops_its_late_answer) {
  World world({}, false);
  auto client = world.client();
  client.send(get("/x"));
  world.run_for(31s);
  const std::string answer = client.take();
  EXPECT_EQ(status_of(answer), 503);
  EXPECT_NE(answer.find("Retry-After: 1\r\n"), std::string::npos);
  client.send(get("/y"));
  world.waiting[0].answer(http::text_response(200, "late"));
  world.network->pump();
  EXPECT_EQ(client.take(), "") << "a late answer must not answer the next request";
  world.waiting[1].answer(http::text_response(200, "in time"));
  world.network->pump();
  EXPECT_NE(client.take().find("in time"), std::string::npos);
  EXPECT_EQ(world.server->counters().late_answers, 1U);
}

// The Responder.

TEST(Responder, dropped_unanswered_answers_500) {
  World world({}, false);
  auto client = world.client();
  client.send(get("/x"));
  world.waiting.clear();
  world.network->pump();
  EXPECT_EQ(status_of(client.take()), 500);
  EXPECT_FALSE(client.ended());
}

TEST(Responder, a_handler_that_throws_answers_500_and_the_server_goes_on) {
  ManualClock clock;
  const auto network = net::memory_network(clock);
  const auto server =
      http::Server::open(*network, {.listen = {"127.0.0.1", 8080}}, [](const http::Request&, const http::Responder&) {
        throw 42;
      }).value_or(nullptr);
  RawClient client(*network, server->local());
  client.send(get("/x") + get("/y"));
  EXPECT_EQ(occurrences(client.take(), "HTTP/1.1 500"), 2U);
}

TEST(Responder, answers_once) {
  World world({}, false);
  auto client = world.client();
  client.send(get("/x"));
  world.waiting[0].answer(http::text_response(200, "first"));
  world.waiting[0].answer(http::text_response(200, "second"));
  EXPECT_FALSE(world.waiting[0].is_open());
  world.network->pump();
  const std::string answer = client.take();
  EXPECT_NE(answer.find("first"), std::string::npos);
  EXPECT_EQ(answer.find("second"), std::string::npos);
}

TEST(Responder, answers_from_another_thread) {
  World world({}, false);
  auto client = world.client();
  client.send(get("/x"));
  std::thread([responder = std::move(world.waiting[0])]() mutable {
    responder.answer(http::text_response(200, "from afar"));
  }).join();
  world.network->pump();
  EXPECT_NE(client.take().find("from afar"), std::string::npos);
}

TEST(Responder, may_answer_after_its_client_and_after_its_server_are_gone) {
  World world({}, false);
  auto first = world.client();
  first.send(get("/x"));
  first.hang_up();
  auto second = world.client();
  second.send(get("/y"));
  world.waiting[0].answer(http::text_response(200, "x"));
  world.network->pump();
  world.server.reset();
  world.waiting[1].answer(http::text_response(200, "y"));
  world.network->pump();
  EXPECT_EQ(second.take(), "");
  EXPECT_TRUE(second.ended());
}

// Limits.

TEST(Server, turns_connections_beyond_the_limit_away_with_503) {
  World world({.max_connections = 2});
  auto a = world.client();
  auto b = world.client();
  auto c = world.client();
  c.send(get("/x"));
  EXPECT_EQ(status_of(c.take()), 503);
  EXPECT_TRUE(c.ended());
  a.hang_up();
  auto d = world.client();
  d.send(get("/x"));
  EXPECT_EQ(status_of(d.take()), 200);
  EXPECT_EQ(world.server->counters().turned_away, 1U);
}

TEST(Server, answers_503_beyond_the_requests_in_flight_and_keeps_the_connection) {
  World world({.max_in_flight = 1}, false);
  auto a = world.client();
  auto b = world.client();
  a.send(get("/a"));
  b.send(post("/b", "body"));
  const std::string answer = b.take();
  EXPECT_EQ(status_of(answer), 503);
  EXPECT_NE(answer.find("Retry-After"), std::string::npos);
  EXPECT_FALSE(b.ended());
  world.waiting[0].answer(http::text_response(200, "a"));
  world.network->pump();
  b.send(get("/b"));
  EXPECT_EQ(world.seen.size(), 2U);
  a.hang_up();
  b.hang_up();
  world.waiting.clear();
  world.network->pump();
}

TEST(Server, bounds_the_bodies_of_all_requests_together) {
  World world({.max_body_bytes = 100, .max_bodies_bytes = 150}, false);
  auto a = world.client();
  auto b = world.client();
  a.send(post("/a", std::string(100, 'a')));
  b.send(post("/b", std::string(100, 'b')));
  EXPECT_EQ(status_of(b.take()), 503);
  world.waiting[0].answer(http::text_response(200, "a"));
  world.network->pump();
  auto c = world.client();
  c.send(post("/c", std::string(100, 'c')));
  EXPECT_EQ(world.seen.size(), 2U);
}

// Who may ask.

TEST(Guard, lets_only_allowed_hosts_in) {
  struct Case {
    std::string host;
    int status;
  };
  for (const Case& c : std::vector<Case>{{"127.0.0.1:8080", 200},
                                         {"localhost:8080", 200},
                                         {"LOCALHOST:8080", 200},
                                         {"[::1]:8080", 200},
                                         {"store.lan:8080", 200},
                                         {"proxy.lan:443", 200},
                                         {"localhost", 421},
                                         {"localhost:8081", 421},
                                         {"localhost.evil.example:8080", 421},
                                         {"evil.example:8080", 421},
                                         {"evil.example", 421},
                                         {"127.0.0.1.evil.example:8080", 421},
                                         {"proxy.lan:8080", 421},
                                         {"store.lan", 421},
                                         {"local host:8080", 400},
                                         {"localhost:8080/x", 400},
                                         {"localhost:8080,evil", 400}}) {
    World world({.allowed_hosts = {"store.lan", "proxy.lan:443"}});
    EXPECT_EQ(status_of(world.exchange("GET /x HTTP/1.1\r\nHost: " + c.host + "\r\n\r\n")), c.status) << c.host;
  }
  World any({.allowed_hosts = {"*"}});
  EXPECT_EQ(status_of(any.exchange("GET /x HTTP/1.1\r\nHost: what.ever\r\n\r\n")), 200);
}

TEST(Guard, lets_no_foreign_page_change_anything) {
  struct Case {
    std::string method;
    std::string headers;
    int status;
  };
  for (const Case& c :
       std::vector<Case>{{"POST", "", 200},
                         {"POST", "Origin: http://127.0.0.1:8080\r\n", 200},
                         {"POST", "Origin: http://localhost:8080\r\nSec-Fetch-Site: same-origin\r\n", 200},
                         {"POST", "Origin: https://shop.example\r\nSec-Fetch-Site: cross-site\r\n", 200},
                         {"POST", "Sec-Fetch-Site: same-origin\r\n", 200},
                         {"POST", "Sec-Fetch-Site: none\r\n", 200},
                         {"GET", "Origin: http://evil.example\r\n", 200},
                         {"HEAD", "Sec-Fetch-Site: cross-site\r\n", 200},
                         {"POST", "Origin: null\r\n", 403},
                         {"POST", "Origin:\r\n", 403},
                         {"POST", "Origin: http://evil.example\r\n", 403},
                         {"POST", "Origin: https://localhost:8080\r\n", 403},
                         {"POST", "Origin: http://localhost:3000\r\nSec-Fetch-Site: same-site\r\n", 403},
                         {"POST", "Origin: http://localhost:8080.evil.example\r\n", 403},
                         {"POST", "Origin: https://shop.example.evil\r\n", 403},
                         {"POST", "Sec-Fetch-Site: cross-site\r\n", 403},
                         {"POST", "Origin: http://localhost:8080\r\nSec-Fetch-Site: cross-site\r\n", 403},
                         {"PUT", "Origin: http://evil.example\r\n", 403},
                         {"DELETE", "Origin: http://evil.example\r\n", 403},
                         {"BREW", "Origin: http://evil.example\r\n", 403},
                         {"POST", "Origin: http://localhost:8080\r\nOrigin: http://evil.example\r\n", 400}}) {
    World world({.allowed_origins = {"https://shop.example"}});
    const std::string answer = world.exchange(c.method + " /x HTTP/1.1\r\nHost: localhost:8080\r\n" + c.headers +
                                              "Content-Length: 0\r\n\r\n");
    EXPECT_EQ(status_of(answer), c.status) << c.method << ' ' << c.headers << answer;
    EXPECT_EQ(world.seen.size(), c.status == 200 ? 1U : 0U);
  }
}

// Stopping.

TEST(Server, stop_closes_what_is_idle_and_lets_requests_in_flight_end) {
  World world({}, false);
  auto idle = world.client();
  auto busy = world.client();
  busy.send(get("/x") + get("/never"));
  std::optional<std::size_t> cut;
  world.server->stop(5s, [&](std::size_t count) { cut = count; });
  world.network->pump();
  EXPECT_TRUE(idle.ended());
  EXPECT_FALSE(cut.has_value());
  world.waiting[0].answer(http::text_response(200, "done"));
  world.network->pump();
  const std::string answer = busy.take();
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  busy.hang_up();
  EXPECT_EQ(cut, 0U);
  EXPECT_EQ(world.seen.size(), 1U);
  http::Client late(*world.network, {"127.0.0.1", 8080});
  const auto refused = late.get("/x", 1s);
  ASSERT_FALSE(refused);
  EXPECT_FALSE(refused.error().may_have_run());
}

TEST(Server, stop_cuts_what_has_not_ended_by_its_deadline) {
  World world({}, false);
  auto busy = world.client();
  busy.send(get("/x"));
  std::optional<std::size_t> cut;
  world.server->stop(5s, [&](std::size_t count) { cut = count; });
  world.run_for(4s);
  EXPECT_FALSE(cut.has_value());
  world.run_for(2s);
  EXPECT_EQ(cut, 1U);
  EXPECT_TRUE(busy.ended());
}

TEST(Server, says_where_it_cannot_listen) {
  World world;
  const auto second = http::Server::open(*world.network, {.listen = {"127.0.0.1", 8080}}, http::Handler());
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().text().find("127.0.0.1:8080"), std::string_view::npos);
}

}  // namespace
