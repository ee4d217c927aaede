// The soak: minutes of chaos on real threads, and at the end of each round nothing may be left. Actors spawn, fail, stop,
// ask, sleep, set timers, watch and link each other and block on the pool; threads outside send, ask, monitor, stop, kill,
// restart, fail, suspend, inspect. Rounds go through 2 to 8 workers.
//
// BACKSTAGE_SOAK_SECONDS says for how long (./dev soak [seconds]); without it a round or two are run.
// Census after each round: actors, blocks of the pool (bodies, envelopes, timers, coroutine frames, answers), messages in
// flight, descriptors and threads of the process. All exact.
#include <dirent.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "backstage/base/random.hpp"
#include "threads/support.hpp"

namespace backstage::threads_test {
namespace {

using namespace std::chrono_literals;

enum class Did : std::uint8_t {
  sent,
  asked,
  answered,
  slept,
  timers,
  cancelled,
  thrown,
  spawned,
  started,
  waited_for_room,
  blocked,
  monitored,
  told_down,
  linked,
  piped,
  stopped,
  killed,
  restarted,
  made_to_fail,
  suspended,
  inspected,
  trees,
  ends_heard,
};
constexpr std::array<const char*, 23> did_names{"messages sent",
                                                "asks",
                                                "answers",
                                                "sleeps",
                                                "timers set",
                                                "timers cancelled",
                                                "exceptions",
                                                "spawns",
                                                "starts",
                                                "waits for room",
                                                "blocking jobs",
                                                "monitors",
                                                "downs",
                                                "links",
                                                "piped tasks",
                                                "stops",
                                                "kills",
                                                "restarts by order",
                                                "failures by order",
                                                "suspensions",
                                                "inspections",
                                                "service trees",
                                                "ends heard"};

class Player;

/// What a round shares: who is there, and what was done.
struct Stage {
  std::mutex mutex;
  std::vector<Ref<Player>> players;
  std::size_t next = 0;
  std::array<std::atomic<std::uint64_t>, did_names.size()> done{};

