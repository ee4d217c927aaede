// R5: a path made of a Ref, or found by highest() and lowest(), is looked at like any other: its type, its routes, its end.
#include "backstage/actor/route.hpp"
#include "backstage/actor/shared.hpp"
#include "scope_support.hpp"

namespace {

using namespace scope_test;

struct Poke {};
struct Shop {
  using routes = Routes<Poke>;
  void init(Context& cx) { cx.expose(Settings{1}); }
  void handle(Poke) { ++poked; }
  int handle(Do) const { return poked; }
  int poked = 0;
};

class RefPaths : public Resources {
 protected:
  Ref<Part> me = part("me");
  Ref<Shop> shop = world.spawn<Shop>("shop");
  void now(std::function<void(Context&)> what) { in(me, std::move(what)); }
};

TEST_F(RefPaths, R5_a_ref_of_another_type_is_refused) {
  world.run();
  now([this](Context& cx) {
    EXPECT_TRUE(cx.find<Shop>(shop));
    EXPECT_EQ(cx.find<Part>(shop).error().describe().find("invalid: '(a place)' is a "), 0U);
    EXPECT_TRUE(cx.lookup<Ref<Part>>(shop).error().is(Errc::invalid));
    EXPECT_TRUE(cx.lookup<Ref<Shop>>(shop));
    const Path exposed = cx.highest<Settings>().value();
    EXPECT_TRUE(cx.find<Part>(exposed).error().is(Errc::invalid)) << "anybody may have exposed it";
    EXPECT_TRUE(cx.find<Shop>(exposed));
    EXPECT_TRUE(cx.scope(exposed)->lookup<Ref<Part>>().error().is(Errc::invalid));
  });
}

TEST_F(RefPaths, R5_a_ref_whose_actor_is_over_is_gone) {
  world.run();
  Path exposed("/");
  now([&](Context& cx) { exposed = cx.lowest<Settings>().value(); });
  world.runtime().stop(shop);
  world.run();
  me.send(Do{[&](Context& cx, Ref<Part> self) {
    for (const Path& path : {Path(shop), exposed}) {
      EXPECT_TRUE(cx.find<Shop>(path).error().is(Errc::gone));
      EXPECT_TRUE(cx.lookup<Settings>(path).error().is(Errc::gone));
      EXPECT_TRUE(cx.scope(path).error().is(Errc::gone));
      EXPECT_TRUE(cx.send(path, Poke{}).error().is(Errc::gone));
      EXPECT_THROW((void)cx.subscribe<Settings>(path, self), Need);
    }
    EXPECT_TRUE(cx.find<Shop>(Ref<Shop>()).error().is(Errc::gone));
  }});
  world.run();
}

TEST_F(RefPaths, R5_messages_are_offered_to_whoever_has_a_ref_as_to_who_has_the_path) {
  world.run();
  now([this](Context& cx) {
    EXPECT_TRUE(cx.send(shop, Poke{}));
    EXPECT_TRUE(cx.send(cx.highest<Settings>().value(), Poke{}));
    EXPECT_TRUE(cx.scope(shop)->send(Poke{}));
    EXPECT_EQ(cx.scope(shop)->routes().size(), 1U);
  });
  EXPECT_EQ(world.ask<Do>(shop).value(), 3);
}

TEST_F(RefPaths, R5_a_service_that_is_looked_up_is_the_same_whoever_listens) {
  world.run();
  const auto look = [this] {
    std::string seen;
    now([&](Context& cx) {
      for (const Path& path : {Path(shop), Path("/shop"), cx.sibling("shop")}) {
        const Service found = cx.lookup<Service>(path).value();
        seen += found.name + " " + std::string(found.type) + " " + std::string(to_string(found.status)) + " " +
                std::to_string(found.restarts) + " " + found.word + "; ";
      }
    });
    return seen;
  };
  const std::string before = look();
  EXPECT_EQ(before.find("shop "), 0U) << before;
  EXPECT_NE(before.find("::Shop running 0 ; shop "), std::string::npos) << before;
  (void)subscribe<Service>(me, "/shop");
  EXPECT_EQ(look(), before);
  const auto inner = below(me, "inner");
  in(inner, [](Context& cx) { EXPECT_EQ(cx.lookup<Service>("..").value().name, "me"); });
}

TEST_F(RefPaths, R5_looking_alone_makes_nothing) {
  const auto blocks = [this] { return world.runtime().memory().live_blocks; };
  const auto before = blocks();
  const Scope scope = world.runtime().scope("/me").value();
  EXPECT_EQ(scope.resources().size(), 0U);
  EXPECT_EQ(blocks(), before);
  publish(me, 7);
  EXPECT_EQ(scope.lookup<Settings>().value().number, 7) << "a board that was made later is found";
  EXPECT_FALSE(scope.is_over());
}

TEST_F(RefPaths, R1_the_end_of_the_runtime_ends_what_was_published_at_its_root) {
  const auto value = std::make_shared<int>(1);
  world.runtime().publish(std::shared_ptr<const int>(value));
  const Scope root = world.runtime().scope("/").value();
  EXPECT_EQ(root.resources().size(), 1U);
  ASSERT_TRUE(world.runtime().shutdown());
  EXPECT_TRUE(root.is_over());
  EXPECT_TRUE(root.resources().empty());
  EXPECT_EQ(value.use_count(), 1) << "what nobody has any more is destroyed";
  EXPECT_THROW(world.runtime().publish(Settings{2}), Need);
}

TEST_F(RefPaths, metrics_are_gone_with_the_actor_for_who_holds_its_scope_too) {
  in(me, [](Context& cx) { cx.counter("seen").add(); });
  const Scope scope = world.runtime().scope("/me").value();
  EXPECT_EQ(scope.metrics().size(), 1U);
  world.runtime().stop(me);
  world.run();
  EXPECT_TRUE(scope.metrics().empty());
}

TEST_F(RefPaths, R5_what_is_there_instead_is_named_in_short_however_much_it_is) {
  for (int i = 0; i < 1'000; ++i) (void)world.spawn(child<Part>("p" + std::to_string(i)));
  world.run();
  const std::string text = world.runtime().find<Part>("/nobody").error().describe();
  EXPECT_NE(text.find(", ... (1002 in all)]"), std::string::npos) << text;
  EXPECT_LT(text.size(), 200U);
}

TEST_F(RefPaths, R5_a_search_goes_down_a_bounded_way) {
  Ref<Part> last = me;
  for (int i = 0; i < 2'000; ++i) {
    Ref<Part> next;
    in(last, [&](Context& cx) { next = cx.spawn(child<Part>(unnamed)); });
    last = next;
  }
  const auto leaf = below(last, "leaf");
  EXPECT_TRUE(world.runtime().find<Part>("/me/leaf").error().is(Errc::not_found));
  EXPECT_TRUE(leaf);
}

}  // namespace
