// Lane under the model checker: each node once and in order, one "it was empty" per filling, no lost command (M3).
#include <gtest/gtest.h>

#include <array>

#include "backstage/exec/detail/lane.hpp"
#include "model/checker.hpp"
#include "model/print.hpp"

namespace backstage {
namespace {

using std::memory_order;

struct Node {
  model::Plain<Node*> lane_next{nullptr};
  model::Plain<int> payload{0};
};

// The lane as it could be got wrong; `Bug` says how.
enum class Bug { none, says_empty_always, says_empty_never, relaxed_push, stores_instead_of_cas };

template <Bug bug>
class BuggyLane {
 public:
  bool push(Node* node) {
    auto* top = top_.load(memory_order::relaxed);
    if constexpr (bug == Bug::stores_instead_of_cas) {
      node->lane_next = top;
      top_.store(node, memory_order::seq_cst);
      return top == nullptr;
    }
    do node->lane_next = top;
    while (!top_.compare_exchange_weak(
        top, node, bug == Bug::relaxed_push ? memory_order::relaxed : memory_order::seq_cst, memory_order::relaxed));
    if constexpr (bug == Bug::says_empty_always) return true;
    if constexpr (bug == Bug::says_empty_never) return false;
    return top == nullptr;
  }
  Node* take_all() {
    Node* rest = top_.exchange(nullptr, memory_order::acquire);
    Node* first = nullptr;
    while (rest != nullptr) {
      Node* const next = rest->lane_next;
      rest->lane_next = first;
      first = rest;
      rest = next;
    }
    return first;
  }
  bool empty(memory_order order = memory_order::seq_cst) const { return top_.load(order) == nullptr; }

 private:
  ModelAtomics::Atomic<Node*> top_{nullptr};
};

// Pushers, and an owner that runs once for each push that found the lane empty.
template <class LaneType>
struct World {
  LaneType lane;
  std::array<Node, 4> nodes;
  ModelAtomics::Atomic<std::uint32_t> runs{0};  // how often the owner has been made to run
  std::array<int, 4> taken{};
  int total = 0;
  int last_of_first = 0;

  void push(int number) {
    auto& node = nodes[static_cast<std::size_t>(number - 1)];
    node.payload = number;
    if (lane.push(&node)) {
      runs.fetch_add(1, memory_order::release);
      ModelAtomics::wake_all(runs);
    }
  }
  void first() {
    push(1);
    push(2);
  }
  void second() { push(3); }
  void third() { push(4); }

  void take() {
    for (Node* node = lane.take_all(); node != nullptr;) {
      Node* const next = node->lane_next;
      const int number = node->payload;
      ++taken[static_cast<std::size_t>(number - 1)];
      ++total;
      if (number <= 2) {
        model::require(number > last_of_first, "the nodes of one pusher come in its order");
        last_of_first = number;
      }
      node = next;
    }
  }
  template <int Expected>
  void owner() {
    std::uint32_t done = 0;
    while (total < Expected) {
      auto asked = runs.load(memory_order::acquire);
      if (asked == done) {
        ModelAtomics::wait(runs, done);
        continue;
      }
      model::require(asked == done + 1, "one run is asked for between two takings");
      ++done;
      take();
    }
  }
  void at_end() {
    take();
    for (int count : taken) model::require(count <= 1, "no node came twice");
  }
};
template <class LaneType>
model::Report two_pushers(const model::Options& options = {.preemptions = 3, .old_reads = 1}) {
  using W = World<LaneType>;
  return model::check<W>(options, {{"first", &W::first}, {"second", &W::second}, {"owner", &W::template owner<3>}});
}
using RightLane = detail::Lane<Node, ModelAtomics>;

TEST(LaneModel, M3_every_command_is_taken_once_in_order_and_asked_for_once) {
  const auto report = two_pushers<RightLane>();
  EXPECT_TRUE(model::shown(report, "2 pushers (2 and 1)|owner, 3 preemptions, 1 old read").passed())
      << report.failure;
}
TEST(LaneModel, M3_one_pusher_and_the_owner_in_all_interleavings) {
  using W = World<RightLane>;
  const auto report = model::check<W>({}, {{"first", &W::first}, {"owner", &W::owner<2>}});
  EXPECT_TRUE(model::shown(report, "pusher of 2|owner").passed()) << report.failure;
}
TEST(LaneModel, M3_holds_in_many_random_schedules_of_three_pushers) {
  using W = World<RightLane>;
  const auto report =
      model::check<W>({.random = 250'000},
                      {{"first", &W::first}, {"second", &W::second}, {"third", &W::third}, {"owner", &W::owner<4>}});
  EXPECT_TRUE(model::shown(report, "3 pushers|owner, random").passed()) << report.failure;
}

// An owner that sleeps by its own state word, and a pusher that looks at that word: Dekker with empty().
template <memory_order Look>
struct Sleepy {
  RightLane lane;
  Node node;
  ModelAtomics::Atomic<std::uint32_t> asleep{0};
  void pusher() {
    lane.push(&node);
    if (asleep.load(memory_order::seq_cst) == 1) {
      asleep.store(0, memory_order::release);
      ModelAtomics::wake_one(asleep);
    }
  }
  void owner() {
    asleep.exchange(1, memory_order::seq_cst);
    if (lane.empty(Look)) {
      // A wake orders no memory; the owner acquires what its waker released.
      while (asleep.load(memory_order::acquire) == 1) ModelAtomics::wait(asleep, 1);
    }
    model::require(lane.take_all() != nullptr, "woken for something");
  }
};
TEST(LaneModel, M3_a_command_wakes_an_owner_that_goes_to_sleep) {
  using W = Sleepy<memory_order::seq_cst>;
  const auto report = model::check<W>({}, {{"pusher", &W::pusher}, {"owner", &W::owner}});
  EXPECT_TRUE(model::shown(report, "pusher|owner that sleeps").passed()) << report.failure;
}

// Controls: the bugs that the checker must find.
TEST(LaneModelControl, finds_nothing_wrong_with_the_right_lane_in_this_setting) {
  EXPECT_TRUE(two_pushers<BuggyLane<Bug::none>>({.preemptions = 2, .old_reads = 2}).passed());
}
TEST(LaneModelControl, finds_a_push_that_always_says_it_was_empty) {
  EXPECT_NE(two_pushers<BuggyLane<Bug::says_empty_always>>().failure.find("one run is asked for"), std::string::npos);
}
TEST(LaneModelControl, finds_a_push_that_never_says_it_was_empty) {
  EXPECT_NE(two_pushers<BuggyLane<Bug::says_empty_never>>().failure.find("deadlock"), std::string::npos);
}
TEST(LaneModelControl, finds_a_push_that_does_not_release) {
  EXPECT_NE(two_pushers<BuggyLane<Bug::relaxed_push>>().failure.find("data race"), std::string::npos);
}
TEST(LaneModelControl, finds_a_push_without_compare_exchange) {
  EXPECT_FALSE(two_pushers<BuggyLane<Bug::stores_instead_of_cas>>().passed());
}
TEST(LaneModelControl, finds_an_owner_that_only_acquires_before_it_sleeps) {
  using W = Sleepy<memory_order::acquire>;
  const auto report = model::check<W>({}, {{"pusher", &W::pusher}, {"owner", &W::owner}});
  EXPECT_NE(report.failure.find("deadlock"), std::string::npos) << report.summary();
}

}  // namespace
}  // namespace backstage
