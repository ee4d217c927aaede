// F1: no runnable actor waits for ever, also when a handler keeps its worker. Proved by the order of events: the
// handler gives its thread back only after those whom it seems to block have run. A broken promise hangs.
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

}  // namespace
}  // namespace backstage::threads_test
