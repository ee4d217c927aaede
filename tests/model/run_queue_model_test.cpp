// RunQueue and InjectQueue under the model checker: every piece of work is taken once, in order, with what was written.
#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <span>

#include "backstage/exec/detail/event_count.hpp"
#include "backstage/exec/detail/inject_queue.hpp"
#include "backstage/exec/detail/run_queue.hpp"
#include "model/checker.hpp"
#include "model/print.hpp"

namespace backstage {
namespace {

using std::memory_order;

struct Work {
  model::Plain<int> number{0};
  int taken = 0;
};

// What happens to six pieces of work; the queues of the two threads come from the worlds below.
struct Ledger {
  std::array<Work, 6> work;
  void write(int number) { work[static_cast<std::size_t>(number)].number = number; }
  Work* at(int number) { return &work[static_cast<std::size_t>(number)]; }
  // Returns the number, after seeing that this is the first taking and that the pusher's writing is visible.
  int take(Work* piece) {
    const int number = piece->number;
    model::require(&work[static_cast<std::size_t>(number)] == piece, "the work is what its pusher wrote");
    model::require(++piece->taken == 1, "no work is taken twice");
    return number;
  }
  void all_taken(int count) {
    for (int i = 0; i < count; ++i) model::require(at(i)->taken == 1, "no work is lost");
  }
};

template <class Queue>
struct Stealing {
  Ledger ledger;
  Queue mine;
  Queue thieves;
  Queue other_thieves;
  int pushed = 0;
  int refused_next = -1;

