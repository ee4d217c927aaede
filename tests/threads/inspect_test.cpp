// M3 and L4 on real workers: looking into actors that are stuck, and into actors that come and go meanwhile.
#include <atomic>
#include <latch>
#include <string>
#include <vector>

#include "threads/support.hpp"

namespace backstage::threads_test {

struct Hold {};
struct Ping {};
struct Fill {};

/// Keeps its thread until the test lets go.
class Holder {
 public:
  Holder(std::latch* inside, std::latch* release) : inside_(inside), release_(release) {}
  void handle(Hold) {
    inside_->count_down();
    release_->wait();
  }
  bool handle(Ping) const { return true; }
  void handle(Fill) {}

 private:
  std::latch* inside_;
  std::latch* release_;
};

namespace {

using namespace std::chrono_literals;

TEST(InspectOnThreads, M3_an_actor_that_does_not_give_its_turn_back_is_seen_from_outside_at_the_deadline) {
  std::latch inside(1);
  std::latch release(1);
  Runtime runtime(quiet(2));
  const auto holder = runtime.spawn(child<Holder>("holder", &inside, &release).mailbox(bounded(4)));
  holder.send(Hold{});
  inside.wait();
  for (int i = 0; i < 9; ++i) holder.send(Fill{});
  const Result<Inspection> seen = runtime.inspect(holder).within(20ms);
  ASSERT_TRUE(seen.has_value()) << seen.error().describe();
  const Inspection& stuck = seen.value();
  EXPECT_FALSE(stuck.responding);
  EXPECT_EQ(stuck.path, "/holder");
  EXPECT_NE(stuck.type.find("Holder"), std::string::npos);
  EXPECT_EQ(stuck.status, Status::running);
  EXPECT_NE(stuck.handling.find("Hold"), std::string::npos);
  EXPECT_GE(stuck.handling_since, Duration(20ms));
  EXPECT_EQ(stuck.mailbox, 4U);
  EXPECT_EQ(stuck.mailbox_bound, 4U);
  EXPECT_NE(stuck.text().find("DOES NOT RESPOND"), std::string::npos);

  const ServiceTree tree = runtime.service_tree(20ms);
  ASSERT_EQ(tree.root.children.size(), 1U);
  EXPECT_FALSE(tree.root.children[0].responding);
  EXPECT_NE(tree.root.children[0].handling.find("Hold"), std::string::npos) << tree.text();

  // Told while it is stuck, and obeyed as soon as it gives its turn back: what is queued waits.
  runtime.suspend(holder);
  release.count_down();
  const Inspection after = runtime.inspect(holder).within(long_enough).value();
  EXPECT_TRUE(after.responding);
  EXPECT_TRUE(after.suspended);
  EXPECT_EQ(after.handled, 1U);
  EXPECT_EQ(after.mailbox, 4U);
}

/// Lets the holder go as soon as it was told of.
struct Teller final : LogSink {
  explicit Teller(std::latch* r) : release(r) {}
  void write(const LogRecord& record) noexcept override {
    if (record.text != "still alive" || record.where != "/holder") return;
    for (const Field& field : record.fields) {
      if (field.key == "waits") waits = std::get<std::string_view>(field.value);
    }
    release->count_down();
  }
  std::latch* release;
  std::string waits;
};

TEST(InspectOnThreads, L4_who_is_stuck_at_the_deadline_is_logged_with_its_message_before_anything_is_given_up) {
  std::latch inside(1);
  std::latch release(1);
  const auto teller = std::make_shared<Teller>(&release);
  RuntimeOptions options = quiet(2);
  options.log_level = Level::error;
  options.log_sink = teller;
  Runtime runtime(options);
  const auto holder = runtime.spawn<Holder>("holder", &inside, &release);
  const auto other = runtime.spawn<Holder>("other", &inside, &release);
  EXPECT_TRUE(runtime.ask<Ping>(other).within(long_enough).value());
  holder.send(Hold{});
  inside.wait();
  (void)runtime.shutdown(20ms);
  EXPECT_TRUE(teller->waits.starts_with("in backstage::threads_test::Hold for ")) << teller->waits;
  const ServiceTree& alive = runtime.still_alive();
  ASSERT_EQ(alive.root.children.size(), 1U) << "the other one had ended\n" << alive.text();
  EXPECT_EQ(alive.root.children[0].name, "holder");
  EXPECT_FALSE(alive.root.children[0].responding);
}

struct Nap {};
struct Ask {
  Ref<Holder> whom;
};
/// Busy in many ways, and quick to go.
class Mayfly {
 public:
  Task<> handle(Nap, Context& cx) { co_await cx.sleep(50us); }
  Task<> handle(Ask ask) { (void)co_await ask.whom.ask<Ping>().within(1ms); }
  std::string describe() const { return "short-lived"; }
};

using ChurnOnThreads = WithWorkers;
INSTANTIATE_TEST_SUITE_P(Workers, ChurnOnThreads, worker_counts(), named);

TEST_P(ChurnOnThreads, M3_inspections_and_suspensions_of_actors_that_come_and_go_are_right_or_gone) {
  std::latch inside(1);
  std::latch release(1);
  Runtime runtime(quiet(GetParam()));
  const auto target = runtime.spawn<Holder>("target", &inside, &release);
  std::atomic<int> wrong{0};
  std::atomic<int> answered{0};
  on_threads(3, [&](unsigned me) {
    std::vector<Ref<Mayfly>> old;
    for (int i = 0; i < 150; ++i) {
      const std::string name = "mayfly-" + std::to_string(me) + "-" + std::to_string(i);
      const auto mayfly = runtime.spawn<Mayfly>(name);
      mayfly.send(Nap{});
      mayfly.send(Ask{target});
      runtime.suspend(mayfly);
      old.push_back(mayfly);
      if (i % 3 == 0) runtime.resume(mayfly);
      if (i % 2 == 0) runtime.stop(mayfly);
      for (const Ref<Mayfly>& one : {mayfly, old[old.size() / 2]}) {
        // A deadline that has passed already: what is seen from outside.
        const auto seen = i % 5 == 0 ? runtime.inspect(one).within(0s) : runtime.inspect(one).within(long_enough);
        if (!seen) {
          if (!seen.error().is(Errc::gone)) wrong.fetch_add(1);
          continue;
        }
        answered.fetch_add(1);
        const std::string expected = "/mayfly-" + std::to_string(me) + "-" +
                                     std::to_string(one == mayfly ? i : static_cast<int>(old.size() / 2));
        if (seen.value().path != expected) wrong.fetch_add(1);
        if (!seen.value().state.empty() && seen.value().state != "short-lived") wrong.fetch_add(1);
      }
    }
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(answered, 0);
  release.count_down();
  expect_rest(runtime);
}

}  // namespace
}  // namespace backstage::threads_test
