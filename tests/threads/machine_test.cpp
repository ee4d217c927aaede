// What the machine does to a program: one core for many workers, signals at any time, forks, no descriptors, no threads,
// little memory. Rows C9, C11, C12, C13 and C15 of the fault catalogue. Each takes back what it did to the process.
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <latch>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "backstage/exec/blocking_pool.hpp"
#include "backstage/net/network.hpp"
#include "threads/support.hpp"

namespace backstage::threads_test {
namespace {

using namespace std::chrono_literals;

struct Ping {};
struct Echo {
  bool handle(Ping) const { return true; }
};
/// Asks the echo so many times, one after the other.
struct Rounds {
  int count;
};
struct Asker {
  explicit Asker(Ref<Echo> e) : echo(e) {}
  Task<int> handle(Rounds rounds) {
    int answered = 0;
    for (int i = 0; i < rounds.count; ++i) {
      const auto answer = co_await echo.ask<Ping>().within(long_enough);
      if (answer.has_value()) ++answered;
    }
    co_return answered;
  }
  Ref<Echo> echo;
};

/// Pairs of actors that talk, on all workers; returns how many rounds were answered.
int talk(Runtime& runtime, int pairs, int rounds) {
  std::vector<PendingAnswer<int>> answers;
  std::vector<Ref<Asker>> askers;
  for (int i = 0; i < pairs; ++i) {
    const auto echo = runtime.spawn(child<Echo>(unnamed));
    askers.push_back(runtime.spawn(child<Asker>(unnamed, echo)));
  }
  for (std::size_t i = 1; i < askers.size(); ++i) {
    answers.push_back(runtime.ask<Rounds>(askers[i], rounds).polled_within(long_enough));
  }
  int answered = runtime.ask<Rounds>(askers.front(), rounds).within(long_enough).value();
  std::atomic<std::size_t> there{0};
  for (auto& answer : answers) {
    answer.on_ready([&there] {
      there.fetch_add(1);
      there.notify_all();
    });
  }
  for (std::size_t seen = 0; (seen = there.load()) < answers.size();) there.wait(seen);
  for (auto& answer : answers) answered += answer.poll()->value();
  return answered;
}

// ------------------------------------------------------------------------------------------------------- C9

TEST(MachineOnThreads, C9_eight_workers_on_one_core_make_progress_and_no_deadline_is_missed) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  cpu_set_t one;
  CPU_ZERO(&one);
  for (unsigned core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &before)) {
      CPU_SET(core, &one);
      break;
    }
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  {
    Runtime runtime(quiet(8));  // its threads inherit the one core
    EXPECT_EQ(talk(runtime, 16, 500), 16 * 500);
    expect_rest(runtime);
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
}

// ------------------------------------------------------------------------------------------------------ C11

std::atomic<std::uint64_t> signals_came{0};
void count_signal(int) { signals_came.fetch_add(1, std::memory_order_relaxed); }

/// Sends `signal` to this process without pause for as long as it lives: any thread that does not block it may get it.
class Rain {
 public:
  explicit Rain(int signal) : signal_(signal) {
    struct sigaction action{};
    action.sa_handler = &count_signal;  // no SA_RESTART: system calls return EINTR
    sigemptyset(&action.sa_mask);
    sigaction(signal_, &action, &before_);
    thread_ = std::thread([this] {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_BLOCK, &all, nullptr);
      while (!over_.load()) {
        kill(getpid(), signal_);
        std::this_thread::yield();
      }
    });
  }
  ~Rain() {
    over_.store(true);
    thread_.join();
    sigaction(signal_, &before_, nullptr);
  }
  Rain(const Rain&) = delete;
  Rain& operator=(const Rain&) = delete;

 private:
  int signal_;
  std::atomic<bool> over_{false};
  struct sigaction before_{};
  std::thread thread_;
};

