// MessageList under the model checker: its promises (1) to (5), and that a word left elsewhere finds its owner.
#include "backstage/mailbox/detail/message_list.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>

#include "backstage/exec/detail/lane.hpp"
#include "model/checker.hpp"
#include "model/print.hpp"

namespace backstage {
namespace {

using std::memory_order;

struct alignas(8) Message {
  ModelAtomics::Atomic<Message*> next{nullptr};
  model::Plain<int> payload{0};
};
struct Command {
  model::Plain<Command*> lane_next{nullptr};
};

// Senders, and workers of which each runs the owner once per "schedule it" that it picks up. `in_hand`: the owner keeps in mind what it
// took last, as the run loop does.
template <class List, bool in_hand = false>
struct World {
  List list;
  typename List::Owned owned;
  std::array<std::optional<Message>, 3> messages;
  detail::Lane<Command, ModelAtomics> lane;
  Command command;
  ModelAtomics::Atomic<std::uint32_t> scheduled{0};  // runs asked for and not begun
  model::Plain<int> actor{0};                        // what only the owner may touch
  int handled = 0;
  int commands = 0;
  int last_of_first = 0;

  World() {
    for (auto& message : messages) message.emplace();
  }
  void schedule() {
    scheduled.fetch_add(1, memory_order::release);
    ModelAtomics::wake_one(scheduled);
  }
  void send(int number) {
    auto& message = *messages[static_cast<std::size_t>(number - 1)];
    message.payload = number;
    if (list.push(&message)) schedule();
  }
  void first() {
    send(1);
    send(2);
  }
  void second() { send(3); }
  /// The same two as first(), in one go.
  void chain() {
    auto& one = *messages[0];
    auto& two = *messages[1];
    one.payload = 1;
    two.payload = 2;
    one.next.store(&two, memory_order::relaxed);
    if (list.try_push_chain(&one, &two, 2) == detail::Push::idle) schedule();
  }
  void commander() {
    lane.push(&command);
    if (list.wake()) schedule();
  }

