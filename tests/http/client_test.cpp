// What the client makes of servers that do not keep to HTTP: cut off, silent, or talking something else.
#include "backstage/http/client.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "../net/manual_clock.hpp"

namespace {

using namespace std::chrono_literals;
using backstage::Errc;
using backstage::Instant;
using backstage::Result;
namespace http = backstage::http;
namespace net = backstage::net;

/// Answers the first bytes of a request with `answer` and, if it `ends`, with the end of the connection.
class Strange {
 public:
  Strange(net::Network& network, std::string answer, bool ends) : answer_(std::move(answer)), ends_(ends) {
    listener_ = *network.listen({"127.0.0.1", 8080}, [this](std::unique_ptr<net::Stream> stream) {
      stream_ = std::move(stream);
      stream_->read(Instant::never(), [this](const Result<std::string_view>&) { say(); });
    });
  }

 private:
  void say() {
    if (answer_.empty()) return end();
    stream_->write(answer_, Instant::never(), [this](const Result<>&) { end(); });
  }
  void end() {
    if (ends_) stream_->shutdown_write();
  }
  std::string answer_;
  bool ends_;
  std::unique_ptr<net::Listener> listener_;
  std::unique_ptr<net::Stream> stream_;
};

Result<http::Response> get_from(const std::string& answer, bool ends) {
  backstage_test::ManualClock clock;
  const auto network = net::memory_network(clock);
  const Strange server(*network, answer, ends);
  http::Client client(*network, {"127.0.0.1", 8080});
  return client.get("/x", 1h);
}

TEST(Client, an_answer_that_is_cut_off_is_no_answer) {
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
  ASSERT_TRUE(get_from(answer, true));
  const auto nothing = get_from("", true);
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().describe(), "unavailable: the server closed the connection unasked");
  for (std::size_t length = 1; length < answer.size(); ++length) {
    const auto cut = get_from(answer.substr(0, length), true);
    ASSERT_FALSE(cut) << length;
    EXPECT_TRUE(cut.error().is(Errc::unavailable)) << length;
    EXPECT_EQ(cut.error().text(), "the server closed the connection before its answer was complete") << length;
    EXPECT_TRUE(cut.error().may_have_run()) << length;
  }
}

TEST(Client, what_is_not_http_is_refused_as_malformed) {
  for (const std::string answer :
       {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 xyz OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n"}) {
    const auto response = get_from(answer, false);
    ASSERT_FALSE(response) << answer;
    EXPECT_TRUE(response.error().is(Errc::invalid)) << answer;
    EXPECT_TRUE(response.error().text().starts_with("the response is malformed: ")) << response.error().text();
    EXPECT_TRUE(response.error().may_have_run()) << answer;
  }
}

/// On a network that the caller drives nothing comes by itself: a wait would be one without end.
TEST(Client, W1_who_waits_for_a_silent_server_where_time_stands_still_hears_that_nothing_will_happen) {
  const auto response = get_from("", false);
  ASSERT_FALSE(response);
  EXPECT_TRUE(response.error().is(Errc::timeout));
  EXPECT_EQ(response.error().text(), "no answer, and nothing more would happen on this network by itself");
  EXPECT_TRUE(response.error().may_have_run());
}

}  // namespace
