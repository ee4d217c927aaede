// kill -9, again and again, while clients write: what was acknowledged is there afterwards.
#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <thread>
#include <vector>

#include "drill/chronicle_process.hpp"

namespace chronicle::drill {
namespace {

constexpr int cycles = 100;
constexpr int writers = 4;

std::string id_in(const std::string& body) {
  const auto at = body.find("\"id\":\"");
  return at == std::string::npos ? std::string() : body.substr(at + 6, 64);
}

bool has(Connection& connection, const std::string& id) {
  const auto answer = connection.send("GET", "/api/messages/" + id);
  return answer && answer->status == 200;
}

TEST(ChronicleKill, nothing_acknowledged_is_lost_in_100_kills) {
  const DataFolder folder;
  std::mt19937 random(1);
  std::vector<std::string> all;
  std::vector<std::string> fresh;  // acknowledged since the last kill
  std::size_t cut = 0;             // requests that the kill left without an answer
  for (int cycle = 0; cycle < cycles; ++cycle) {
    ChronicleProcess chronicle(folder.path());
    {
      Connection check(chronicle.port());
      for (const std::string& id : fresh) ASSERT_TRUE(has(check, id)) << "lost after kill " << cycle << ": " << id;
    }
    all.insert(all.end(), fresh.begin(), fresh.end());
    fresh.clear();
    std::vector<std::vector<std::string>> acknowledged(writers);
    std::vector<std::size_t> unanswered(writers);
    std::vector<std::thread> threads;
    for (std::size_t w = 0; w < writers; ++w) {
      threads.emplace_back([&, w, port = chronicle.port()] {
        Connection connection(port);
        for (int n = 0; connection.is_open(); ++n) {
          const std::string body = "cycle " + std::to_string(cycle) + " writer " + std::to_string(w) + " message " +
                                   std::to_string(n) + std::string(static_cast<std::size_t>(n % 7) * 100, 'x');
          const auto answer = connection.send("POST", "/api/messages?stream=kill/" + std::to_string(w), body);
          if (!answer) {
            ++unanswered[w];
          } else if (answer->status == 201) {
            acknowledged[w].push_back(id_in(answer->body));
          }
        }
      });
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10 + random() % 150));
    ASSERT_EQ(chronicle.end(SIGKILL), -SIGKILL);
    for (std::thread& thread : threads) thread.join();
    for (const auto& ids : acknowledged) fresh.insert(fresh.end(), ids.begin(), ids.end());
    for (const std::size_t n : unanswered) cut += n;
  }
  ChronicleProcess chronicle(folder.path());
  all.insert(all.end(), fresh.begin(), fresh.end());
  Connection check(chronicle.port());
  for (const std::string& id : all) ASSERT_TRUE(has(check, id)) << "lost: " << id;
  EXPECT_EQ(chronicle.end(SIGINT), 0);
  EXPECT_GT(all.size(), static_cast<std::size_t>(cycles));
  std::printf("kills %d, acknowledged %zu, cut off without an answer %zu, lost 0\n", cycles, all.size(), cut);
}

}  // namespace
}  // namespace chronicle::drill
