// Word that is left for an actor under the model checker (M3): each node run once and in order, whether the actor is parked,
// idle, running, or about to park; and a late word for a place that is just being made somebody else's.
#include <gtest/gtest.h>

#include <array>

#include "../src/actor/hand_over.hpp"
#include "model/checker.hpp"
#include "model/print.hpp"

namespace backstage {
namespace {

namespace signal = detail::signal;
using std::memory_order;

struct Node {
  model::Plain<Node*> lane_next{nullptr};
  model::Plain<int> number{0};
};
struct Message {
  ModelAtomics::Atomic<Message*> next{nullptr};
};
using Mailbox = detail::MessageList<Message, ModelAtomics>;
struct Place {
  ModelAtomics::Atomic<std::uint32_t> signals{0};
  Mailbox mailbox;
  detail::Lane<Node, ModelAtomics> lane;
  model::Plain<bool> has_left_in_lane{false};
  model::Plain<Node*> left_in_lane{nullptr};
  model::Plain<Node*> answered{nullptr};
  Mailbox::Owned queue;

  void leave_in_lane(Node* node) {
    has_left_in_lane = node != nullptr;
    left_in_lane = node;
  }
};

struct Right {
  static bool leave_word(Place& place, Node& node) { return detail::leave_word(place, node); }
};
/// An answer: put where it is waited for, if it can be (claim_asker()).
struct PutsIntoHands {
  static bool leave_word(Place& place, Node& node) {
    if (!detail::take_idle(place)) return detail::leave_word(place, node);
    if (detail::has_no_word(place)) {
      place.answered = &node;
    } else {
      place.lane.push(&node);
    }
    return true;
  }
};
/// What could be got wrong.
struct PutsIntoHandsBesideOtherWord {
  static bool leave_word(Place& place, Node& node) {
    if (!detail::take_idle(place)) return detail::leave_word(place, node);
    place.answered = &node;
    return true;
  }
};
struct NeverLooksIntoTheLane {
  static bool leave_word(Place& place, Node& node) {
    if (!detail::take_idle(place)) return detail::leave_word(place, node);
    node.lane_next = static_cast<Node*>(place.left_in_lane);
    place.leave_in_lane(&node);
    return true;
  }
};
struct HandsOverWhatItDoesNotOwn {
  static bool leave_word(Place& place, Node& node) {
    const bool is_ours = detail::take_idle(place);
    node.lane_next = nullptr;
    place.leave_in_lane(&node);
    return is_ours;
  }
};
struct LooksBeforeItPushes {
  static bool leave_word(Place& place, Node& node) {
    if (detail::take_idle(place)) {
      place.lane.push(&node);
      return true;
    }
    place.lane.push(&node);
    return false;
  }
};

struct AsksNotWhoseItIs {
  static bool leave_word(Place& place, Node& node) {
    if (!detail::take_idle(place)) return detail::leave_word(place, node);
    node.lane_next = nullptr;
    place.leave_in_lane(&node);
    return true;
  }
};

enum class Rests { parked, idle };

/// Two posters, the second of whom may know that the first has posted, and an owner that runs whenever it is scheduled.
template <class Poster, Rests rests>
struct World {
  Place place;
  std::array<Node, 3> nodes;
  ModelAtomics::Atomic<std::uint32_t> runs{0};
  ModelAtomics::Atomic<std::uint32_t> first_has_posted{0};
  bool second_knew = false;
  std::array<int, 3> when{};  // each was run, from 1 on
  int total = 0;

