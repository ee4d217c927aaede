// F1: no runnable actor waits for ever, also when a handler keeps its worker. Proved by the order of events: the
// handler gives its thread back only after those whom it seems to block have run. A broken promise hangs.
#include <atomic>
#include <latch>
#include <string>
#include <vector>

#include "threads/support.hpp"

namespace backstage::threads_test {
namespace {

using namespace std::chrono_literals;

struct Knock {};
struct Keep {};

struct Door {
  explicit Door(std::latch* opened) : opened_(opened) {}
  void handle(Knock) { opened_->count_down(); }
  std::latch* opened_;
};

/// Sends to all doors, then keeps its worker until each of them has run.
class Keeper {
 public:
  Keeper(std::vector<Ref<Door>> doors, std::latch* opened) : doors_(std::move(doors)), opened_(opened) {}
  bool handle(Keep) {
    for (const auto& door : doors_) door.send(Knock{});
    opened_->wait();
    return true;
  }

 private:
  std::vector<Ref<Door>> doors_;
  std::latch* opened_;
};

void expect_others_run(unsigned workers, unsigned doors) {
  std::latch opened(doors);
  Runtime runtime(quiet(workers));
  std::vector<Ref<Door>> to;
  for (unsigned i = 0; i < doors; ++i) to.push_back(runtime.spawn<Door>("door-" + std::to_string(i), &opened));
  const auto keeper = runtime.spawn<Keeper>("keeper", to, &opened);
  EXPECT_TRUE(runtime.ask<Keep>(keeper).within(long_enough).value());
  expect_rest(runtime);
}

TEST(FairnessOnThreads, F1_the_next_in_line_of_a_worker_that_is_kept_is_taken_over) { expect_others_run(2, 1); }
TEST(FairnessOnThreads, F1_the_queue_of_a_worker_that_is_kept_is_taken_over) { expect_others_run(2, 40); }
TEST(FairnessOnThreads, F1_a_queue_that_overflows_while_its_worker_is_kept_is_taken_over) {
  expect_others_run(2, 1'500);
}
TEST(FairnessOnThreads, F1_with_many_workers_too) { expect_others_run(8, 40); }

/// Keeps its worker in several steps: each next message is sent while it is known to be stuck already.
class StepKeeper {
 public:
  StepKeeper(std::vector<Ref<Door>> doors, std::vector<std::shared_ptr<std::latch>> opened)
      : doors_(std::move(doors)), opened_(std::move(opened)) {}
  bool handle(Keep) {
    for (std::size_t i = 0; i < doors_.size(); ++i) {
      doors_[i].send(Knock{});
      opened_[i]->wait();
    }
    return true;
  }

 private:
  std::vector<Ref<Door>> doors_;
  std::vector<std::shared_ptr<std::latch>> opened_;
};

TEST(FairnessOnThreads, F1_what_a_stuck_handler_goes_on_to_send_is_taken_over_as_well) {
  std::vector<std::shared_ptr<std::latch>> opened;
  Runtime runtime(quiet(2));
  std::vector<Ref<Door>> to;
  for (int i = 0; i < 10; ++i) {
    opened.push_back(std::make_shared<std::latch>(1));
    to.push_back(runtime.spawn<Door>("door-" + std::to_string(i), opened.back().get()));
  }
  const auto keeper = runtime.spawn<StepKeeper>("keeper", to, opened);
  EXPECT_TRUE(runtime.ask<Keep>(keeper).within(long_enough).value());
  expect_rest(runtime);
}

struct Nap {};
/// Sleeps; its timer belongs to the worker that ran it, which may be kept by somebody else by then.
class Sleeper {
 public:
  explicit Sleeper(std::latch* opened) : opened_(opened) {}
  Task<> handle(Nap, Context& cx) {
    co_await cx.sleep(30ms);
    opened_->count_down();
  }

 private:
  std::latch* opened_;
};
struct Waiter {
  explicit Waiter(std::latch* opened) : opened_(opened) {}
  bool handle(Keep) {
    opened_->wait();
    return true;
  }
  std::latch* opened_;
};

TEST(FairnessOnThreads, F1_the_timers_of_a_worker_that_is_kept_are_taken_over) {
  constexpr unsigned sleepers = 16;
  std::latch opened(sleepers);
  Runtime runtime(quiet(2));
  for (unsigned i = 0; i < sleepers; ++i) {
    runtime.spawn<Sleeper>("sleeper-" + std::to_string(i), &opened).send(Nap{});
  }
  const auto keeper = runtime.spawn<Waiter>("keeper", &opened);
  EXPECT_TRUE(runtime.ask<Keep>(keeper).within(long_enough).value());
  expect_rest(runtime);
}

struct Around {};
/// Sends to itself for ever: never idle until it is told that the other has had its turn.
class Spinner {
 public:
  explicit Spinner(std::latch* other) : other_(other) {}
  void handle(Around around, Context& cx) {
    if (!other_->try_wait()) cx.self(this).send(around);
  }

 private:
  std::latch* other_;
};

TEST(FairnessOnThreads, F1_actors_that_are_never_idle_let_others_run_on_the_same_worker) {
  std::latch opened(1);
  Runtime runtime(quiet(1));
  const auto door = runtime.spawn<Door>("door", &opened);
  for (int i = 0; i < 3; ++i) runtime.spawn<Spinner>("spinner-" + std::to_string(i), &opened).send(Around{});
  door.send(Knock{});
  opened.wait();
  expect_rest(runtime);
}

/// The one worker is kept until they have run, the other is never idle: it has a queue of its own all the time.
TEST(FairnessOnThreads, F1_a_queue_that_overflows_while_its_worker_is_kept_is_taken_over_by_one_that_is_never_idle) {
  constexpr unsigned doors = 1'500;
  std::latch opened(doors);
  Runtime runtime(quiet(2));
  std::vector<Ref<Door>> to;
  for (unsigned i = 0; i < doors; ++i) to.push_back(runtime.spawn<Door>("door-" + std::to_string(i), &opened));
  for (int i = 0; i < 3; ++i) runtime.spawn<Spinner>("spinner-" + std::to_string(i), &opened).send(Around{});
  const auto keeper = runtime.spawn<Keeper>("keeper", to, &opened);
  EXPECT_TRUE(runtime.ask<Keep>(keeper).within(long_enough).value());
  expect_rest(runtime);
}

/// Keeps its worker until all doors have been opened.
struct Guard {
  explicit Guard(std::latch* opened) : opened_(opened) {}
  void handle(Knock) { opened_->wait(); }
  std::latch* opened_;
};
/// As a Spinner, and tells of each step.
class Walker {
 public:
  Walker(std::latch* opened, std::atomic<unsigned>* steps) : opened_(opened), steps_(steps) {}
  void handle(Around around, Context& cx) {
    steps_->fetch_add(1);
    steps_->notify_all();
    if (!opened_->try_wait()) cx.self(this).send(around);
  }

 private:
  std::latch* opened_;
  std::atomic<unsigned>* steps_;
};
/// Waits until the other worker has a walker, and so is never idle. Then sends, in one message, to a few doors, the guard, all
/// other doors; and to a spinner, which stays here, at the end of the queue.
struct Messenger {
  bool handle(Keep) {
    steps_->wait(steps_->load());
    constexpr std::size_t few = 5;
    for (std::size_t i = 0; i < few; ++i) doors_[i].send(Knock{});
    guard_.send(Knock{});
    for (std::size_t i = few; i < doors_.size(); ++i) doors_[i].send(Knock{});
    spinner_.send(Around{});
    return true;
  }
  std::atomic<unsigned>* steps_;
  std::vector<Ref<Door>> doors_;
  Ref<Guard> guard_;
  Ref<Spinner> spinner_;
};

/// Whoever runs the guard has taken back some of the doors with it; the other never comes to steal.
TEST(FairnessOnThreads, F1_what_a_worker_that_is_kept_has_taken_back_of_an_overflow_is_taken_over) {
  constexpr unsigned doors = 600;
  std::latch opened(doors);
  std::atomic<unsigned> steps{0};
  Runtime runtime(quiet(2));
  std::vector<Ref<Door>> to;
  for (unsigned i = 0; i < doors; ++i) to.push_back(runtime.spawn<Door>("door-" + std::to_string(i), &opened));
  const auto guard = runtime.spawn<Guard>("guard", &opened);
  const auto spinner = runtime.spawn<Spinner>("spinner", &opened);
  const auto messenger = runtime.spawn<Messenger>("messenger", &steps, to, guard, spinner);
  runtime.spawn<Walker>("walker", &opened, &steps).send(Around{});
  EXPECT_TRUE(runtime.ask<Keep>(messenger).within(long_enough).value());
  opened.wait();
  expect_rest(runtime);
}

struct Peer;
using Peers = std::vector<Ref<Peer>>;
struct Begin {
  unsigned rounds;
};
struct Ping {
  std::uint32_t from;
};
struct Pong {};
struct Pings {};

/// Sends a ping to one of the others whenever its last one was answered, until it has had all its answers.
struct Peer {
  Peer(const Peers* peers, std::uint32_t me, std::latch* done) : peers_(peers), me_(me), done_(done) {}
  void handle(Begin begin) {
    left_ = begin.rounds;
    next();
  }
  void handle(Ping ping) {
    ++pings_;
    (*peers_)[ping.from].send(Pong{});
  }
  void handle(Pong) { next(); }
  std::uint64_t handle(Pings) const { return pings_; }

 private:
  void next() {
    if (left_-- == 0) return done_->count_down();
    (*peers_)[(me_ + 1 + left_ * 7'919U) % peers_->size()].send(Ping{me_});
  }
  const Peers* peers_;
  std::uint32_t me_;
  std::latch* done_;
  unsigned left_ = 0;
  std::uint64_t pings_ = 0;
};

class ManyOnThreads : public WithWorkers {};

/// Far more are ready than all queues hold, for as long as it takes.
TEST_P(ManyOnThreads, F1_thousands_that_keep_each_other_busy_all_come_to_their_end) {
  constexpr std::uint32_t count = 4'000;
  constexpr unsigned rounds = 50;
  Peers peers;
  std::latch done(count);
  Runtime runtime(quiet(GetParam()));
  for (std::uint32_t i = 0; i < count; ++i) {
    peers.push_back(runtime.spawn<Peer>("peer-" + std::to_string(i), &peers, i, &done));
  }
  for (const auto& peer : peers) peer.send(Begin{rounds});
  done.wait();
  std::uint64_t pings = 0;
  for (const auto& peer : peers) pings += runtime.ask<Pings>(peer).within(long_enough).value();
  EXPECT_EQ(pings, std::uint64_t{count} * rounds);
  expect_rest(runtime);
}
INSTANTIATE_TEST_SUITE_P(Workers, ManyOnThreads, worker_counts(), named);

}  // namespace
}  // namespace backstage::threads_test
