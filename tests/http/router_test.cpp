#include "backstage/http/router.hpp"

#include <gtest/gtest.h>

#include "backstage/http/client.hpp"
#include "world.hpp"

namespace {

using namespace std::chrono_literals;
using namespace backstage_test;
using backstage::Errc;

struct Routed {
  Routed() {
    http::Router router;
    const auto says = [](std::string what) {
      return [what](const http::Request& request, http::Responder responder) {
        std::string out = what;
        for (const auto& [name, value] : request.params) out += " " + name + "=" + value;
        responder.answer(http::text_response(200, out));
      };
    };
    router.add("GET", "/", says("root"))
        .add("GET", "/api/messages/{id}", says("one"))
        .add("GET", "/api/messages/latest", says("latest"))
        .add("POST", "/api/messages", says("post"))
        .add("GET", "/api/messages", says("list"))
        .add("DELETE", "/api/streams/{stream}/messages/{id}", says("delete"));
    server = *http::Server::open(*network, {}, std::move(router));
    client = std::make_unique<http::Client>(*network, server->local());
  }
  http::Response ask(const std::string& method, const std::string& target) {
    http::Request request;
    request.method = method;
    request.target = target;
    auto response = client->send(request, 1s);
    return response ? std::move(*response) : http::text_response(0, response.error().describe());
  }
  ManualClock clock;
  std::shared_ptr<net::MemoryNetwork> network = net::memory_network(clock);
  std::unique_ptr<http::Server> server;
  std::unique_ptr<http::Client> client;
};

TEST(Router, finds_the_route_and_its_parameters) {
  Routed world;
  EXPECT_EQ(world.ask("GET", "/").body, "root");
  EXPECT_EQ(world.ask("GET", "/api/messages").body, "list");
  EXPECT_EQ(world.ask("POST", "/api/messages").body, "post");
  EXPECT_EQ(world.ask("GET", "/api/messages/7?x=y").body, "one id=7");
  EXPECT_EQ(world.ask("GET", "/api/messages/latest").body, "latest");
  EXPECT_EQ(world.ask("GET", "/%61pi/messages/a%2Fb%20c").body, "one id=a/b c");
  EXPECT_EQ(world.ask("DELETE", "/api/streams/s/messages/9").body, "delete stream=s id=9");
}

TEST(Router, answers_404_for_an_unknown_path) {
  Routed world;
  for (const char* target : {"/no", "/api", "/api/", "/api/messages/", "/api/messages/7/", "/api/messages/7/8", "//",
                             "/API/messages", "/api//messages", "/api/streams//messages/9"}) {
    const auto response = world.ask("GET", target);
    EXPECT_EQ(response.status, 404) << target;
    EXPECT_TRUE(response.body.starts_with(R"({"error":{"code":"not_found","message":")")) << response.body;
  }
}

TEST(Router, answers_405_with_Allow_for_a_known_path_with_another_method) {
  Routed world;
  const auto response = world.ask("PUT", "/api/messages");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(response.headers.get("allow"), "POST, GET, HEAD, OPTIONS");
  EXPECT_EQ(world.ask("GET", "/api/streams/s/messages/9").headers.get("Allow"), "DELETE, OPTIONS");
}

TEST(Router, answers_HEAD_through_GET_and_OPTIONS_itself) {
  Routed world;
  const auto head = world.ask("HEAD", "/api/messages/7");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
  EXPECT_EQ(head.headers.get("Content-Length"), "8");
  EXPECT_EQ(world.ask("OPTIONS", "/api/messages").status, 204);
}

TEST(Router, refuses_patterns_that_cannot_be_meant) {
  const auto code_of = [](std::string_view pattern) {
    http::Router router;
    router.add("GET", "/there", {});
    try {
      router.add("GET", pattern, {});
    } catch (const backstage::Need& need) {
      return need.error().code();
    }
    return Errc::application;
  };
  EXPECT_EQ(code_of("/fine/{x}/{y}"), Errc::application);
  for (const char* pattern : {"", "x", "/{}", "/a{x}", "/{x}b", "/{x", "/{x}/{x}"}) {
    EXPECT_EQ(code_of(pattern), Errc::invalid) << pattern;
  }
  EXPECT_EQ(code_of("/there"), Errc::exists);
}

// The helpers beside it.

TEST(Uri, decodes_once_and_strictly) {
  EXPECT_EQ(http::percent_decode("a%2Fb%c3%a4+%25").value(), "a/b\xc3\xa4+%");
  EXPECT_EQ(http::percent_decode("%252e").value(), "%2e");
  EXPECT_FALSE(http::percent_decode(std::string_view("a\0b", 3)));
  for (const char* bad : {"%", "%4", "%zz", "%00", "%ff", "%c0%80", "%ed%a0%80", "%f4%90%80%80"}) {
    EXPECT_FALSE(http::percent_decode(bad)) << bad;
  }
  EXPECT_EQ(http::percent_decode(http::percent_encode("a/b c\xc3\xa4%~")).value(), "a/b c\xc3\xa4%~");
  const auto query = http::parse_query("a=1&&b&c=x%3Dy=z&a=2").value();
  EXPECT_EQ(query, (http::Pairs{{"a", "1"}, {"b", ""}, {"c", "x=y=z"}, {"a", "2"}}));
}

TEST(Message, makes_errors_into_answers) {
  EXPECT_EQ(http::error_response(404, "not_found", "no \"x\"\n\\").body,
            R"({"error":{"code":"not_found","message":"no \"x\"\u000a\\"}})");
  EXPECT_EQ(http::error_response(backstage::Error(Errc::invalid, "bad id")).status, 400);
  const auto busy = http::error_response(backstage::Error(Errc::full));
  EXPECT_EQ(busy.status, 503);
  EXPECT_TRUE(busy.headers.has("Retry-After"));
  EXPECT_EQ(http::unavailable_response(1500ms, "x").headers.get("Retry-After"), "2");
  EXPECT_EQ(http::http_date({784'111'777'000'000'000}), "Sun, 06 Nov 1994 08:49:37 GMT");
}

}  // namespace
