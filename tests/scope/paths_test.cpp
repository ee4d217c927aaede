// R5: a path is found, or the error says which step is missing and what exists there.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>

#include "backstage/actor/actor.hpp"
#include "backstage/actor/resource.hpp"
#include "backstage/base/random.hpp"
#include "backstage/sim/test_runtime.hpp"

namespace backstage {
namespace {

using namespace std::chrono_literals;
using sim::TestRuntime;

struct Ask {
  std::function<std::string(Context&)> what;
};
/// Does what it is told, in its own turn; spawns what its name tree says.
struct Node {
  std::string handle(const Ask& ask, Context& cx) { return ask.what(cx); }
};
struct Other {
  void handle(int) {}
};

struct Tree {
  TestRuntime world;
  Ref<Node> a = world.spawn<Node>("a");
  std::string in(const Ref<Node>& who, std::function<std::string(Context&)> what) {
    auto answer = world.ask<Ask>(who, std::move(what));
    return answer ? *answer : answer.error().describe();
  }
  Ref<Node> below(const Ref<Node>& who, std::string_view name) {
    Ref<Node> made;
    (void)in(who, [&](Context& cx) {
      made = name.empty() ? cx.spawn(child<Node>(unnamed)) : cx.spawn<Node>(name);
      return std::string();
    });
    world.run();
    return made;
  }
};

std::string shown(const Result<Ref<Node>>& found) { return found ? "found" : found.error().describe(); }

TEST(R5, each_step_of_the_family_is_found) {
  Tree tree;
  const auto b = tree.below(tree.a, "b");
  const auto uncle = tree.below(tree.a, "uncle");
  const auto c = tree.below(b, "c");
  const auto sibling = tree.below(b, "sibling");
  const auto d = tree.below(c, "d");
  (void)tree.in(c, [&](Context& cx) {
    EXPECT_EQ(cx.find<Node>(cx.parent()).value(), b);
    EXPECT_EQ(cx.find<Node>(cx.grandparent()).value(), tree.a);
    EXPECT_EQ(cx.find<Node>(cx.sibling("sibling")).value(), sibling);
    EXPECT_EQ(cx.find<Node>(cx.uncle("uncle")).value(), uncle);
    EXPECT_EQ(cx.find<Node>(cx.child("d")).value(), d);
    EXPECT_EQ(cx.find<Node>(cx.parent() / "sibling").value(), sibling);
    EXPECT_EQ(cx.find<Node>("..").value(), b);
    EXPECT_EQ(cx.find<Node>("../..").value(), tree.a);
    EXPECT_EQ(cx.find<Node>("../sibling").value(), sibling);
    EXPECT_EQ(cx.find<Node>("../../uncle").value(), uncle);
    EXPECT_EQ(cx.find<Node>("d").value(), d);
    EXPECT_EQ(cx.find<Node>("./d/../d").value(), d);
    EXPECT_EQ(cx.find<Node>(".").value(), c);
    EXPECT_EQ(cx.find<Node>("/a/b/c/d").value(), d);
    EXPECT_EQ(cx.find<Node>("/a//b/").value(), b);
    EXPECT_EQ(cx.find<Node>(Path(b) / "c").value(), c);
    return std::string();
  });
  EXPECT_EQ(tree.world.runtime().find<Node>("/a/b/c/d").value(), d);
}

TEST(R5, a_path_that_fails_says_which_step_is_missing_and_what_exists_there) {
  Tree tree;
  const auto b = tree.below(tree.a, "b");
  (void)tree.below(b, "x");
  (void)tree.below(b, "y");
  EXPECT_EQ(tree.in(b, [](Context& cx) { return shown(cx.find<Node>("/a/b/z/deep")); }),
            "not_found: no '/a/b/z/deep': there is no 'z', /a/b has children [x, y]");
  EXPECT_EQ(tree.in(b, [](Context& cx) { return shown(cx.find<Node>("/c")); }),
            "not_found: no '/c': there is no 'c', / has children [a]");
  EXPECT_EQ(tree.in(b, [](Context& cx) { return shown(cx.find<Node>("x/z")); }),
            "not_found: no 'x/z': there is no 'z', /a/b/x has children []");
  EXPECT_EQ(tree.in(b, [](Context& cx) { return shown(cx.find<Node>(cx.uncle("z"))); }),
            "not_found: no '../../z': there is no 'z', / has children [a]");
}

TEST(R5, what_cannot_be_a_path_is_refused_in_words) {
  Tree tree;
  EXPECT_EQ(tree.in(tree.a, [](Context& cx) { return shown(cx.find<Node>("../../x")); }),
            "invalid: the path '../../x': there is nothing above the root");
  EXPECT_EQ(shown(tree.world.runtime().find<Node>("a")),
            "invalid: the path 'a': outside of actors it has to begin with '/'");
  EXPECT_EQ(tree.in(tree.a,
                    [](Context& cx) {
                      try {
                        (void)cx.sibling("x/y");
                      } catch (const Need& need) {
                        return need.error().describe();
                      }
                      return std::string("taken");
                    }),
            "invalid: the name 'x/y' holds a space, a control character or '/': names are one step of a path");
  EXPECT_EQ(tree.in(tree.a, [](Context& cx) { return shown(cx.find<Node>(Ref<Node>())); }),
            "gone: a null Ref is nobody's place");
}

TEST(R5, what_is_over_or_too_long_or_has_no_name_is_said) {
  Tree tree;
  const auto b = tree.below(tree.a, "b");
  tree.world.runtime().stop(b);
  tree.world.run();
  EXPECT_EQ(tree.in(tree.a, [&](Context& cx) { return shown(cx.find<Node>(Path(b) / "x")); }),
            "gone: the path '(a place)/x': that actor has ended");
  std::string long_path;
  for (int i = 0; i < 41; ++i) long_path += "/x";
  EXPECT_NE(shown(tree.world.runtime().find<Node>(long_path)).find("more than 40 steps"), std::string::npos);
  EXPECT_EQ(tree.in(tree.a, [](Context& cx) { return shown(cx.find<Node>(cx.grandparent())); }),
            "invalid: the path '../..': there is nothing above the root");
  (void)tree.in(tree.a, [](Context& cx) {
    EXPECT_THROW((void)cx.child(""), Need);
    return std::string();
  });
}

TEST(R5, another_type_of_actor_is_named) {
  TestRuntime world;
  (void)world.spawn<Other>("o");
  world.run();
  const auto found = world.runtime().find<Node>("/o");
  ASSERT_FALSE(found);
  EXPECT_TRUE(found.error().is(Errc::invalid));
  EXPECT_NE(found.error().text().find("'/o' is a"), std::string_view::npos) << found.error().text();
}

TEST(R5, unnamed_actors_are_passed_through_both_ways) {
  Tree tree;
  const auto unnamed_one = tree.below(tree.a, "");
  const auto unnamed_two = tree.below(unnamed_one, "");
  const auto b = tree.below(unnamed_two, "b");
  const auto c = tree.below(b, "c");
  EXPECT_EQ(tree.world.runtime().find<Node>("/a/b/c").value(), c);
  (void)tree.in(c, [&](Context& cx) {
    EXPECT_EQ(cx.find<Node>("../..").value(), tree.a) << "names only";
    EXPECT_EQ(cx.find<Node>(cx.grandparent()).value(), unnamed_two) << "each step";
    // As paths show it.
    EXPECT_EQ(cx.find<Node>(cx.path()).value(), c);
    return std::string();
  });
}

TEST(R5, a_wrong_branch_is_left_for_the_right_one) {
  Tree tree;
  const auto named = tree.below(tree.a, "b");
  const auto through = tree.below(tree.a, "");
  const auto other_b = tree.below(through, "b");
  const auto c = tree.below(other_b, "c");
  EXPECT_EQ(tree.world.runtime().find<Node>("/a/b").value(), named) << "without detours first";
  EXPECT_EQ(tree.world.runtime().find<Node>("/a/b/c").value(), c);
}

TEST(R5, a_place_that_has_ended_is_found_no_more_and_its_successor_is) {
  Tree tree;
  const auto b = tree.below(tree.a, "b");
  tree.world.runtime().stop(b);
  tree.world.run();
  EXPECT_EQ(shown(tree.world.runtime().find<Node>("/a/b")),
            "not_found: no '/a/b': there is no 'b', /a has children []");
  const auto next = tree.below(tree.a, "b");
  EXPECT_EQ(tree.world.runtime().find<Node>("/a/b").value(), next);
  EXPECT_NE(next, b);
}

TEST(R5, a_passage_that_ends_is_passed_through_no_more) {
  Tree tree;
  std::vector<Ref<Node>> passages;
  for (int i = 0; i < 5; ++i) {
    passages.push_back(tree.below(tree.a, ""));
    (void)tree.below(passages.back(), "n" + std::to_string(i));
  }
  for (const int gone : {1, 4, 0}) {
    tree.world.runtime().stop(passages[static_cast<std::size_t>(gone)]);
    tree.world.run();
    EXPECT_FALSE(tree.world.runtime().find<Node>("/a/n" + std::to_string(gone)));
  }
  EXPECT_TRUE(tree.world.runtime().find<Node>("/a/n2"));
  EXPECT_TRUE(tree.world.runtime().find<Node>("/a/n3"));
}

/// What a path means, told apart from how it is found: folded, then gone down with every unnamed actor in between.
struct Model {
  struct One {
    std::string name;
    int above;
    Ref<Node> ref;
  };
  std::vector<One> all;  // the first is the root

