// How long a turn is by count: 64 messages, and more for an actor that is far behind (ADR 0027).
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "backstage/actor/actor.hpp"
#include "backstage/sim/test_runtime.hpp"

namespace backstage {
namespace {

using namespace std::chrono_literals;

struct Item {};
struct Flood {
  int items;
};

/// How many items the flooded one had handled when the other got its turn.
struct Tally {
  int handled = 0;
  int before_other = -1;
};
struct Flooded {
  void handle(Item) { ++tally->handled; }
  Tally* tally;
};
struct Other {
  void handle(Item) { tally->before_other = tally->handled; }
  Tally* tally;
};
/// The other is scheduled first; the flooded one is the next in line.
struct Sender {
  void handle(Flood flood) {
    other.send(Item{});
    for (int i = 0; i < flood.items; ++i) flooded.send(Item{});
  }
  Ref<Flooded> flooded;
  Ref<Other> other;
};

[[nodiscard]] int handled_in_one_turn(int waiting) {
  sim::TestRuntime world;
  Tally tally;
  const auto flooded = world.spawn<Flooded>("flooded", &tally);
  const auto other = world.spawn<Other>("other", &tally);
  const auto sender = world.spawn<Sender>("sender", flooded, other);
  world.run();
  sender.send(Flood{waiting});
  world.run();
  EXPECT_EQ(tally.handled, waiting);
  return tally.before_other;
}

TEST(F1, a_turn_ends_after_64_messages) { EXPECT_EQ(handled_in_one_turn(1'000), 64); }
TEST(F1, who_is_1024_behind_goes_on_until_he_is_not) { EXPECT_EQ(handled_in_one_turn(3'000), 31 * 64); }
TEST(F1, but_for_16384_messages_at_most) { EXPECT_EQ(handled_in_one_turn(20'000), 16'384); }

struct Leave {};
struct Leaver {
  void handle(Item) {}
  void handle(Leave, Context& cx) { cx.stop(); }
};
struct Pause {};
struct Pauser {
  void handle(Item) { said->push_back("item"); }
  Task<> handle(Pause, Context& cx) {
    co_await cx.sleep(1s);
    said->push_back("pause");
  }
  std::vector<std::string>* said;
};

// What a message leaves behind for the next turn is found there, also when it was the last that its turn had.
TEST(M3, who_stops_itself_with_any_message_of_a_turn_ends) {
  for (const int before : {0, 1, 62, 63, 64}) {
    sim::TestRuntime world;
    const auto leaver = world.spawn<Leaver>("leaver");
    for (int i = 0; i < before; ++i) leaver.send(Item{});
    leaver.send(Leave{});
    world.run();
    EXPECT_EQ(leaver.try_send(Item{}).error().code(), Errc::gone) << before << " before";
  }
}

TEST(M1, who_waits_with_any_message_of_a_turn_handles_no_other_meanwhile) {
  for (const int before : {0, 1, 62, 63, 64}) {
    sim::TestRuntime world;
    std::vector<std::string> said;
    const auto pauser = world.spawn<Pauser>("pauser", &said);
    for (int i = 0; i < before; ++i) pauser.send(Item{});
    pauser.send(Pause{});
    pauser.send(Item{});
    world.run();
    EXPECT_EQ(said, std::vector<std::string>(static_cast<std::size_t>(before), "item")) << before << " before";
    said.clear();
    world.advance(1s);
    EXPECT_EQ(said, (std::vector<std::string>{"pause", "item"})) << before << " before";
  }
}

}  // namespace
}  // namespace backstage
