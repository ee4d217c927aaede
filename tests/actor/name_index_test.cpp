// The index of children by name against a plain map.
#include "../../src/actor/name_index.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "backstage/base/random.hpp"

namespace backstage {
namespace {

struct Child {
  std::string text;
  [[nodiscard]] std::string_view name() const { return text; }
};

TEST(NameIndex, L8_finds_what_was_inserted_and_not_erased_like_a_map) {
  Random random(7);
  detail::NameIndex<Child> index;
  std::map<std::string, std::unique_ptr<Child>> model;
  for (int i = 0; i < 100'000; ++i) {
    const std::string name = "child-" + std::to_string(random.below(500));
    const auto found = model.find(name);
    Child* const seen = index.find(name);
    ASSERT_EQ(seen, found == model.end() ? nullptr : found->second.get());
    if (seen == nullptr) {
      auto child = std::make_unique<Child>(Child{name});
      index.insert(*child);
      model.emplace(name, std::move(child));
    } else {
      index.erase(*seen);
      model.erase(found);
    }
    ASSERT_EQ(index.size(), model.size());
  }
  std::size_t count = 0;
  index.for_each([&](Child& child) {
    EXPECT_EQ(model.at(child.text).get(), &child);
    ++count;
  });
  EXPECT_EQ(count, model.size());
}

TEST(NameIndex, L8_erasing_what_is_not_there_changes_nothing) {
  detail::NameIndex<Child> index;
  Child a{"a"};
  Child b{"b"};
  index.erase(a);
  index.insert(a);
  index.erase(b);
  EXPECT_EQ(index.find("a"), &a);
  EXPECT_EQ(index.find("b"), nullptr);
}

}  // namespace
}  // namespace backstage
