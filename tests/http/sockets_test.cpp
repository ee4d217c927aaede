// The server over real sockets on loopback: that the same code holds there, with threads.
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "backstage/http/client.hpp"
#include "backstage/http/router.hpp"

namespace {

using namespace std::chrono_literals;
namespace http = backstage::http;
namespace net = backstage::net;

TEST(Sockets, serve_clients_on_several_threads_answered_from_other_threads) {
  const auto environment = backstage::real_environment();
  environment->open<net::Network>(net::asio_network(environment->clock()));
  auto& network = environment->door<net::Network>();

  std::mutex mutex;
  std::vector<std::thread> answering;
  http::Router router;
  router.add("POST", "/echo", [&](http::Request request, http::Responder responder) {
    const std::lock_guard lock(mutex);
    answering.emplace_back([body = std::move(request.body), responder = std::move(responder)]() mutable {
      responder.answer(http::text_response(200, std::move(body)));
    });
  });
  const auto server = *http::Server::open(network, {}, std::move(router));

  std::atomic<int> right{0};
  std::vector<std::thread> clients;
  for (int c = 0; c < 4; ++c) {
    clients.emplace_back([&, c] {
      http::Client client(network, server->local());
      for (int i = 0; i < 25; ++i) {
        const std::string body = std::to_string(c) + ":" + std::to_string(i) + std::string(50'000, 'x');
        const auto response = client.post("/echo", body, "text/plain", 30s);
        // relaxed: read after the threads are joined.
        if (response && response->status == 200 && response->body == body) {
          right.fetch_add(1, std::memory_order_relaxed);
        }
      }
    });
  }
  for (auto& thread : clients) thread.join();
  for (auto& thread : answering) thread.join();
  EXPECT_EQ(right.load(), 100);
  EXPECT_EQ(server->counters().accepted, 4U);
  EXPECT_EQ(server->counters().requests, 100U);
}

TEST(Sockets, a_refusal_reaches_a_client_that_is_still_sending_its_body) {
  const auto environment = backstage::real_environment();
  const auto network = net::asio_network(environment->clock());
  const auto server = *http::Server::open(*network, {.max_body_bytes = 100'000}, http::Router());
  http::Client client(*network, server->local());
  // The server closes without having read all of this; 413 must not be lost to the reset that would follow.
  const auto response = client.post("/x", std::string(900'000, 'x'), "text/plain", 30s);
  ASSERT_TRUE(response) << response.error().describe();
  EXPECT_EQ(response->status, 413);
  const auto small = client.post("/x", "x", "text/plain", 30s);
  ASSERT_TRUE(small) << small.error().describe();
  EXPECT_EQ(small->status, 404);
}

TEST(Sockets, the_server_may_go_while_responders_and_clients_stay) {
  const auto environment = backstage::real_environment();
  const auto network = net::asio_network(environment->clock());
  std::optional<http::Responder> kept;
  std::atomic<bool> came{false};
  auto server = *http::Server::open(*network, {}, [&](const http::Request&, http::Responder responder) {
    kept = std::move(responder);
    // release: publishes `kept`; pairs with the acquire inside wait().
    came.store(true, std::memory_order_release);
    came.notify_all();
  });
  std::thread asking([&, at = server->local()] {
    http::Client client(*network, at);
    const auto response = client.get("/x", 30s);
    ASSERT_FALSE(response);
    EXPECT_TRUE(response.error().may_have_run());
  });
  came.wait(false, std::memory_order_acquire);
  server.reset();
  kept->answer(http::text_response(200, "too late"));
  asking.join();
}

TEST(Sockets, stop_ends_and_frees_the_port) {
  const auto environment = backstage::real_environment();
  const auto network = net::asio_network(environment->clock());
  auto server = *http::Server::open(*network, {}, http::Router());
  http::Client client(*network, server->local());
  ASSERT_TRUE(client.get("/x", 30s));
  std::atomic<bool> stopped{false};
  server->stop(30s, [&](std::size_t cut) {
    EXPECT_EQ(cut, 0U);
    // release/acquire as above.
    stopped.store(true, std::memory_order_release);
    stopped.notify_all();
  });
  stopped.wait(false, std::memory_order_acquire);
  const auto again = http::Server::open(*network, {.listen = server->local()}, http::Router());
  EXPECT_TRUE(again) << again.error().describe();
}

}  // namespace
