// One contract, two networks: sockets and their in-memory twin; then what only one of them can show.
#include "backstage/net/network.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "backstage/net/memory.hpp"
#include "manual_clock.hpp"

namespace {

using namespace std::chrono_literals;
namespace net = backstage::net;
using backstage::Errc;
using backstage::Instant;
using backstage::Result;
using backstage_test::ManualClock;

/// Both kinds, driven until something holds.
class Networks : public testing::TestWithParam<bool> {
 public:
  Networks() : environment(backstage::real_environment()) {
    if (GetParam()) {
      network = net::asio_network(environment->clock());
    } else {
      network = net::memory_network(environment->clock());
    }
  }
  /// Waits for the loop (or is the loop) until `done`.
  void until(const std::atomic<bool>& done) {
    // acquire: pairs with the release in finish().
    while (!done.load(std::memory_order_acquire)) {
      if (network->drive() == net::Network::Progress::elsewhere) done.wait(false, std::memory_order_acquire);
    }
  }
  static void finish(std::atomic<bool>& done) {
    // release: publishes what the callback wrote before.
    done.store(true, std::memory_order_release);
    done.notify_all();
  }
  [[nodiscard]] Instant soon() const { return network->clock().now() + 30s; }

  std::shared_ptr<backstage::Environment> environment;
  std::shared_ptr<net::Network> network;
};

TEST_P(Networks, carry_bytes_both_ways_and_tell_the_end) {
  std::unique_ptr<net::Stream> served;
  std::unique_ptr<net::Stream> mine;
  std::string received;
  std::string answer;
  std::atomic<bool> done{false};
  std::function<void()> serve = [&] {
    served->read(soon(), [&](const Result<std::string_view>& bytes) {
      ASSERT_TRUE(bytes);
      received += *bytes;
      if (!bytes->empty()) return serve();
      served->write("got " + std::to_string(received.size()), soon(), [&](const Result<>& r) { EXPECT_TRUE(r); });
    });
  };
  auto listener = network->listen({"127.0.0.1", 0}, [&](std::unique_ptr<net::Stream> stream) {
    served = std::move(stream);
    serve();
  });
  ASSERT_TRUE(listener) << listener.error().describe();
  EXPECT_NE((*listener)->local_port(), 0);
  network->connect((*listener)->local(), soon(), [&](Result<std::unique_ptr<net::Stream>> stream) {
    ASSERT_TRUE(stream) << stream.error().describe();
    mine = std::move(*stream);
    mine->write(std::string(3'000'000, 'x'), soon(), [&](const Result<>& written) {
      EXPECT_TRUE(written);
      mine->shutdown_write();
      mine->read(soon(), [&](const Result<std::string_view>& bytes) {
        ASSERT_TRUE(bytes);
        answer = *bytes;
        finish(done);
      });
    });
  });
  until(done);
  EXPECT_EQ(answer, "got 3000000");
  net::run_on(*network, [&] {
    served.reset();
    mine.reset();
    listener->reset();
  });
}

TEST_P(Networks, a_read_that_missed_its_deadline_loses_nothing) {
  std::unique_ptr<net::Stream> served;
  std::unique_ptr<net::Stream> mine;
  std::string received;
  std::atomic<bool> done{false};
  auto listener = network->listen({"127.0.0.1", 0}, [&](std::unique_ptr<net::Stream> stream) {
    served = std::move(stream);
    served->read(network->clock().now() + 1ms, [&](const Result<std::string_view>& nothing) {
      EXPECT_FALSE(nothing);
      EXPECT_TRUE(nothing.error().is(Errc::timeout));
      served->read(soon(), [&](const Result<std::string_view>& bytes) {
        received = bytes ? *bytes : "";
        finish(done);
      });
      mine->write("hello", soon(), [](const Result<>&) {});
    });
  });
  ASSERT_TRUE(listener);
  network->connect((*listener)->local(), soon(),
                   [&](Result<std::unique_ptr<net::Stream>> stream) { mine = std::move(*stream); });
  until(done);
  EXPECT_EQ(received, "hello");
  net::run_on(*network, [&] {
    served.reset();
    mine.reset();
    listener->reset();
  });
}

TEST_P(Networks, say_that_nobody_listens) {
  std::uint16_t port = 0;
  net::run_on(*network, [&] { port = (*network->listen({"127.0.0.1", 0}, [](auto) {}))->local_port(); });
  std::optional<backstage::Error> error;
  std::atomic<bool> done{false};
  network->connect({"127.0.0.1", port}, soon(), [&](const Result<std::unique_ptr<net::Stream>>& stream) {
    if (!stream) error = stream.error();
    finish(done);
  });
  until(done);
  ASSERT_TRUE(error.has_value());
  EXPECT_TRUE(error->is(Errc::unavailable));
}

TEST_P(Networks, timers_are_never_early_and_a_destroyed_one_does_not_fire) {
  std::unique_ptr<net::Timer> kept;
  bool cancelled_fired = false;
  std::atomic<bool> done{false};
  const Instant at = network->clock().now() + 2ms;
  Instant fired;
  network->post([&] {
    auto cancelled = network->start_timer(network->clock().now() + 1ms, [&] { cancelled_fired = true; });
    kept = network->start_timer(at, [&] {
      fired = network->clock().now();
      kept.reset();  // from inside its own callback
      finish(done);
    });
    cancelled.reset();
  });
  until(done);
  EXPECT_GE(fired, at);
  EXPECT_FALSE(cancelled_fired);
}

INSTANTIATE_TEST_SUITE_P(memory, Networks, testing::Values(false));
INSTANTIATE_TEST_SUITE_P(sockets, Networks, testing::Values(true));

TEST(AsioNetwork, names_what_it_cannot_listen_on) {
  const auto environment = backstage::real_environment();
  const auto network = net::asio_network(environment->clock());
  const auto name = network->listen({"no.such.name", 0}, [](auto) {});
  ASSERT_FALSE(name);
  EXPECT_NE(name.error().text().find("no.such.name"), std::string_view::npos);
  auto first = network->listen({"127.0.0.1", 0}, [](auto) {});
  const auto second = network->listen((*first)->local(), [](auto) {});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().text().find(net::to_string((*first)->local())), std::string_view::npos);
  net::run_on(*network, [&] { first->reset(); });
}