  [[nodiscard]] int named_above(int at) const {
    do {
      at = all[static_cast<std::size_t>(at)].above;
    } while (at > 0 && all[static_cast<std::size_t>(at)].name.empty());
    return at;
  }
  [[nodiscard]] bool matches(int place, const std::vector<std::string>& names, int start) const {
    auto left = names.rbegin();
    int at = place;
    while (left != names.rend()) {
      if (at == start || at < 0) return false;
      const One& one = all[static_cast<std::size_t>(at)];
      if (one.name == *left) {
        ++left;
      } else if (!one.name.empty() || at == place) {
        return false;
      }
      at = one.above;
    }
    while (at != start && at > 0 && all[static_cast<std::size_t>(at)].name.empty()) {
      at = all[static_cast<std::size_t>(at)].above;
    }
    return at == start;
  }
};

TEST(R5, random_paths_in_random_trees_mean_what_they_say) {
  Random random(11);
  const std::vector<std::string> words{"a", "b", "c"};
  for (int round = 0; round < 20; ++round) {
    Tree tree;
    Model model;
    model.all.push_back({"", -1, {}});
    model.all.push_back({"a", 0, tree.a});
    for (int i = 0; i < 25; ++i) {
      const int above = 1 + static_cast<int>(random.below(model.all.size() - 1));
      const std::string name = random.below(3) == 0 ? "" : words[random.below(words.size())];
      const bool taken = std::any_of(model.all.begin(), model.all.end(), [&](const Model::One& one) {
        return one.above == above && one.name == name && !name.empty();
      });
      if (taken) continue;
      const Ref<Node> made = tree.below(model.all[static_cast<std::size_t>(above)].ref, name);
      model.all.push_back({name, above, made});
    }
    for (int look = 0; look < 200; ++look) {
      const int from = 1 + static_cast<int>(random.below(model.all.size() - 1));
      std::string text;
      std::vector<std::string> names;
      int start = from;
      bool is_above_root = false;
      if (random.below(2) == 0) {
        text = "/";
        start = 0;
      }
      const bool absolute = start == 0;
      for (auto steps = random.below(5); steps > 0; --steps) {
        const auto kind = random.below(6);
        const std::string step = kind == 0 ? ".." : kind == 1 ? "." : words[random.below(words.size())];
        text += (text.empty() || text.back() == '/' ? "" : "/") + step;
        if (step == "..") {
          if (!names.empty()) {
            names.pop_back();
          } else if (start != 0) {
            start = model.named_above(start);
          } else {
            is_above_root = is_above_root || !absolute;
          }
        } else if (step != ".") {
          names.push_back(step);
        }
      }
      std::vector<Ref<Node>> expected;
      for (int i = 1; i < static_cast<int>(model.all.size()) && !names.empty(); ++i) {
        if (model.matches(i, names, start)) expected.push_back(model.all[static_cast<std::size_t>(i)].ref);
      }
      if (names.empty() && start != 0) expected.push_back(model.all[static_cast<std::size_t>(start)].ref);
      if (is_above_root) expected.clear();
      (void)tree.in(model.all[static_cast<std::size_t>(from)].ref, [&](Context& cx) {
        const auto found = cx.find<Node>(text);
        const bool right = found ? std::count(expected.begin(), expected.end(), *found) == 1 : expected.empty();
        EXPECT_TRUE(right) << "'" << text << "' from " << cx.path() << ": " << shown(found) << ", expected "
                           << expected.size();
        return std::string();
      });
    }
  }
}

TEST(R5, after_the_runtimes_end_nothing_is_found) {
  Runtime runtime({.workers = 1});
  (void)runtime.spawn<Node>("a");
  EXPECT_TRUE(runtime.find<Node>("/a"));
  EXPECT_TRUE(runtime.shutdown());
  EXPECT_TRUE(runtime.find<Node>("/a").error().is(Errc::gone));
}

}  // namespace
}  // namespace backstage
