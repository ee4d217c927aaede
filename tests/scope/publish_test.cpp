// R1: one value per type and actor, published by the actor; looked up by whoever wants it.
#include "scope_support.hpp"

namespace {

using namespace scope_test;

using PublishTest = Resources;

TEST_F(PublishTest, R1_what_is_published_is_looked_up_from_everywhere) {
  const auto a = part("a");
  const auto b = part("b");
  publish(a, 1);
  in(b, [&](Context& cx) {
    EXPECT_EQ(cx.lookup<Settings>("/a").value().number, 1);
    EXPECT_EQ(cx.lookup<Settings>(cx.sibling("a")).value().number, 1);
    EXPECT_EQ(cx.lookup<Settings>(a).value().number, 1);
  });
  EXPECT_EQ(world.runtime().scope("/a").value().lookup<Settings>().value().number, 1);
}

TEST_F(PublishTest, R1_one_value_per_type_the_last_that_was_published) {
  const auto a = part("a");
  publish(a, 1);
  publish(a, 2);
  in(a, [](Context& cx) { cx.publish(Limits{7}); });
  const Scope scope = world.runtime().scope("/a").value();
  EXPECT_EQ(scope.lookup<Settings>().value().number, 2);
  EXPECT_EQ(scope.lookup<Limits>().value().most, 7);
  EXPECT_EQ(scope.resources().size(), 2U);
}

TEST_F(PublishTest, R1_withdrawn_it_is_returned_and_found_no_more) {
  const auto a = part("a");
  publish(a, 5);
  in(a, [](Context& cx) {
    EXPECT_EQ(cx.withdraw<Settings>().value().number, 5);
    EXPECT_FALSE(cx.withdraw<Settings>().has_value());
    EXPECT_FALSE(cx.withdraw<Limits>().has_value());
  });
  const auto found = world.runtime().scope("/a").value().lookup<Settings>();
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().describe(), "not_found: no scope_test::Settings is published at '/a': there is []");
}

TEST_F(PublishTest, R1_lookup_without_a_place_climbs_to_the_nearest_that_has_it) {
  const auto a = part("a");
  const auto b = below(a, "b");
  const auto c = below(b, "c");
  const auto looks = [&](int expected) {
    in(c, [expected](Context& cx) {
      const auto found = cx.lookup<Settings>();
      EXPECT_EQ(found ? found->number : 0, expected);
    });
  };
  looks(0);
  world.runtime().publish(Settings{1});
  looks(1);
  publish(a, 2);
  looks(2);
  publish(b, 3);
  looks(3);
  publish(c, 4);
  looks(4);
  in(c, [](Context& cx) { (void)cx.withdraw<Settings>(); });
  in(b, [](Context& cx) { (void)cx.withdraw<Settings>(); });
  looks(2);
  in(a, [](Context& cx) { (void)cx.withdraw<Settings>(); });
  looks(1);
  EXPECT_EQ(world.runtime().withdraw<Settings>()->number, 1);
  looks(0);
}

TEST_F(PublishTest, R1_what_an_incarnation_published_ends_with_it) {
  const auto a = part("a");
  publish(a, 1);
  world.runtime().restart(a);
  world.run();
  EXPECT_FALSE(world.runtime().scope("/a").value().lookup<Settings>());
  publish(a, 2);
  EXPECT_EQ(world.runtime().scope("/a").value().lookup<Settings>().value().number, 2);
}

TEST_F(PublishTest, R1_a_scope_that_is_held_says_when_its_actor_is_over) {
  const auto a = part("a");
  publish(a, 1);
  const Scope scope = world.runtime().scope("/a").value();
  EXPECT_FALSE(scope.is_over());
  world.runtime().stop(a);
  world.run();
  EXPECT_TRUE(scope.is_over());
  EXPECT_TRUE(scope.lookup<Settings>().error().is(Errc::gone));
  EXPECT_TRUE(scope.resources().empty());
  EXPECT_TRUE(world.runtime().scope(a).error().is(Errc::gone));
}

TEST_F(PublishTest, R1_after_the_runtimes_end_nothing_is_published) {
  EXPECT_TRUE(world.runtime().shutdown());
  EXPECT_THROW(world.runtime().publish(Settings{1}), Need);
  EXPECT_FALSE(world.runtime().withdraw<Settings>().has_value());
}

