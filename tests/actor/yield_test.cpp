// cx.yield(): the other actors of the worker go first, the turn is kept.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "backstage/actor/actor.hpp"
#include "backstage/sim/test_runtime.hpp"

namespace backstage {
namespace {

struct Go {};
using Diary = std::shared_ptr<std::vector<std::string>>;

struct Polite {
  Polite(std::string n, Diary d) : name(std::move(n)), diary(std::move(d)) {}
  Task<> handle(Go, Context& cx) {
    diary->push_back(name + "1");
    co_await cx.yield();
    diary->push_back(name + "2");
  }
  std::string name;
  Diary diary;
};
struct Starter {
  Starter(Ref<Polite> first, Ref<Polite> second) : a(first), b(second) {}
  void handle(Go) {
    a.send(Go{});
    a.send(Go{});
    b.send(Go{});
  }
  Ref<Polite> a;
  Ref<Polite> b;
};

TEST(F1, who_yields_lets_the_others_go_first_and_keeps_its_turn) {
  sim::TestRuntime world;
  const auto diary = std::make_shared<std::vector<std::string>>();
  const auto a = world.spawn<Polite>("a", "a", diary);
  const auto b = world.spawn<Polite>("b", "b", diary);
  world.run();
  world.spawn<Starter>("starter", a, b).send(Go{});
  world.run();
  ASSERT_EQ(diary->size(), 6U);
  // The first two are the first halves of both; a's second message waits for the end of its first.
  EXPECT_NE((*diary)[0][0], (*diary)[1][0]);
  std::vector<std::string> of_a;
  for (const std::string& line : *diary) {
    if (line[0] == 'a') of_a.push_back(line);
  }
  EXPECT_EQ(of_a, (std::vector<std::string>{"a1", "a2", "a1", "a2"}));
}

}  // namespace
}  // namespace backstage