TEST(AsioNetwork, waits_instead_of_spinning_when_no_descriptor_is_left_and_accepts_when_there_is_one_again) {
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
  // UBSan asks the kernel, by a pipe, whether a vtable may be read: without a descriptor it reports what is none.
  GTEST_SKIP() << "the undefined-behaviour sanitizer itself needs a descriptor; the other builds run this";
#endif
#endif
  const auto environment = backstage::real_environment();
  const auto network = net::asio_network(environment->clock());
  std::atomic<bool> accepted{false};
  auto listener = network->listen({"127.0.0.1", 0}, [&](const std::unique_ptr<net::Stream>&) {
    // release: pairs with the acquire in wait().
    accepted.store(true, std::memory_order_release);
    accepted.notify_all();
  });
  ASSERT_TRUE(listener);
  net::run_on(*network, [] {});  // accepting has begun
  const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next_free = dup(client);
  close(next_free);
  const rlimit none{static_cast<rlim_t>(next_free), before.rlim_max};
  // Until the limit is lifted nothing here may need a descriptor, which excludes more than it seems: UBSan's look at
  // a vtable for the first time needs one.
  const Instant start = environment->clock().now();
  EXPECT_EQ((*listener)->accept_failures(), 0U);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons((*listener)->local_port());
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
  while ((*listener)->accept_failures() < 3) std::this_thread::yield();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  // Three failures have two waits of 100 ms between them; a spinning loop would need microseconds.
  EXPECT_GE(environment->clock().now() - start, 190ms);
  accepted.wait(false, std::memory_order_acquire);
  close(client);
  net::run_on(*network, [&] { listener->reset(); });
}

TEST(AsioNetwork, a_connection_that_nobody_takes_ends_at_its_deadline) {
  // A listener whose queue is full: the system drops what asks to come in, without a word.
  const int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(listening, reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
  ASSERT_EQ(listen(listening, 0), 0);
  socklen_t length = sizeof at;
  ASSERT_EQ(getsockname(listening, reinterpret_cast<sockaddr*>(&at), &length), 0);
  std::vector<int> queued;
  for (bool waits = false; !waits && queued.size() < 100;) {
    const int one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    queued.push_back(one);
    const bool connected = connect(one, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
    pollfd writable{one, POLLOUT, 0};
    waits = !connected && poll(&writable, 1, 0) == 0;
  }
  ASSERT_LT(queued.size(), 100U) << "the queue of a listener that asks for none does not fill";

  const auto environment = backstage::real_environment();
  const auto network = net::asio_network(environment->clock());
  std::optional<backstage::Error> error;
  std::atomic<bool> done{false};
  network->connect({"127.0.0.1", ntohs(at.sin_port)}, environment->clock().now() + 1ms,
                   [&](const Result<std::unique_ptr<net::Stream>>& stream) {
                     if (!stream) error = stream.error();
                     // release: publishes `error`.
                     done.store(true, std::memory_order_release);
                     done.notify_all();
                   });
  done.wait(false, std::memory_order_acquire);
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->describe(),
            "timeout: no connection to 127.0.0.1:" + std::to_string(ntohs(at.sin_port)) + " before the deadline");
  for (const int one : queued) close(one);
  close(listening);
}

TEST(MemoryNetwork, W1_gives_each_listener_a_port_of_its_own_and_says_when_none_is_left) {
  ManualClock clock;
  const auto network = net::memory_network(clock);
  std::vector<std::unique_ptr<net::Listener>> listeners;
  const auto open = [&](std::uint16_t port) {
    return network->listen({"127.0.0.1", port}, [](const std::unique_ptr<net::Stream>&) {});
  };
  for (int i = 0; i < 3; ++i) {
    auto listener = open(0);
    ASSERT_TRUE(listener);
    EXPECT_EQ((*listener)->local_port(), 49'152 + i);
    listeners.push_back(std::move(*listener));
  }
  for (int port = 49'155; port <= 65'535; ++port) {
    auto listener = open(static_cast<std::uint16_t>(port));
    ASSERT_TRUE(listener);
    listeners.push_back(std::move(*listener));
  }
  const auto none = open(0);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().describe(), "unavailable: no port is free in this memory network");
  listeners[1'000].reset();
  const auto again = open(0);
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->local_port(), 50'152);
}

TEST(MemoryNetwork, W1_delivers_nothing_by_itself_and_timers_only_as_its_clock_says) {
  ManualClock clock;
  const auto network = net::memory_network(clock);
  int fired = 0;
  const auto timer = network->start_timer(clock.now() + 1h, [&] { ++fired; });
  network->post([&] { ++fired; });
  EXPECT_EQ(fired, 0);
  EXPECT_EQ(network->pump(), 1U);
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(network->next_timer(), clock.now() + 1h);
  backstage_test::run_for(clock, *network, 59min);
  EXPECT_EQ(fired, 1);
  backstage_test::run_for(clock, *network, 1min);
  EXPECT_EQ(fired, 2);
}

}  // namespace