TEST_F(PublishTest, R1_a_holder_never_has_a_dangling_value) {
  const auto a = part("a");
  auto alive = std::make_shared<int>(42);
  const std::weak_ptr<int> watch = alive;
  in(a, [&](Context& cx) { cx.publish(std::move(alive)); });
  auto held = world.runtime().scope("/a").value().borrow<std::shared_ptr<int>>().value();
  world.runtime().stop(a);
  world.run();
  ASSERT_FALSE(watch.expired());
  EXPECT_EQ(**held, 42);
  held.reset();
  EXPECT_TRUE(watch.expired()) << "and nobody else keeps it";
}

TEST_F(PublishTest, R1_a_ref_and_a_service_are_there_from_the_start) {
  const auto a = part("a");
  const auto b = part("b");
  in(b, [&](Context& cx) {
    EXPECT_EQ(cx.lookup<Ref<Part>>("/a").value(), a);
    const Service service = cx.lookup<Service>("/a").value();
    EXPECT_EQ(service.status, Status::running);
    EXPECT_NE(service.type.find("Part"), std::string::npos);
    struct Stranger {
      void handle(int) {}
    };
    EXPECT_TRUE(cx.lookup<Ref<Stranger>>("/a").error().is(Errc::invalid));
  });
  world.runtime().stop(a);
  world.run();
  in(b, [&](Context& cx) { EXPECT_TRUE(cx.lookup<Ref<Part>>(a).error().is(Errc::gone)); });
}

TEST_F(PublishTest, R1_the_highest_and_the_lowest_that_expose_it) {
  const auto a = part("a");
  const auto b = below(a, "b");
  const auto c = below(b, "c");
  const auto d = below(b, "d");
  const auto seen = [&]() -> std::pair<int, int> {
    std::pair<int, int> both{0, 0};
    in(a, [&](Context& cx) {
      if (const auto high = cx.highest<Settings>()) both.first = cx.lookup<Settings>(*high).value().number;
      if (const auto low = cx.lowest<Settings>()) both.second = cx.lookup<Settings>(*low).value().number;
    });
    return both;
  };
  EXPECT_EQ(seen(), std::pair(0, 0));
  const auto expose = [&](const Ref<Part>& who, int number) {
    in(who, [number](Context& cx) { cx.expose(Settings{number}); });
  };
  expose(c, 3);
  expose(c, 33);  // twice is once
  EXPECT_EQ(seen(), std::pair(33, 33));
  expose(d, 4);
  expose(b, 2);
  EXPECT_EQ(seen(), std::pair(2, 33)) << "of one depth, whoever came first";
  in(b, [](Context& cx) { (void)cx.withdraw<Settings>(); });
  EXPECT_EQ(seen(), std::pair(33, 33));
  world.runtime().stop(c);
  world.run();
  EXPECT_EQ(seen(), std::pair(4, 4));
  world.runtime().restart(d);
  world.run();
  EXPECT_EQ(seen(), std::pair(0, 0)) << "the next incarnation exposes nothing yet";
}

TEST_F(PublishTest, an_actors_figures_are_listed_and_go_with_it) {
  const auto a = part("a");
  in(a, [](Context& cx) {
    cx.counter("stored").add(3);
    cx.gauge("depth").set(2.5);
    Histogram sizes = cx.histogram("sizes");
    sizes.observe(3);
    sizes.observe(1e12);
    EXPECT_THROW((void)cx.gauge("stored"), Need);
    EXPECT_THROW((void)cx.counter("Bad name"), Need);
    for (int i = 3; i < 64; ++i) (void)cx.counter("c" + std::to_string(i));
    EXPECT_THROW((void)cx.counter("one_too_many"), Need);
  });
  world.runtime().restart(a);
  world.run();
  in(a, [](Context& cx) { cx.counter("stored").add(); });
  auto all = world.runtime().metrics();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].path, "/a");
  ASSERT_EQ(all[0].figures.size(), 64U);
  std::map<std::string, Metric> by_name;
  for (const Metric& one : all[0].figures) by_name[one.name] = one;
  EXPECT_EQ(by_name["stored"].count, 4U) << "over its restarts";
  EXPECT_EQ(by_name["depth"].value, 2.5);
  EXPECT_EQ(by_name["sizes"].count, 2U);
  EXPECT_EQ(by_name["sizes"].buckets.back(), 1U);
  world.runtime().stop(a);
  world.run();
  EXPECT_TRUE(world.runtime().metrics().empty());
}

}  // namespace
