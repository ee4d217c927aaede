// What the client's parser makes of a response, by itself.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "http/parser.hpp"

namespace {

namespace http = backstage::http;

std::string body_of(std::string_view bytes, std::size_t piece) {
  http::ResponseParser parser(false, 1024);
  while (!bytes.empty()) {
    if (!parser.feed(bytes.substr(0, piece))) return "refused";
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  return parser.complete() ? std::to_string(parser.response().status) + " " + parser.response().body : "cut off";
}

TEST(ResponseParser, a_response_is_the_same_however_it_is_cut) {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t piece = 1; piece < 120; ++piece) {
    EXPECT_EQ(body_of(chunked + "0\r\n\r\n", piece), "200 ") << piece;
    EXPECT_EQ(body_of(chunked + "3\r\nabc\r\n1;x=y\r\nd\r\n0\r\nT: u\r\n\r\n", piece), "200 abcd") << piece;
    EXPECT_EQ(body_of("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nab", piece), "404 ab")
        << piece;
  }
}

}  // namespace
