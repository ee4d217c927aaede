// L5 in real time: the real Chronicle, told to end by SIGINT or SIGTERM at a random moment, while it serves and from the first
// milliseconds of its life on. It always ends, within its deadline.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <map>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "drill/chronicle_process.hpp"

namespace chronicle::drill {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int runs = 200;
constexpr int starts = 50;

/// Chronicle from its very first instant: whoever waits until it listens never meets its start.
class Child {
 public:
  explicit Child(const std::string& data) {
    const std::vector<std::string> words{CHRONICLE_BINARY, "--data",   data,    "--port", "0",
                                         "--no-host",      "--no-apt", "--log", "error"};
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ != 0) return;
    std::FILE* const nowhere = std::freopen("/dev/null", "w", stdout);
    if (nowhere != nullptr) execv(argv[0], argv.data());
    _exit(127);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  void signal(int which) const { kill(pid_, which); }
  /// The exit code, or -signal; nothing if it has not ended within that time.
  std::optional<int> ended_within(Clock::duration patience) {
    for (const auto until = Clock::now() + patience; Clock::now() < until; std::this_thread::sleep_for(1ms)) {
      int status = 0;
      if (waitpid(pid_, &status, WNOHANG) != pid_) continue;
      pid_ = -1;
      return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }
    return std::nullopt;
  }

 private:
  pid_t pid_ = -1;
};

double milliseconds(Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

void print(const char* what, const std::map<int, int>& codes, std::vector<double> took) {
  std::sort(took.begin(), took.end());
  std::printf("%s: %zu runs; exit codes:", what, took.size());
  for (const auto& [code, times] : codes) std::printf(" %d x %d", code, times);
  std::printf("; from signal to end: median %.1f ms, 99th of 100 %.1f ms, longest %.1f ms\n", took[took.size() / 2],
              took[took.size() * 99 / 100], took.back());
}

TEST(SignalDrill, L5_a_signal_at_any_moment_ends_chronicle_in_order) {
  const DataFolder folder;
  std::mt19937 random(1);
  std::map<int, int> codes;
  std::vector<double> took;
  for (int run = 0; run < runs; ++run) {
    ChronicleProcess chronicle(folder.path());
    // While it is idle, or in the middle of requests.
    std::thread client([port = chronicle.port()] {
      Connection connection(port);
      while (connection.is_open() && connection.send("POST", "/api/messages?stream=drill", "x")) {
      }
    });
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 100'000));
    const auto told = Clock::now();
    const int code = chronicle.end(run % 2 == 0 ? SIGINT : SIGTERM);
    took.push_back(milliseconds(Clock::now() - told));
    client.join();
    ++codes[code];
    EXPECT_EQ(code, 0) << "run " << run;
    EXPECT_LT(took.back(), 11'000) << "run " << run;
  }
  print("while it serves", codes, took);
}

TEST(SignalDrill, L5_a_signal_while_chronicle_starts_ends_it_too) {
  const DataFolder folder;
  std::mt19937 random(2);
  std::map<int, int> codes;
  std::vector<double> took;
  for (int run = 0; run < starts; ++run) {
    const int which = run % 2 == 0 ? SIGINT : SIGTERM;
    Child chronicle(folder.path());
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 200'000));
    const auto told = Clock::now();
    chronicle.signal(which);
    const auto code = chronicle.ended_within(11s);
    ASSERT_TRUE(code) << "run " << run << ": still there 11 s after signal " << which;
    took.push_back(milliseconds(Clock::now() - told));
    ++codes[*code];
    // Before its launcher listens for signals the system ends it, as it ends any program.
    EXPECT_TRUE(*code == 0 || *code == -which) << "run " << run << ": " << *code;
  }
  print("while it starts", codes, took);
}

}  // namespace
}  // namespace chronicle::drill
