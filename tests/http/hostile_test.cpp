// Requests that must not get through: each is answered with the right 4xx or 5xx, closes its connection, reaches no
// handler, and does so alike however the bytes are cut.
#include <gtest/gtest.h>

#include "world.hpp"

namespace {

namespace http = backstage::http;

using namespace std::chrono_literals;
using backstage_test::get;
using backstage_test::post;
using backstage_test::status_of;
using backstage_test::World;

struct Hostile {
  const char* name;
  std::string bytes;
  int status;
};

const std::string host = "Host: 127.0.0.1:8080\r\n";

std::string chunked(const std::string& body) {
  return "POST /x HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n" + body;
}
std::string with_length(const std::string& value) {
  return "POST /x HTTP/1.1\r\n" + host + "Content-Length:" + value + "\r\n\r\nhello";
}
std::string with_coding(const std::string& value) {
  return "POST /x HTTP/1.1\r\n" + host + "Transfer-Encoding: " + value + "\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
}

std::vector<Hostile> hostile_requests() {
  const std::string nul(1, '\0');
  std::string many;
  for (int i = 0; i < 101; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
  std::string many_pairs = "/x?";
  for (int i = 0; i < 101; ++i) many_pairs += "a=b&";
  return {
      // Framing: where does the body end?
      {"length and coding together",
       "POST /x HTTP/1.1\r\n" + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"coding and length together",
       "POST /x HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400},
      {"two equal lengths", "POST /x HTTP/1.1\r\n" + host + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
       400},
      {"two different lengths", "POST /x HTTP/1.1\r\n" + host + "Content-Length: 5\r\ncontent-length: 6\r\n\r\nhello",
       400},
      {"length as a list", with_length(" 5, 5"), 400},
      {"length empty", with_length(" "), 400},
      {"length with plus", with_length(" +5"), 400},
      {"length negative", with_length(" -1"), 400},
      {"length hexadecimal", with_length(" 0x5"), 400},
      {"length with underscore", with_length(" 5_0"), 400},
      {"length with a vertical tab", with_length(" \v5"), 400},
      {"length 2^64", with_length(" 18446744073709551616"), 400},
      {"length 2^64 + 5", with_length(" 18446744073709551621"), 400},
      {"coding with leading comma", with_coding(",chunked"), 400},
      {"coding chunked twice", with_coding("chunked, chunked"), 400},
      {"coding identity", with_coding("identity"), 400},
      {"coding gzip, chunked", with_coding("gzip, chunked"), 400},
      {"coding unknown", with_coding("xchunked"), 400},
      {"coding in quotes", with_coding("\"chunked\""), 400},
      {"two codings",
       "POST /x HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       400},
      {"coding in HTTP/1.0", "POST /x HTTP/1.0\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      // Chunks.
      {"chunk size empty", chunked("\r\nhello\r\n0\r\n\r\n"), 400},
      {"chunk size 0x5", chunked("0x5\r\nhello\r\n0\r\n\r\n"), 400},
      {"chunk size +5", chunked("+5\r\nhello\r\n0\r\n\r\n"), 400},
      {"chunk size with space before", chunked(" 5\r\nhello\r\n0\r\n\r\n"), 400},
      {"chunk size 2^64 + 5", chunked("10000000000000005\r\nhello\r\n0\r\n\r\n"), 400},
      {"chunk longer than its size", chunked("5\r\nhello!\r\n0\r\n\r\n"), 400},
      {"chunk ended with LF", chunked("5\r\nhello\n0\r\n\r\n"), 400},
      {"chunk line ended with LF", chunked("5\nhello\r\n0\r\n\r\n"), 400},
      {"chunk extension with CR inside", chunked("5;a\rb\r\nhello\r\n0\r\n\r\n"), 400},
      {"chunk extension with LF inside", chunked("5;a\nb\r\nhello\r\n0\r\n\r\n"), 400},
      {"chunk line without end", chunked("5;" + std::string(5000, 'a')), 400},
      {"trailers without end", chunked("0\r\nX: " + std::string(5000, 'a')), 400},
      {"trailer malformed", chunked("0\r\nno colon\r\n\r\n"), 400},
      {"chunk too large", chunked("ffffff\r\n"), 413},
      // Lines and fields.
      {"LF alone after the request line", "GET /x HTTP/1.1\n" + host + "\r\n", 400},
      {"LF alone after a header", "GET /x HTTP/1.1\r\nHost: 127.0.0.1:8080\n\r\n", 400},
      {"LF alone everywhere", "GET /x HTTP/1.1\nHost: 127.0.0.1:8080\n\n", 400},
      {"CR alone in a value", get("/x", "X: a\rb\r\n"), 400},
      {"CR alone as line end", "GET /x HTTP/1.1\rHost: 127.0.0.1:8080\r\r", 400},
      {"NUL in a value", get("/x", "X: a" + nul + "b\r\n"), 400},
      {"NUL in the target", get("/x" + nul), 400},
      {"control character in a value",
       get("/x",
           "X: a\x01"
           "b\r\n"),
       400},
      {"folded header", get("/x", "X: a\r\n b\r\n"), 400},
      {"first header folded", "GET /x HTTP/1.1\r\n Host: 127.0.0.1:8080\r\n\r\n", 400},
      {"space before the colon", get("/x", "X : a\r\n"), 400},
      {"length with a space before the colon", "POST /x HTTP/1.1\r\n" + host + "Content-Length : 5\r\n\r\nhello",
       400},
      {"empty header name", get("/x", ": a\r\n"), 400},
      {"header without colon", get("/x", "X\r\n"), 400},
      {"header name with a bracket", get("/x", "X[]: a\r\n"), 400},
      {"header name not ASCII", get("/x", "X\xc3\xa4: a\r\n"), 400},
      {"an empty line first", "\r\n" + get("/x"), 400},
      // The request line.
      {"no version", "GET /x\r\n" + host + "\r\n", 400},
      {"version lower case", "GET /x http/1.1\r\n" + host + "\r\n", 400},
      {"version 1.32", "GET /x HTTP/1.32\r\n" + host + "\r\n", 400},
      {"version 1.2", "GET /x HTTP/1.2\r\n" + host + "\r\n", 505},
      {"version 2.0", "GET /x HTTP/2.0\r\n" + host + "\r\n", 505},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"two spaces", "GET  /x HTTP/1.1\r\n" + host + "\r\n", 400},
      {"tab between", "GET\t/x HTTP/1.1\r\n" + host + "\r\n", 400},
      {"space in the target", "GET /x y HTTP/1.1\r\n" + host + "\r\n", 400},
      {"space at the end", "GET /x HTTP/1.1 \r\n" + host + "\r\n", 400},
      {"method no token", "G(T /x HTTP/1.1\r\n" + host + "\r\n", 400},
      {"method empty", " /x HTTP/1.1\r\n" + host + "\r\n", 400},
      {"target not ASCII", get("/\xc3\xa4"), 400},
      {"target with a fragment", get("/x#y"), 400},
      {"target without slash", get("x"), 400},
      {"target * with GET", get("*"), 400},
      {"CONNECT", "CONNECT 127.0.0.1:22 HTTP/1.1\r\n" + host + "\r\n", 501},
      {"TRACE", "TRACE /x HTTP/1.1\r\n" + host + "\r\n", 501},
      {"TLS hello", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), 400},
      // Paths.
      {"dot dot", get("/a/../b"), 400},
      {"dot dot encoded", get("/a/%2e%2E/b"), 400},
      {"dot dot half encoded", get("/a/.%2e"), 400},
      {"NUL encoded", get("/a%00b"), 400},
      {"percent at the end", get("/a%"), 400},
      {"percent with no hex", get("/a%zz"), 400},
      {"overlong UTF-8 slash", get("/a%c0%af"), 400},
      {"UTF-8 surrogate", get("/a%ed%a0%80"), 400},
      {"UTF-8 cut", get("/a%e2%82"), 400},
      {"percent wrong in the query", get("/a?b=%g0"), 400},
      {"too many query parameters", get(many_pairs), 400},
      // Host.
      {"no Host", "GET /x HTTP/1.1\r\n\r\n", 400},
      {"no Host in HTTP/1.0", "GET /x HTTP/1.0\r\n\r\n", 400},
      {"two Hosts", "GET /x HTTP/1.1\r\n" + host + host + "\r\n", 400},
      {"Host empty", "GET /x HTTP/1.1\r\nHost:\r\n\r\n", 400},
      {"Host with user", "GET /x HTTP/1.1\r\nHost: a@127.0.0.1:8080\r\n\r\n", 400},
      {"absolute target of another host", "GET http://evil.example/x HTTP/1.1\r\n" + host + "\r\n", 400},
      {"absolute target with user", "GET http://a@127.0.0.1:8080/x HTTP/1.1\r\n" + host + "\r\n", 400},
      {"absolute target of another scheme", "GET ftp://127.0.0.1:8080/x HTTP/1.1\r\n" + host + "\r\n", 400},
      // Sizes.
      {"target of 9 KiB", get("/" + std::string(9 * 1024, 'a')), 414},
      {"request line without end", std::string(20'000, 'a'), 414},
      {"one header of 20 KiB", get("/x", "X: " + std::string(20 * 1024, 'a') + "\r\n"), 431},
      {"more than 100 headers", get("/x", many), 431},
      {"length beyond the limit", with_length(" 999999999"), 413},
      {"expectation unknown", post("/x", "hello", "Expect: 200-maybe\r\n"), 417},
  };
}

TEST(Hostile, every_one_of_the_table_is_refused_and_closes_its_connection_in_one_piece_and_byte_by_byte) {
  const auto all = hostile_requests();
  ASSERT_GE(all.size(), 40U);
  for (const std::size_t piece : {std::size_t{16'384}, std::size_t{1}, std::size_t{7}}) {
    for (const Hostile& hostile : all) {
      SCOPED_TRACE(std::string(hostile.name) + ", delivered by " + std::to_string(piece));
      World world;
      world.network->deliver_at_most(piece);
      auto client = world.client();
      client.send(hostile.bytes);
      const std::string answer = client.take();
      EXPECT_EQ(status_of(answer), hostile.status) << answer;
      EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos) << answer;
      EXPECT_NE(answer.find(R"({"error":{"code":")"), std::string::npos) << answer;
      EXPECT_EQ(backstage_test::occurrences(answer, "Content-Length: "), 1U) << answer;
      EXPECT_TRUE(world.seen.empty());
      EXPECT_TRUE(client.ended());
      client.end();
      EXPECT_EQ(world.server->counters().connections, 0U);
    }
  }
}

TEST(Hostile, what_follows_a_refused_request_is_never_taken_for_one) {
  World world;
  const std::string answer =
      world.exchange("POST /x HTTP/1.1\r\n" + host +
                     "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get("/smuggled"));
  EXPECT_EQ(backstage_test::occurrences(answer, "HTTP/1.1 "), 1U);
  EXPECT_TRUE(world.seen.empty());
}

TEST(Hostile, a_byte_too_many_after_a_body_is_no_part_of_the_next_request) {
  World world;
  const std::string answer = world.exchange(post("/x", "hello") + "\r\n" + get("/y"));
  EXPECT_EQ(world.seen.size(), 1U);
  EXPECT_EQ(status_of(answer), 200);
  EXPECT_NE(answer.find("HTTP/1.1 400"), std::string::npos);
}

TEST(Hostile, a_trailer_is_dropped_and_never_becomes_a_header) {
  World world;
  world.exchange(chunked("5;a=b\r\nhello\r\n0\r\nX-Admin: yes\r\nHost: evil\r\n\r\n"));
  ASSERT_EQ(world.seen.size(), 1U);
  EXPECT_EQ(world.seen[0].body, "hello");
  EXPECT_FALSE(world.seen[0].headers.has("X-Admin"));
  EXPECT_EQ(world.seen[0].headers.count("Host"), 1U);
}

TEST(Hostile, a_body_too_large_is_refused_before_any_of_it_is_read) {
  World world({.max_body_bytes = 10});
  auto client = world.client();
  client.send("POST /x HTTP/1.1\r\n" + host + "Content-Length: 11\r\n\r\n");
  EXPECT_EQ(status_of(client.take()), 413);
}

TEST(Hostile, a_chunked_body_is_refused_with_the_chunk_that_makes_it_too_large) {
  World world({.max_body_bytes = 10});
  auto client = world.client();
  client.send(chunked("a\r\n0123456789\r\n"));
  EXPECT_EQ(client.take(), "");
  client.send("1\r\n");
  EXPECT_EQ(status_of(client.take()), 413);
}

TEST(Hostile, a_response_cannot_be_split_by_what_a_handler_puts_into_a_header) {
  World world({}, false);
  auto client = world.client();
  client.send(get("/x"));
  ASSERT_EQ(world.waiting.size(), 1U);
  world.waiting[0].answer(http::text_response(200, "x").with("X-Name", "a\r\nSet-Cookie: b"));
  world.network->pump();
  const std::string answer = client.take();
  EXPECT_EQ(status_of(answer), 500);
  EXPECT_EQ(answer.find("Set-Cookie"), std::string::npos);
}

}  // namespace