  void retire(Message* message) {
    for (auto& candidate : messages) {
      if (message != nullptr && candidate && &*candidate == message) candidate.reset();  // its memory may go
    }
  }
  void handle(Message* message) {
    const int number = message->payload;
    if (number <= 2) {
      model::require(number > last_of_first, "one sender's messages come in its order");
      last_of_first = number;
    }
    ++handled;
  }
  /// Takes what there is, and goes idle.
  bool takes_all_and_goes_idle(Message*& retired) {
    if constexpr (in_hand) {
      Message* last = std::exchange(owned.last, nullptr);
      while (Message* const message = list.look_behind(last)) {
        list.take_in_hand(last, owned);
        retire(last);
        last = message;
        handle(message);
      }
      const bool idle = list.try_idle_in_hand(last, owned);
      (idle ? retired : owned.last) = last;
      return idle;
    } else {
      while (Message* const message = list.take(owned, retired)) {
        retire(retired);
        handle(message);
      }
      return list.try_idle(owned, retired);
    }
  }
  void run_owner() {
    for (;;) {
      actor = actor + 1;  // races with every other owner
      for (Command* at = lane.take_all(); at != nullptr; at = at->lane_next) ++commands;
      Message* retired = nullptr;
      if (takes_all_and_goes_idle(retired)) {
        retire(retired);
        // A command may have come between our look at the lane and going idle; whoever wins the wake runs.
        if (lane.empty() || !list.wake()) return;
      } else {
        ModelAtomics::pause();  // a sender stands between its exchange and its link
      }
    }
  }
  // A worker: picks up runs until so much is done.
  template <int Expected>
  void worker() {
    for (;;) {
      auto seen = scheduled.load(memory_order::acquire);
      if (seen == 0) {
        ModelAtomics::wait(scheduled, 0);
        continue;
      }
      if (!scheduled.compare_exchange_strong(seen, seen - 1, memory_order::acquire, memory_order::relaxed)) continue;
      run_owner();
      const int done = handled + commands;
      if (done >= Expected) return;
    }
  }
  void at_end() {
    // The last run may have been asked for when the workers had seen all their work done.
    model::require(scheduled.load() <= 1, "one run is asked for at a time");
    if (scheduled.exchange(0) == 1) run_owner();
    model::require(list.is_idle(), "the list is idle when nothing is left");
    model::require(list.depth(owned) == 0, "and knows it");
    model::require(lane.empty(), "no command is left");
  }
};
using Right = World<detail::MessageList<Message, ModelAtomics>>;
using InHand = World<detail::MessageList<Message, ModelAtomics>, true>;

TEST(MessageListModel, one_sender_and_the_owner_in_all_interleavings) {
  using W = Right;
  const auto report =
      model::check<W>({.preemptions = 5, .old_reads = 2}, {{"first", &W::first}, {"worker", &W::worker<2>}});
  EXPECT_TRUE(model::shown(report, "sender of 2|owner, 5 preemptions, 2 old reads").passed()) << report.failure;
}
TEST(MessageListModel, an_owner_that_keeps_in_mind_what_it_took_last) {
  using W = InHand;
  const auto one =
      model::check<W>({.preemptions = 5, .old_reads = 2}, {{"first", &W::first}, {"worker", &W::worker<2>}});
  EXPECT_TRUE(model::shown(one, "sender of 2|owner in hand, 5 preemptions, 2 old reads").passed()) << one.failure;
  const auto two = model::check<W>({.preemptions = 3, .old_reads = 1},
                                   {{"second", &W::second}, {"commander", &W::commander}, {"worker", &W::worker<2>}});
  EXPECT_TRUE(model::shown(two, "sender|commander|owner in hand, 3 preemptions, 1 old read").passed()) << two.failure;
}
TEST(MessageListModel, two_senders_and_the_owner) {
  using W = Right;
  const auto report = model::check<W>({.preemptions = 3, .old_reads = 1},
                                      {{"first", &W::first}, {"second", &W::second}, {"worker", &W::worker<3>}});
  EXPECT_TRUE(model::shown(report, "2 senders|owner, 3 preemptions, 1 old read").passed()) << report.failure;
}
TEST(MessageListModel, M2_a_chain_goes_in_as_one) {
  using W = Right;
  const auto report = model::check<W>({.preemptions = 3, .old_reads = 1},
                                      {{"chain", &W::chain}, {"second", &W::second}, {"worker", &W::worker<3>}});
  EXPECT_TRUE(model::shown(report, "a chain of 2|sender|owner, 3 preemptions, 1 old read").passed())
      << report.failure;
}
TEST(MessageListModel, M3_a_command_left_in_the_lane_finds_the_owner) {
  using W = Right;
  const auto report =
      model::check<W>({.preemptions = 3, .old_reads = 1},
                      {{"second", &W::second}, {"commander", &W::commander}, {"worker", &W::worker<2>}});
  EXPECT_TRUE(model::shown(report, "sender|commander|owner, 3 preemptions, 1 old read").passed()) << report.failure;
}
TEST(MessageListModel, holds_in_many_random_schedules_of_two_senders_and_a_commander) {
  using W = Right;
  const auto report = model::check<W>(
      {.random = 250'000},
      {{"first", &W::first}, {"second", &W::second}, {"commander", &W::commander}, {"worker", &W::worker<4>}});
  EXPECT_TRUE(model::shown(report, "2 senders|commander|owner, random").passed()) << report.failure;
}

// Two owners in turn on different threads: each of two workers does one run, whoever gets it.
template <class Base>
struct TwoWorkers : Base {
  using Base::first, Base::second, Base::run_owner, Base::scheduled, Base::handled;
  ModelAtomics::Atomic<std::uint32_t> left{0};
  void one_run() {
    for (;;) {
      auto seen = scheduled.load(memory_order::acquire);
      while (seen > 0) {
        if (scheduled.compare_exchange_strong(seen, seen - 1, memory_order::acquire, memory_order::acquire)) {
          run_owner();
          return;
        }
      }
      if (left.load(memory_order::acquire) == 2) return;  // all was sent
      ModelAtomics::pause();
    }
  }
  void first_and_leaves() {
    first();
    left.fetch_add(1, memory_order::release);
  }
  void second_and_leaves() {
    second();
    left.fetch_add(1, memory_order::release);
  }
  void at_end() {
    Base::at_end();
    model::require(handled == 3, "every message was handled");
  }
};
TEST(MessageListModel, ownership_passes_between_workers_without_overlap) {
  using W = TwoWorkers<Right>;
  const auto report = model::check<W>({.preemptions = 2, .old_reads = 1}, {{"first", &W::first_and_leaves},
                                                                           {"second", &W::second_and_leaves},
                                                                           {"worker 1", &W::one_run},
                                                                           {"worker 2", &W::one_run}});
  EXPECT_TRUE(model::shown(report, "2 senders|2 workers, 2 preemptions, 1 old read").passed()) << report.failure;
}
TEST(MessageListModel, ownership_passes_between_workers_that_keep_in_mind_what_they_took) {
  using W = TwoWorkers<InHand>;
  const auto report = model::check<W>({.preemptions = 1, .old_reads = 1}, {{"first", &W::first_and_leaves},
                                                                           {"second", &W::second_and_leaves},
                                                                           {"worker 1", &W::one_run},
                                                                           {"worker 2", &W::one_run}});
  EXPECT_TRUE(model::shown(report, "2 senders|2 workers in hand, 1 preemption, 1 old read").passed())
      << report.failure;
}

// A bound that holds however many push at once: each sees the count as it is when its node goes in.
template <class List>
struct Bounded {
  List list;
  typename List::Owned owned;
  std::array<Message, 3> messages;
  int in = 0;

  Bounded() { list.set_bound(owned, 1); }
  void send(std::size_t number) {
    if (list.try_push(&messages[number]) == detail::Push::full) return;
    ++in;
  }
  void first() { send(0); }
  void second() { send(1); }
  /// Two nodes where there is room for one: neither.
  void chain() {
    messages[1].next.store(&messages[2], memory_order::relaxed);
    model::require(list.try_push_chain(&messages[1], &messages[2], 2) == detail::Push::full, "a chain goes in whole");
  }
  void at_end() {
    model::require(in == 1, "one of two gets in where there is room for one");
    model::require(list.depth(owned) == 1, "and one waits");
    Message* retired = nullptr;
    model::require(list.take(owned, retired) != nullptr, "which can be taken");
  }
};
TEST(MessageListModel, M4_no_more_than_the_bound_get_in_however_many_push_at_once) {
  using W = Bounded<detail::MessageList<Message, ModelAtomics>>;
  const auto report = model::check<W>({}, {{"first", &W::first}, {"second", &W::second}});
  EXPECT_TRUE(model::shown(report, "2 senders within a bound of 1").passed()) << report.failure;
}
TEST(MessageListModel, M4_a_chain_that_is_longer_than_the_room_stays_out) {
  using W = Bounded<detail::MessageList<Message, ModelAtomics>>;
  const auto report = model::check<W>({}, {{"first", &W::first}, {"chain", &W::chain}});
  EXPECT_TRUE(model::shown(report, "a sender and a chain of 2 within a bound of 1").passed()) << report.failure;
}
// The same by what has been taken, while it is being taken.
template <class List>
struct BoundedNow {
  List list;
  typename List::Owned owned;
  std::array<Message, 3> messages;
  std::array<bool, 3> is_in{true, false, false};
  int taken = 0;

  BoundedNow() {
    list.set_bound(owned, 1);
    (void)list.push(&messages[0]);
  }
  void send(std::size_t number) { is_in[number] = list.try_push_now(&messages[number], owned) != detail::Push::full; }
  void first() { send(1); }
  void second() { send(2); }
  void take() {
    Message* retired = nullptr;
    while (list.take(owned, retired) != nullptr) ++taken;
  }
  void at_end() {
    const auto in = static_cast<int>(std::count(is_in.begin(), is_in.end(), true));
    model::require(in - taken <= 1, "one waits at most");
    take();
    model::require(in == taken, "what is in is taken");
  }
};
TEST(MessageListModel, M4_no_more_than_the_bound_wait_by_what_has_been_taken) {
  using W = BoundedNow<detail::MessageList<Message, ModelAtomics>>;
  const auto two = model::check<W>({}, {{"first", &W::first}, {"second", &W::second}});
  EXPECT_TRUE(model::shown(two, "2 senders who look at what was taken").passed()) << two.failure;
  const auto all =
      model::check<W>({.preemptions = 3}, {{"first", &W::first}, {"second", &W::second}, {"owner", &W::take}});
  EXPECT_TRUE(model::shown(all, "2 senders who look at what is being taken").passed()) << all.failure;
}
// Control: a count of the taken that runs ahead of what was taken.
struct CountsBeforeItTakes : detail::MessageList<Message, ModelAtomics> {
  using Base = detail::MessageList<Message, ModelAtomics>;
  detail::Push try_push_now(Message* message, Owned& owned) {
    Owned ahead;
    ahead.taken.store(owned.taken.load() + 1);
    ahead.bound.store(owned.bound.load());
    return Base::try_push_now(message, ahead);
  }
};
TEST(MessageListModelControl, finds_a_count_of_the_taken_that_runs_ahead) {
  using W = BoundedNow<CountsBeforeItTakes>;
  const auto report = model::check<W>({}, {{"first", &W::first}, {"second", &W::second}});
  EXPECT_NE(report.failure.find("one waits at most"), std::string::npos) << report.summary();
}
// Control: the bound looked at before the push, as a count beside the tail would have it.
struct LooksFirst : detail::MessageList<Message, ModelAtomics> {
  Owned* owned = nullptr;
  void set_bound(Owned& all, std::uint32_t bound) {
    owned = &all;
    all.bound.store(bound);
  }
  detail::Push try_push(Message* message) {
    if (depth(*owned) >= owned->bound.load()) return detail::Push::full;
    return push(message) ? detail::Push::idle : detail::Push::busy;
  }
};
TEST(MessageListModelControl, finds_a_bound_that_is_looked_at_before_the_push) {
  using W = Bounded<LooksFirst>;
  const auto report = model::check<W>({}, {{"first", &W::first}, {"second", &W::second}});
  EXPECT_NE(report.failure.find("one of two gets in"), std::string::npos) << report.summary();
}

// Controls: the bugs that the checker must find, planted on top of the right list.
enum class Bug { none, frees_at_once, idles_without_wake };
template <Bug bug>
struct Buggy : detail::MessageList<Message, ModelAtomics> {
  using Base = detail::MessageList<Message, ModelAtomics>;
  Message* take(typename Base::Owned& owned, Message*& retired) {
    Message* const message = Base::take(owned, retired);
    if (bug == Bug::frees_at_once) retired = message;  // promise (4) ignored
    return message;
  }
  bool wake() { return bug != Bug::idles_without_wake && Base::wake(); }
};
template <Bug bug>
struct Freeing : World<Buggy<bug>> {
  // Frees what take() names only after it was handled, as a careless owner would.
  void owner_once() {
    Message* retired = nullptr;
    for (int taken = 0; taken < 2;) {
      Message* const message = this->list.take(this->owned, retired);
      if (message == nullptr) {
        ModelAtomics::pause();
        continue;
      }
      ++taken;
      this->handle(message);
      this->retire(retired);
    }
  }
};
TEST(MessageListModelControl, finds_a_node_freed_before_its_successor_is_linked) {
  using W = Freeing<Bug::frees_at_once>;
  const auto report = model::check<W>({.preemptions = 3}, {{"first", &W::first}, {"owner", &W::owner_once}});
  EXPECT_NE(report.failure.find("used after its end"), std::string::npos) << report.summary() << report.failure;
  using Careful = Freeing<Bug::none>;
  const auto right =
      model::check<Careful>({.preemptions = 3}, {{"first", &Careful::first}, {"owner", &Careful::owner_once}});
  EXPECT_TRUE(right.passed()) << right.failure;
}
TEST(MessageListModelControl, finds_a_command_whose_wake_is_forgotten) {
  using W = World<Buggy<Bug::idles_without_wake>>;
  const auto report =
      model::check<W>({.preemptions = 3, .old_reads = 1},
                      {{"second", &W::second}, {"commander", &W::commander}, {"worker", &W::template worker<2>}});
  EXPECT_NE(report.failure.find("deadlock"), std::string::npos) << report.summary();
}

}  // namespace
}  // namespace backstage