  void push(int number) {
    ledger.write(number);
    if (!mine.push(ledger.at(number))) {
      // Full: the older half goes elsewhere (here: is done at once), as in the scheduler.
      std::array<Work*, 2> out{};
      const auto count = mine.take_half(out);
      for (std::uint32_t i = 0; i < count; ++i) ledger.take(out[i]);
      model::require(mine.push(ledger.at(number)), "there is room after take_half");
    }
    ++pushed;
  }
  bool pop() {
    Work* const piece = mine.pop();
    if (piece != nullptr) ledger.take(piece);
    return piece != nullptr;
  }
  void owner_pushes_and_pops() {
    push(0);
    push(1);
    pop();
    push(2);
  }
  void owner_overflows() {
    push(0);
    push(1);
    push(2);
    pop();
    push(3);
  }
  void steal_into(Queue& queue) {
    int last = -1;
    const auto in_order = [&](Work* piece) {
      const int number = ledger.take(piece);
      model::require(number > last, "a taker gets work in the order pushed");
      last = number;
    };
    if (Work* const first = queue.steal_from(mine)) in_order(first);
    while (Work* const piece = queue.pop()) in_order(piece);
  }
  void thief() { steal_into(thieves); }
  void other_thief() { steal_into(other_thieves); }
  void at_end() {
    while (pop()) {
    }
    while (Work* const piece = thieves.pop()) ledger.take(piece);
    ledger.all_taken(pushed);
  }
};
template <class Queue>
model::Report one_thief(const model::Options& options) {
  using W = Stealing<Queue>;
  return model::check<W>(options, {{"owner", &W::owner_pushes_and_pops}, {"thief", &W::thief}});
}
using Two = detail::RunQueue<Work, ModelAtomics, 2>;
using Four = detail::RunQueue<Work, ModelAtomics, 4>;

TEST(RunQueueModel, owner_and_thief_take_each_work_once) {
  const auto report = one_thief<Four>({.preemptions = 5, .old_reads = 2});
  EXPECT_TRUE(model::shown(report, "owner|thief, 5 preemptions, 2 old reads").passed()) << report.failure;
}
TEST(RunQueueModel, slots_are_reused_only_after_they_were_read) {
  using W = Stealing<Two>;
  const auto report =
      model::check<W>({.preemptions = 4, .old_reads = 2}, {{"owner", &W::owner_overflows}, {"thief", &W::thief}});
  EXPECT_TRUE(model::shown(report, "owner that overflows|thief, 4 preemptions, 2 old reads").passed())
      << report.failure;
}
TEST(RunQueueModel, two_thieves_do_not_get_the_same) {
  using W = Stealing<Two>;
  const auto report =
      model::check<W>({.preemptions = 2, .old_reads = 1},
                      {{"owner", &W::owner_overflows}, {"thief", &W::thief}, {"other thief", &W::other_thief}});
  EXPECT_TRUE(model::shown(report, "owner|2 thieves, 2 preemptions, 1 old read").passed()) << report.failure;
}
TEST(RunQueueModel, holds_in_many_random_schedules_of_two_thieves) {
  using W = Stealing<Four>;
  const auto report = model::check<W>(
      {.random = 250'000}, {{"owner", &W::owner_overflows}, {"thief", &W::thief}, {"other thief", &W::other_thief}});
  EXPECT_TRUE(model::shown(report, "owner|2 thieves, random").passed()) << report.failure;
}

// A thief that is robbed itself while it steals: work moves through two queues.
struct Chain {
  Ledger ledger;
  Four first;
  Four second;
  Four third;
  void owner() {
    for (int i = 0; i < 4; ++i) {
      ledger.write(i);
      model::require(first.push(ledger.at(i)), "there is room");
    }
  }
  void middle() {
    if (Work* const piece = second.steal_from(first)) ledger.take(piece);
    if (Work* const piece = second.pop()) ledger.take(piece);
  }
  void last() {
    if (Work* const piece = third.steal_from(second)) ledger.take(piece);
  }
  void at_end() {
    for (auto* queue : {&first, &second, &third}) {
      while (Work* const piece = queue->pop()) ledger.take(piece);
    }
    ledger.all_taken(4);
  }
};
TEST(RunQueueModel, work_stolen_from_a_thief_arrives_whole) {
  const auto report =
      model::check<Chain>({.preemptions = 3, .old_reads = 2},
                          {{"owner", &Chain::owner}, {"middle", &Chain::middle}, {"last", &Chain::last}});
  EXPECT_TRUE(model::shown(report, "owner|middle|last, 3 preemptions, 2 old reads").passed()) << report.failure;
}

// The scheduler's parking: a worker that found nothing looks once more and sleeps; the pusher then wakes.
template <class Queue, memory_order Publish>
struct Parking {
  Ledger ledger;
  Queue theirs;
  Queue mine;
  detail::EventCount<ModelAtomics> parked;
  void pusher() {
    ledger.write(0);
    model::require(theirs.push(ledger.at(0), Publish), "there is room");
    parked.notify_one();
  }
  void worker() {
    for (;;) {
      if (Work* const piece = mine.steal_from(theirs)) {
        ledger.take(piece);
        return;
      }
      const auto key = parked.prepare();
      if (theirs.empty()) {
        parked.wait(key);
      } else {
        parked.cancel(key);
      }
    }
  }
};
TEST(RunQueueModel, a_push_and_a_notification_wake_a_worker_that_parks) {
  using W = Parking<Two, memory_order::seq_cst>;
  const auto report = model::check<W>({}, {{"pusher", &W::pusher}, {"worker", &W::worker}});
  EXPECT_TRUE(model::shown(report, "pusher|worker that parks").passed()) << report.failure;
}

// InjectQueue: two pushers, one of a batch, a worker that parks.
struct Injecting {
  Ledger ledger;
  detail::InjectQueue<Work, ModelAtomics> queue;
  detail::EventCount<ModelAtomics> parked;
  void single() {
    ledger.write(0);
    queue.push(ledger.at(0));
    parked.notify_one();
  }
  void batch() {
    ledger.write(1);
    ledger.write(2);
    const std::array<Work*, 2> both{ledger.at(1), ledger.at(2)};
    queue.push_batch(both);
    parked.notify_one();
  }
  void worker() {
    int last = 0;
    for (int left = 3; left > 0;) {
      std::array<Work*, 2> out{};
      const auto count = queue.pop_batch(out);
      for (std::size_t i = 0; i < count; ++i) {
        const int number = ledger.take(out[i]);
        if (number > 0) model::require(number > std::exchange(last, number), "a batch keeps its order");
      }
      left -= static_cast<int>(count);
      if (count > 0) continue;
      const auto key = parked.prepare();
      if (queue.empty()) {
        parked.wait(key);
      } else {
        parked.cancel(key);
      }
    }
  }
  void at_end() {
    ledger.all_taken(3);
    model::require(queue.size_hint() == 0 && queue.pop() == nullptr, "nothing is left");
  }
};
TEST(InjectQueueModel, every_work_reaches_a_worker_that_parks) {
  using W = Injecting;
  const auto report = model::check<W>({.preemptions = 2, .old_reads = 1},
                                      {{"single", &W::single}, {"batch", &W::batch}, {"worker", &W::worker}});
  EXPECT_TRUE(model::shown(report, "single|batch|worker, 2 preemptions, 1 old read").passed()) << report.failure;
}

// Controls: the bugs that the checker must find.
enum class Bug { none, head_without_cas, slot_read_after_cas, relaxed_publication, relaxed_take };

// RunQueue in short, with a choice of bugs.
template <Bug bug>
class BuggyQueue {
 public:
  bool push(Work* work, memory_order publish = memory_order::seq_cst) {
    const auto tail = tail_.load(memory_order::relaxed);
    const auto head = head_.load(bug == Bug::relaxed_take ? memory_order::relaxed : memory_order::acquire);
    if (tail - head >= 2) return false;
    slots_[tail & 1].store(work, memory_order::relaxed);
    tail_.store(tail + 1, bug == Bug::relaxed_publication ? memory_order::relaxed : publish);
    return true;
  }
  Work* pop() { return take(); }
  std::uint32_t take_half(std::span<Work*> out) {
    out[0] = take();
    return out[0] == nullptr ? 0 : 1;
  }
  Work* steal_from(BuggyQueue& victim) { return victim.take(); }

 private:
  Work* take() {
    auto head = head_.load(memory_order::acquire);
    for (;;) {
      if (tail_.load(memory_order::acquire) <= head) return nullptr;
      if constexpr (bug == Bug::head_without_cas) {
        Work* const work = slots_[head & 1].load(memory_order::relaxed);
        head_.store(head + 1, memory_order::release);
        return work;
      }
      Work* work = slots_[head & 1].load(memory_order::relaxed);
      const auto at = head;
      if (!head_.compare_exchange_strong(head, head + 1, memory_order::acq_rel, memory_order::acquire)) continue;
      if constexpr (bug == Bug::slot_read_after_cas) work = slots_[at & 1].load(memory_order::relaxed);
      return work;
    }
  }
  ModelAtomics::Atomic<std::uint64_t> head_{0};
  ModelAtomics::Atomic<std::uint64_t> tail_{0};
  std::array<ModelAtomics::Atomic<Work*>, 2> slots_;
};
template <Bug bug>
model::Report buggy() {
  using W = Stealing<BuggyQueue<bug>>;
  return model::check<W>({.preemptions = 3, .old_reads = 2}, {{"owner", &W::owner_overflows}, {"thief", &W::thief}});
}
TEST(RunQueueModelControl, finds_nothing_wrong_with_the_right_queue_in_this_setting) {
  const auto report = buggy<Bug::none>();
  EXPECT_TRUE(report.passed()) << report.failure;
}
TEST(RunQueueModelControl, finds_takers_without_compare_exchange) {
  EXPECT_NE(buggy<Bug::head_without_cas>().failure.find("taken twice"), std::string::npos);
}
TEST(RunQueueModelControl, finds_a_slot_read_too_late) { EXPECT_FALSE(buggy<Bug::slot_read_after_cas>().passed()); }
TEST(RunQueueModelControl, finds_a_publication_that_does_not_release) {
  EXPECT_FALSE(buggy<Bug::relaxed_publication>().passed());
}
TEST(RunQueueModelControl, finds_a_push_that_only_releases_before_a_notification) {
  using W = Parking<Two, memory_order::release>;
  const auto report = model::check<W>({}, {{"pusher", &W::pusher}, {"worker", &W::worker}});
  EXPECT_NE(report.failure.find("deadlock"), std::string::npos) << report.summary();
}

}  // namespace
}  // namespace backstage