  void did(Did what) noexcept { done[static_cast<std::size_t>(what)].fetch_add(1, std::memory_order_relaxed); }
  void enter(const Ref<Player>& player) {
    const std::lock_guard lock(mutex);
    if (players.size() < 256) {
      players.push_back(player);
    } else {
      players[next++ % players.size()] = player;
    }
  }
  void leave(const Ref<Player>& player) {
    const std::lock_guard lock(mutex);
    std::erase(players, player);
  }
  [[nodiscard]] Ref<Player> somebody(std::uint64_t chance) {
    const std::lock_guard lock(mutex);
    return players.empty() ? Ref<Player>() : players[chance % players.size()];
  }
};

struct Cue {};
struct Later {};
struct Question {
  using reply = int;
};
struct Whisper {
  int hops;
};

/// Does something by chance at each message.
class Player {
 public:
  Player(Stage* stage, int depth) : stage_(stage), depth_(depth) {}
  Task<> init(Context& cx) {
    stage_->enter(cx.self(this));
    if (draw(cx, 16) == 0) co_await cx.sleep(200us);
    if (draw(cx, 64) == 0) fail();
    cx.strategy(static_cast<Strategy>(draw(cx, 3)));
    for (std::uint64_t i = depth_ > 0 ? 1 + draw(cx, 3) : 0; i != 0; --i) spawn(cx);
  }
  Task<> handle(Cue, Context& cx) {
    const auto other = stage_->somebody(draw(cx, 1U << 30U));
    switch (draw(cx, 20)) {
      case 0: fail(); break;
      case 1: {
        stage_->did(Did::asked);
        const auto answer = co_await other.ask<Question>().within(5ms);
        if (answer) stage_->did(Did::answered);
        break;
      }
      case 2:
        stage_->did(Did::slept);
        co_await cx.sleep(std::chrono::microseconds(draw(cx, 500)));
        break;
      case 3: co_await cx.yield(); break;
      case 4:
        for (std::uint64_t i = draw(cx, 8); i != 0; --i) {
          stage_->did(Did::timers);
          timers_.push_back(cx.send_after(std::chrono::microseconds(draw(cx, 20'000)), cx.self(this), Later{}));
        }
        break;
      case 5:
        for (Timer& timer : timers_) {
          if (timer.cancel()) stage_->did(Did::cancelled);
        }
        timers_.clear();
        break;
      case 6:
        if (cx.children() < 6) spawn(cx);
        break;
      case 7: {
        if (depth_ <= 0 || cx.children() >= 6) break;
        stage_->did(Did::started);
        const auto started = co_await cx.start(child<Player>(unnamed, stage_, 0)).within(2ms);
        if (started) cx.stop(started.value());
        break;
      }
      case 8: {
        stage_->did(Did::waited_for_room);
        (void)co_await other.send_wait(Whisper{1}).within(1ms);
        break;
      }
      case 9: {
        stage_->did(Did::blocked);
        auto job = [] {
          std::this_thread::yield();
          return 1;
        };
        (void)co_await cx.blocking(moved(job)).within(5ms);
        break;
      }
      case 10:
        stage_->did(Did::monitored);
        (void)cx.monitor(other, cx.self(this));
        break;
      case 11:
        stage_->did(Did::linked);
        try {
          cx.link(other);
        } catch (const Need&) {
          // It is gone already.
        }
        if (draw(cx, 2) == 0) cx.unlink(other);
        break;
      case 12:
        stage_->did(Did::piped);
        cx.pipe(whisper_later(cx), cx.self(this));
        break;
      case 13:
        if (draw(cx, 4) == 0) cx.stop();
        break;
      case 14: (void)other.try_send(Whisper{2}); break;
      default: whisper(cx, 3);
    }
  }
  void handle(Later, Context& cx) { whisper(cx, 1); }
  void handle(Whisper message, Context& cx) { whisper(cx, message.hops - 1); }
  int handle(Question, Context& cx) {
    if (draw(cx, 32) == 0) fail();
    return 1;
  }
  void handle(Down) { stage_->did(Did::told_down); }
  void handle(Eol<Player>) { stage_->did(Did::ends_heard); }
  Task<> terminating(Context& cx) {
    if (draw(cx, 32) == 0) co_await cx.sleep(100us);
    if (draw(cx, 64) == 0) fail();
  }

 private:
  static std::uint64_t draw(Context& cx, std::uint64_t n) { return cx.environment().chance().next() % n; }
  [[noreturn]] void fail() {
    stage_->did(Did::thrown);
    throw std::runtime_error("chaos");
  }
  void whisper(Context& cx, int hops) {
    if (hops <= 0) return;
    stage_->did(Did::sent);
    stage_->somebody(draw(cx, 1U << 30U)).send(Whisper{hops});
  }
  static Task<Whisper> whisper_later(Context& cx) {
    co_await cx.sleep(300us);
    co_return Whisper{1};
  }
  void spawn(Context& cx) {
    stage_->did(Did::spawned);
    Mailbox box = bounded(64);
    switch (draw(cx, 4)) {
      case 0: box = bounded(8).drop_oldest(); break;
      case 1: box = bounded(8).drop_newest(); break;
      case 2: box = bounded(64).bytes(1'024); break;
      default: break;
    }
    cx.spawn(child<Player>(unnamed, stage_, depth_ - 1)
                 .restart(static_cast<Restart>(draw(cx, 3)))
                 .backoff(Duration(10'000), 2ms)
                 .at_most(20, per(1s))
                 .retry_failed(static_cast<std::uint32_t>(draw(cx, 2)))
                 .on_stop(draw(cx, 2) == 0 ? drain : drop)
                 .on_restart(draw(cx, 2) == 0 ? OnRestart::keep : OnRestart::drop)
                 .live_for(draw(cx, 8) == 0 ? Duration(5ms) : Duration(0))
                 .stop_within(100ms)
                 .mailbox(box)
                 .on_end(cx.self(this)));
  }

  Stage* stage_;
  int depth_;
  std::vector<Timer> timers_;
};

/// One of the threads outside.
void stir(Runtime& runtime, Stage& stage, std::uint64_t seed, const std::atomic<bool>& over) {
  Random random(seed);
  while (!over.load(std::memory_order_relaxed)) {
    const auto one = stage.somebody(random.next());
    switch (random.below(2'048)) {
      case 0: stage.did(Did::stopped), runtime.stop(one); break;
      case 1: stage.did(Did::killed), runtime.kill(one); break;
      case 2: stage.did(Did::restarted), runtime.restart(one); break;
      case 3: stage.did(Did::made_to_fail), runtime.fail(one, Error("from outside")); break;
      case 4:
        stage.did(Did::suspended);
        runtime.suspend(one);
        runtime.resume(one);
        break;
      case 5: stage.did(Did::inspected), (void)runtime.inspect(one).within(2ms); break;
      case 7: {
        stage.did(Did::monitored);
        const auto monitor = runtime.monitor(one);
        if (monitor.poll()) stage.did(Did::told_down);
        break;
      }
      case 8:
        stage.did(Did::trees);
        (void)runtime.service_tree(5ms);
        break;
      case 9: one.send(Cue{}); break;
      default:
        stage.did(Did::sent);
        if (const Result<> in = one.try_send(Cue{}); !in && in.error().is(Errc::gone)) stage.leave(one);
    }
    // Not faster than they are: a stage of full mailboxes would show little else.
    if (random.below(16) == 0) {
      stage.did(Did::asked);
      if (runtime.ask<Question>(one).within(2ms)) stage.did(Did::answered);
    }
  }
}

/// Entries of a folder of /proc: descriptors, threads.
[[nodiscard]] std::size_t entries_of(const char* folder) {
  std::size_t count = 0;
  if (DIR* const open = opendir(folder)) {
    while (readdir(open) != nullptr) ++count;
    closedir(open);
  }
  return count;
}

[[nodiscard]] int seconds_asked_for() {
  const char* const text = std::getenv("BACKSTAGE_SOAK_SECONDS");
  return text != nullptr ? std::max(1, std::atoi(text)) : 4;
}

class Soak : public ::testing::Test {
 protected:
  void round(unsigned workers, std::uint64_t seed, std::chrono::milliseconds length) {
    Stage stage;
    Runtime runtime(quiet(workers));
    for (int i = 0; i < 8; ++i) top(runtime, stage);
    std::atomic<bool> over{false};
    std::vector<std::thread> outside;
    for (std::uint64_t i = 0; i < 2; ++i) {
      outside.emplace_back([&, i] { stir(runtime, stage, seed * 2 + i, over); });
    }
    std::mutex mutex;
    std::condition_variable never;
    const auto until = std::chrono::steady_clock::now() + length;
    while (std::chrono::steady_clock::now() < until) {
      std::unique_lock lock(mutex);
      never.wait_for(lock, 1ms);
      // Whoever was stopped for good is replaced, so that the stage is never empty.
      for (int i = 0; i < 4 && runtime.actors() < 150; ++i) top(runtime, stage);
    }
    over.store(true, std::memory_order_relaxed);
    for (std::thread& one : outside) one.join();
    most_actors_ = std::max(most_actors_, runtime.actors());
    expect_rest(runtime);
    messages_ += runtime.counts().sent;
    for (std::size_t i = 0; i < did_names.size(); ++i) done_[i] += stage.done[i].load();
  }

  static void top(Runtime& runtime, Stage& stage) {
    runtime.spawn(child<Player>(unnamed, &stage, 3).restart(Restart::always).backoff(10us, 1ms).at_most(unlimited));
  }

  void report(int rounds) const {
    std::printf("soak: %d rounds, %llu messages, at most %zu actors at an end of a round\n", rounds,
                static_cast<unsigned long long>(messages_), most_actors_);
    for (std::size_t i = 0; i < did_names.size(); ++i) {
      std::printf("  %-18s %12llu\n", did_names[i], static_cast<unsigned long long>(done_[i]));
    }
  }

  std::array<std::uint64_t, did_names.size()> done_{};
  std::uint64_t messages_ = 0;
  std::size_t most_actors_ = 0;
};

TEST_F(
    Soak,
    L4_M6_after_each_round_of_chaos_on_2_to_8_workers_actors_memory_messages_threads_and_descriptors_are_as_before) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds_asked_for());
  const auto length = std::min<std::chrono::milliseconds>(5s, std::chrono::seconds(seconds_asked_for()) / 2);
  // The first one brings what a process makes once (the log's, the libraries').
  round(2, 1, 200ms);
  const std::size_t descriptors = entries_of("/proc/self/fd");
  const std::size_t threads = entries_of("/proc/self/task");
  int rounds = 0;
  while (std::chrono::steady_clock::now() < until && !HasFailure()) {
    const unsigned workers = 2 + static_cast<unsigned>(rounds) % 7;
    round(workers, static_cast<std::uint64_t>(rounds) + 2, length);
    ++rounds;
    EXPECT_EQ(entries_of("/proc/self/fd"), descriptors) << "round " << rounds << ", " << workers << " workers";
    EXPECT_EQ(entries_of("/proc/self/task"), threads) << "round " << rounds << ", " << workers << " workers";
  }
  report(rounds);
  EXPECT_GT(rounds, 0);
  for (std::size_t i = 0; i < did_names.size(); ++i) {
    EXPECT_TRUE(rounds < 5 || done_[i] > 0) << did_names[i];
  }
}

}  // namespace
}  // namespace backstage::threads_test