TEST(MachineOnThreads, C11_a_rain_of_signals_costs_no_message_and_no_wake_up) {
  signals_came.store(0);
  {
    const Rain rain(SIGUSR1);
    Runtime runtime(quiet(4));
    EXPECT_EQ(talk(runtime, 4, 2'000), 4 * 2'000);
    // From outside each time: parking and waking, with calls that are interrupted.
    const auto echo = runtime.spawn<Echo>("echo");
    for (int i = 0; i < 500; ++i) ASSERT_TRUE(runtime.ask<Ping>(echo).within(long_enough).value());
    for (std::uint64_t seen = 0; (seen = signals_came.load()) < 1'000;) {
      ASSERT_TRUE(runtime.ask<Ping>(echo).within(long_enough).value());
    }
    expect_rest(runtime);
  }
  EXPECT_GE(signals_came.load(), 1'000U);
}

TEST(MachineOnThreads, C11_a_program_may_fork_while_actors_run) {
  Runtime runtime(quiet(4));
  const auto echo = runtime.spawn<Echo>("echo");
  std::vector<Ref<Asker>> askers;
  std::vector<PendingAnswer<int>> answers;
  for (int i = 0; i < 4; ++i) {
    askers.push_back(runtime.spawn(child<Asker>(unnamed, echo)));
    answers.push_back(runtime.ask<Rounds>(askers.back(), 2'000).polled_within(long_enough));
  }
  for (int i = 0; i < 20; ++i) {
    const pid_t child_id = fork();
    ASSERT_GE(child_id, 0);
    if (child_id == 0) _exit(7);  // has this thread alone, and nothing of the runtime may be used
    int status = 0;
    pid_t ended = 0;
    while ((ended = waitpid(child_id, &status, 0)) < 0 && errno == EINTR) {
    }
    ASSERT_EQ(ended, child_id);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7) << status;
  }
  std::atomic<std::size_t> there{0};
  for (auto& answer : answers) {
    answer.on_ready([&there] {
      there.fetch_add(1);
      there.notify_all();
    });
  }
  for (std::size_t seen = 0; (seen = there.load()) < answers.size();) there.wait(seen);
  for (auto& answer : answers) EXPECT_EQ(answer.poll()->value(), 2'000);
  expect_rest(runtime);
}

std::set<int> open_descriptors() {
  std::set<int> open;
  DIR* const folder = opendir("/proc/self/fd");
  while (const dirent* const entry = readdir(folder)) {
    if (entry->d_name[0] != '.') open.insert(std::atoi(entry->d_name));
  }
  open.erase(dirfd(folder));
  closedir(folder);
  return open;
}

/// Waits for what is to happen on the network's own thread.
class Came {
 public:
  void tell() {
    count_.fetch_add(1);
    count_.notify_all();
  }
  void wait_for(int count) {
    for (int seen = 0; (seen = count_.load()) < count;) count_.wait(seen);
  }

 private:
  std::atomic<int> count_{0};
};

/// Streams that echo until their peer goes.
class EchoServer {
 public:
  explicit EchoServer(net::Network& network) : network_(network) {
    listener_ = *network.listen({}, [this](std::unique_ptr<net::Stream> stream) {
      streams_.push_back(std::move(stream));
      accepted.tell();
      read(*streams_.back());
    });
  }
  ~EchoServer() {
    net::run_on(network_, [this] {
      streams_.clear();
      listener_.reset();
    });
  }
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;
  [[nodiscard]] net::Listener& listener() { return *listener_; }
  Came accepted;

 private:
  void read(net::Stream& stream) {
    stream.read(network_.clock().now() + long_enough, [this, &stream](Result<std::string_view> bytes) {
      if (!bytes || bytes->empty()) return;
      stream.write(std::string(*bytes), network_.clock().now() + long_enough, [this, &stream](Result<> written) {
        if (written) read(stream);
      });
    });
  }
  net::Network& network_;
  std::unique_ptr<net::Listener> listener_;
  std::vector<std::unique_ptr<net::Stream>> streams_;
};

/// A socket of the system's own, as a client would have it.
class Client {
 public:
  Client() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  [[nodiscard]] bool connect_to(std::uint16_t port) const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  [[nodiscard]] bool echoes() const {
    char back = 0;
    return send(socket_, "x", 1, MSG_NOSIGNAL) == 1 && recv(socket_, &back, 1, 0) == 1 && back == 'x';
  }
  void reset() {
    const linger hard{1, 0};
    setsockopt(socket_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

 private:
  int socket_;
};

TEST(MachineOnThreads, C11_all_descriptors_are_closed_by_an_exec) {
  const std::set<int> before = open_descriptors();
  const auto environment = real_environment();
  environment->open<net::Network>(net::asio_network(environment->clock()));
  auto& network = environment->door<net::Network>();
  EchoServer server(network);
  const Client client;
  ASSERT_TRUE(client.connect_to(server.listener().local_port()));
  ASSERT_TRUE(client.echoes());
  RuntimeOptions options = quiet(2);
  options.environment = environment;
  Runtime runtime(options);
  int checked = 0;
  for (const int descriptor : open_descriptors()) {
    if (before.contains(descriptor)) continue;
    ++checked;
    std::array<char, 256> name{};
    const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
    [[maybe_unused]] const auto length = readlink(link.c_str(), name.data(), name.size() - 1);
    EXPECT_NE(fcntl(descriptor, F_GETFD) & FD_CLOEXEC, 0) << descriptor << ' ' << name.data();
  }
  EXPECT_GE(checked, 3) << "a listener, its stream, and the client at least";
  expect_rest(runtime);
}

TEST(MachineOnThreads, C11_writing_to_a_peer_that_is_gone_raises_no_signal) {
  struct sigaction before{};
  struct sigaction fatal{};
  fatal.sa_handler = SIG_DFL;  // SIGPIPE would end this program
  sigaction(SIGPIPE, &fatal, &before);
  const auto environment = real_environment();
  const auto network = net::asio_network(environment->clock());
  std::unique_ptr<net::Stream> stream;
  Came accepted;
  auto listener = *network->listen({}, [&](std::unique_ptr<net::Stream> got) {
    stream = std::move(got);
    accepted.tell();
  });
  Client client;
  ASSERT_TRUE(client.connect_to(listener->local_port()));
  accepted.wait_for(1);
  client.reset();
  Came failed;
  // Until it fails: the first may still go into the system's buffer.
  std::function<void()> write = [&] {
    stream->write(std::string(100'000, 'x'), network->clock().now() + long_enough, [&](Result<> written) {
      if (!written) return failed.tell();
      write();
    });
  };
  network->post([&] { write(); });
  failed.wait_for(1);
  net::run_on(*network, [&] {
    stream.reset();
    listener.reset();
  });
  sigaction(SIGPIPE, &before, nullptr);
}

// ------------------------------------------------------------------------------------------------------ C12

TEST(MachineOnThreads, C12_without_descriptors_accept_waits_peers_live_and_nobody_is_lost) {
  const auto environment = real_environment();
  const auto network = net::asio_network(environment->clock());
  EchoServer server(*network);
  const Client early;
  ASSERT_TRUE(early.connect_to(server.listener().local_port()));
  server.accepted.wait_for(1);
  const Client late;  // has its descriptor already
  const Clock& clock = environment->clock();
  // All that is virtual has been called once: at the first call of each class UBSan needs descriptors of its own. What is
  // called after a write is known to have been called only when the next byte comes back.
  (void)clock.now();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(early.echoes());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit low = before;
  low.rlim_cur = 64;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  std::vector<int> taken;
  for (int copy = 0; (copy = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)) >= 0;) taken.push_back(copy);
  ASSERT_EQ(errno, EMFILE);

  const Instant began = clock.now();
  ASSERT_TRUE(late.connect_to(server.listener().local_port())) << "the system takes it into the backlog";
  while (server.listener().accept_failures() < 3) EXPECT_TRUE(early.echoes());
  EXPECT_GE(clock.now() - began, 200ms) << "it waits between two tries, and does not spin";
  EXPECT_TRUE(early.echoes());

  for (const int copy : taken) close(copy);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(late.echoes()) << "accepted as soon as there are descriptors again";
}

// ------------------------------------------------------------------------------------------------------ C13

/// In a process of its own that may have no more threads: exits 0 when what must hold holds.
[[noreturn]] void start_without_threads() {
  if (geteuid() == 0 && (setgid(65'534) != 0 || setuid(65'534) != 0)) _exit(10);  // root has no such limit
  const rlimit none{1, 1};
  if (setrlimit(RLIMIT_NPROC, &none) != 0) _exit(11);
  BlockingPool pool(4, 10);
  if (pool.submit([] { _exit(12); })) _exit(13);  // refused: not even a first thread
  try {
    Runtime runtime(quiet(4));
    _exit(14);
  } catch (const Need& need) {
    const std::string text = need.error().describe();
    std::fprintf(stderr, "%s\n", text.c_str());
    _exit(need.error().is(Errc::unavailable) && text.find("thread 1 of 5") != std::string::npos ? 0 : 15);
  } catch (...) {
    _exit(16);
  }
}

TEST(MachineOnThreads, C13_a_runtime_that_gets_no_threads_says_so_and_leaves_nothing) {
  EXPECT_EXIT(start_without_threads(), testing::ExitedWithCode(0), "could not be begun");
}

// ------------------------------------------------------------------------------------------------------ C15

struct Load {
  std::array<char, 200> bytes{};
};
struct Held {
  explicit Held(std::latch* f) : free(f) {}
  void handle(const Load&) { free->wait(); }
  std::latch* free;
};

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t pages = 0;
  std::size_t resident = 0;
  statm >> pages >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

TEST(MachineOnThreads, C15_a_flood_into_bounded_mailboxes_keeps_memory_under_its_cap) {
  constexpr int flood = 500'000;
  constexpr std::uint32_t bound = 1'000;
  std::latch free(1);
  Runtime runtime(quiet(2));
  const auto held = runtime.spawn(child<Held>("held", &free).mailbox(bounded(bound)));
  const std::size_t before = resident_bytes();
  for (int i = 0; i < flood; ++i) held.send(Load{});
  const std::size_t grown = resident_bytes() > before ? resident_bytes() - before : 0;
  const auto blocks = runtime.memory().live_blocks;
  EXPECT_LE(blocks, static_cast<std::int64_t>(bound) + 100);
#ifndef BACKSTAGE_SANITIZED
  // 500,000 messages are 110 MB; the thousand that are kept are 0.2. (Sanitizers keep what was freed.)
  EXPECT_LT(grown, std::size_t{16} << 20U);
#endif
  std::cout << "resident memory grew by " << grown / 1024 << " KiB under " << flood << " messages\n";
  EXPECT_GE(runtime.counts().count(Undelivered::full), static_cast<std::uint64_t>(flood) - bound - 10);
  free.count_down();
  expect_rest(runtime);
}

}  // namespace
}  // namespace backstage::threads_test