  World() {
    place.signals.store(rests == Rests::parked ? signal::alive | signal::parked : signal::alive,
                        memory_order::relaxed);
    if (rests == Rests::parked) (void)place.mailbox.wake();
  }
  void post(int number) {
    Node& node = nodes[static_cast<std::size_t>(number)];
    node.number = number;
    if (!Poster::leave_word(place, node)) return;
    runs.fetch_add(1, memory_order::release);
    ModelAtomics::wake_all(runs);
  }
  void first() {
    post(0);
    first_has_posted.store(1, memory_order::release);
    post(1);
  }
  void second() {
    second_knew = first_has_posted.load(memory_order::acquire) == 1;
    post(2);
  }
  void ran(Node& node) {
    int& at = when[static_cast<std::size_t>(int(node.number))];
    model::require(at == 0, "each node is run once");
    at = ++total;
  }
  void take() {
    if (Node* const node = place.answered; node != nullptr) {
      place.answered = nullptr;
      ran(*node);
    }
    for (;;) {
      if (!place.has_left_in_lane) place.leave_in_lane(place.lane.take_all());
      Node* const node = place.left_in_lane;
      if (node == nullptr) return;
      place.leave_in_lane(static_cast<Node*>(node->lane_next));
      ran(*node);
    }
  }
  /// As the run loop parks, and goes idle.
  void run() {
    for (;;) {
      take();
      if constexpr (rests == Rests::parked) {
        place.signals.fetch_or(signal::parked, memory_order::seq_cst);
        if (place.lane.empty(memory_order::seq_cst)) return;
        if ((place.signals.fetch_and(~signal::parked, memory_order::seq_cst) & signal::parked) == 0) return;
      } else {
        Message* retired = nullptr;
        if (!place.mailbox.try_idle(place.queue, retired)) continue;
        if (place.lane.empty(memory_order::seq_cst) || !place.mailbox.wake()) return;
      }
    }
  }
  template <int Expected>
  void owner() {
    std::uint32_t done = 0;
    while (total < Expected) {
      const auto asked = runs.load(memory_order::acquire);
      if (asked == done) {
        ModelAtomics::wait(runs, done);
        continue;
      }
      model::require(asked == done + 1, "it is scheduled once for each time that it gave itself up");
      ++done;
      run();
    }
  }
  void at_end() {
    if (when[0] != 0 && when[1] != 0) model::require(when[0] < when[1], "the nodes of one poster come in its order");
    if (second_knew) model::require(when[0] < when[2], "what had been posted before comes first");
  }
};
template <class Poster, Rests rests>
model::Report two_posters(const model::Options& options = {.preemptions = 3, .old_reads = 1}) {
  using W = World<Poster, rests>;
  return model::check<W>(options, {{"first", &W::first}, {"second", &W::second}, {"owner", &W::template owner<3>}});
}

TEST(HandOverModel, M3_word_for_a_parked_actor_is_run_once_and_in_order) {
  const auto report = two_posters<Right, Rests::parked>();
  EXPECT_TRUE(model::shown(report, "2 posters (2 and 1)|owner that parks, 3 preemptions, 1 old read").passed())
      << report.failure;
}
TEST(HandOverModel, M3_word_for_an_idle_actor_is_run_once_and_in_order) {
  const auto report = two_posters<Right, Rests::idle>();
  EXPECT_TRUE(model::shown(report, "2 posters (2 and 1)|owner that goes idle, 3 preemptions, 1 old read").passed())
      << report.failure;
}
TEST(HandOverModel, M3_answers_for_a_parked_actor_are_run_once_and_in_order) {
  const auto report = two_posters<PutsIntoHands, Rests::parked>();
  EXPECT_TRUE(model::shown(report, "2 who answer (2 and 1)|owner that parks, 3 preemptions, 1 old read").passed())
      << report.failure;
}
TEST(HandOverModel, M3_answers_for_an_idle_actor_are_run_once_and_in_order) {
  const auto report = two_posters<PutsIntoHands, Rests::idle>();
  EXPECT_TRUE(model::shown(report, "2 who answer (2 and 1)|owner that goes idle, 3 preemptions, 1 old read").passed())
      << report.failure;
}
TEST(HandOverModel, M3_holds_in_many_random_schedules) {
  const auto parked = two_posters<Right, Rests::parked>({.random = 100'000});
  EXPECT_TRUE(model::shown(parked, "2 posters|owner that parks, random").passed()) << parked.failure;
  const auto idle = two_posters<Right, Rests::idle>({.random = 100'000});
  EXPECT_TRUE(model::shown(idle, "2 posters|owner that goes idle, random").passed()) << idle.failure;
}

/// A late word for a place whose life is over, while a maker makes it somebody's (set_off_unnamed), and whoever runs it.
template <class Poster>
struct Birth {
  Place place;
  Node late;
  ModelAtomics::Atomic<std::uint32_t> runs{0};
  model::Plain<int> fields{0};  // of the new place
  int dropped = 0;
  bool started = false;

  void schedule() {
    runs.fetch_add(1, memory_order::release);
    ModelAtomics::wake_all(runs);
  }
  void poster() {
    if (Poster::leave_word(place, late)) schedule();
  }
  void maker() {
    fields = 1;
    place.left_in_lane = nullptr;
    place.signals.store(signal::alive, memory_order::release);
    bool is_ours = place.mailbox.wake();
    if (!is_ours) {
      place.signals.fetch_or(0, memory_order::seq_cst);
      is_ours = place.mailbox.wake();
    }
    if (is_ours) schedule();
  }
  void drop(Node* node) {
    for (; node != nullptr; node = static_cast<Node*>(node->lane_next)) ++dropped;
  }
  [[nodiscard]] bool is_alive(memory_order order) { return (place.signals.load(order) & signal::alive) != 0; }
  void run() {
    Message* retired = nullptr;
    for (;;) {
      if (!is_alive(memory_order::acquire)) {
        model::require(!place.has_left_in_lane, "in a place that is nobody's nothing stands but in the lane");
        Node* const node = place.lane.take_all();
        if (node != nullptr && is_alive(memory_order::seq_cst)) {
          place.leave_in_lane(node);
          continue;
        }
        drop(node);
        if (!place.mailbox.try_idle(place.queue, retired)) continue;
        if ((is_alive(memory_order::seq_cst) || !place.lane.empty(memory_order::seq_cst)) && place.mailbox.wake()) {
          continue;
        }
        return;
      }
      model::require(fields == 1, "who runs the new place sees its fields");
      started = true;
      drop(place.left_in_lane);
      place.leave_in_lane(nullptr);
      drop(place.lane.take_all());
      if (!place.mailbox.try_idle(place.queue, retired)) continue;
      if (place.lane.empty(memory_order::seq_cst) || !place.mailbox.wake()) return;
    }
  }
  void owner() {
    std::uint32_t done = 0;
    while (!started || dropped == 0) {
      if (runs.load(memory_order::acquire) == done) {
        ModelAtomics::wait(runs, done);
        continue;
      }
      ++done;
      run();
    }
  }
  void at_end() { model::require(dropped == 1, "a late word is dropped once"); }
};
TEST(HandOverModel, M3_late_word_for_a_place_that_is_being_made_somebodys_is_dropped_and_the_place_begins) {
  using W = Birth<Right>;
  const auto report =
      model::check<W>({.preemptions = 4}, {{"poster", &W::poster}, {"maker", &W::maker}, {"owner", &W::owner}});
  EXPECT_TRUE(model::shown(report, "late poster|maker|owner, 4 preemptions").passed()) << report.failure;
}

TEST(HandOverModelControl, finds_word_that_is_handed_over_in_a_place_that_is_nobodys) {
  using W = Birth<AsksNotWhoseItIs>;
  const auto report =
      model::check<W>({.preemptions = 3}, {{"poster", &W::poster}, {"maker", &W::maker}, {"owner", &W::owner}});
  // It writes where the new owner does.
  EXPECT_NE(report.failure.find("data race"), std::string::npos) << report.summary();
}

// Controls: the bugs that the checker must find.
TEST(HandOverModelControl, finds_word_that_overtakes_what_lies_in_the_lane) {
  const auto report = two_posters<NeverLooksIntoTheLane, Rests::parked>();
  EXPECT_NE(report.failure.find("order"), std::string::npos) << report.summary();
}
TEST(HandOverModelControl, finds_an_answer_that_overtakes_what_lies_in_the_lane) {
  EXPECT_FALSE((two_posters<PutsIntoHandsBesideOtherWord, Rests::parked>().failure.empty()));
}
TEST(HandOverModelControl, finds_a_poster_that_writes_what_is_the_owners) {
  EXPECT_FALSE((two_posters<HandsOverWhatItDoesNotOwn, Rests::parked>().failure.empty()));
  EXPECT_FALSE((two_posters<HandsOverWhatItDoesNotOwn, Rests::idle>().failure.empty()));
}
TEST(HandOverModelControl, finds_a_poster_that_looks_before_it_pushes) {
  EXPECT_NE((two_posters<LooksBeforeItPushes, Rests::parked>().failure.find("deadlock")), std::string::npos);
  EXPECT_NE((two_posters<LooksBeforeItPushes, Rests::idle>().failure.find("deadlock")), std::string::npos);
}

}  // namespace
}  // namespace backstage
