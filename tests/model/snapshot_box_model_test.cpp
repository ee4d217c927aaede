// SnapshotBox under the model checker: what is read is whole and not freed, and everything is freed once. Controls: a box
// that settles in the wrong order, and boxes with one of their orders weakened.
#include "backstage/scope/detail/snapshot_box.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <new>
#include <optional>
#include <type_traits>

#include "model/checker.hpp"
#include "model/print.hpp"

namespace backstage {
namespace {

using std::memory_order;

/// A value that knows whether it has been freed; its memory stays until the world ends.
struct Value {
  explicit Value(int n) : number(n) {}
  model::Plain<int> number;
};

struct Ledger {
  template <class Node>
  static void free(Node* node) noexcept {
    // Races with every reader that still reads, and with who frees it a second time.
    model::require(node->value.number != 0, "a value is freed once");
    node->value.number = 0;
  }
};

/// Two claims are enough to be moved into the value: each path is taken.
template <bool settle_first>
using Box = detail::SnapshotBox<Value, ModelAtomics, Ledger, 2, settle_first>;

template <bool settle_first>
struct World {
  using B = Box<settle_first>;
  std::array<std::optional<typename B::Node>, 3> nodes;
  // Destroyed by at_end() alone: where a schedule fails nothing may be done with atomics any more.
  alignas(B) std::byte memory[sizeof(B)];
  B* const box = ::new (static_cast<void*>(memory)) B;

  World() {
    for (int i = 0; i < 3; ++i) nodes[static_cast<std::size_t>(i)].emplace(i + 1);
    box->put(&*nodes[0]);
  }
  void read() {
    int last = 0;
    for (int i = 0; i < 2; ++i) {
      const auto seen = box->read();
      model::require(static_cast<bool>(seen), "the box is never empty");
      const int number = seen->number;
      model::require(number != 0, "what is read is not freed");
      model::require(number >= last, "no older one after a newer one");
      last = number;
    }
  }
  void read_once() {
    const auto seen = box->read();
    model::require(seen->number != 0, "what is read is not freed");
    const auto copy = seen;
    model::require(copy->number != 0, "nor is a copy's");
  }
  void write() {
    box->put(&*nodes[1]);
    box->put(&*nodes[2]);
  }
  void write_once() { box->put(&*nodes[1]); }
  void at_end() {
    // Whichever is in there now.
    int left = 0;
    {
      const auto seen = box->read();
      left = seen->number - 1;
    }

    for (int i = 0; i < 3; ++i) {
      const bool freed = nodes[static_cast<std::size_t>(i)]->value.number == 0;
      model::require(freed == (i < left), "all but the one in the box are freed");
    }
    box->~B();
    model::require(nodes[static_cast<std::size_t>(left)]->value.number == 0, "and that one with the box");
  }
};

using Right = World<true>;

TEST(SnapshotBoxModel, R1_what_is_read_is_whole_and_each_value_is_freed_once) {
  using W = Right;
  const auto report =
      model::check<W>({.preemptions = 4, .old_reads = 2}, {{"reader", &W::read}, {"writer", &W::write}});
  EXPECT_TRUE(model::shown(report, "reader|writer, 4 preemptions, 2 old reads").passed()) << report.failure;
}
TEST(SnapshotBoxModel, R1_two_readers_and_a_writer) {
  using W = Right;
  const auto report =
      model::check<W>({.preemptions = 2, .old_reads = 1},
                      {{"reader", &W::read_once}, {"another", &W::read_once}, {"writer", &W::write_once}});
  EXPECT_TRUE(model::shown(report, "2 readers|writer, 2 preemptions, 1 old read").passed()) << report.failure;
}
TEST(SnapshotBoxModel, R1_holds_in_many_random_schedules_of_three_readers) {
  using W = Right;
  const auto report = model::check<W>(
      {.random = 100'000},
      {{"reader", &W::read}, {"another", &W::read_once}, {"third", &W::read_once}, {"writer", &W::write}});
  EXPECT_TRUE(model::shown(report, "3 readers|writer, random").passed()) << report.failure;
}

// Controls.
TEST(SnapshotBoxModel, a_box_that_settles_in_the_wrong_order_is_found) {
  using W = World<false>;
  const auto report = model::check<W>(
      {.random = 1'000'000},
      {{"reader", &W::read}, {"another", &W::read_once}, {"third", &W::read_once}, {"writer", &W::write}});
  EXPECT_FALSE(report.failure.empty());
}
enum class Weak { read, put, give_back };
/// With one order relaxed: that of reading, of putting, or of giving a claim back.
template <Weak weak>
struct Careless : ModelAtomics {
  template <class T>
  struct Atomic : ModelAtomics::Atomic<T> {
    using Base = ModelAtomics::Atomic<T>;
    using Base::Base;
    T fetch_add(T n, memory_order order) {
      const bool relaxed = std::is_signed_v<T> ? weak == Weak::give_back : weak == Weak::read;
      return Base::fetch_add(n, relaxed ? memory_order::relaxed : order);
    }
    T exchange(T next, memory_order order) {
      return Base::exchange(next, weak == Weak::put ? memory_order::relaxed : order);
    }
  };
};
template <Weak weak>
struct Unordered {
  using B = detail::SnapshotBox<Value, Careless<weak>, Ledger, 2>;
  std::array<std::optional<typename B::Node>, 2> nodes;
  alignas(B) std::byte memory[sizeof(B)];
  B* const box = ::new (static_cast<void*>(memory)) B;
  Unordered() {
    nodes[0].emplace(1);
    box->put(&*nodes[0]);
  }
  void writer() {
    nodes[1].emplace(2);
    box->put(&*nodes[1]);
  }
  void reader() {
    const auto seen = box->read();
    model::require(seen->number != 0, "what is read is not freed");
  }
  void at_end() { box->~B(); }
};
template <Weak weak>
bool is_found() {
  using W = Unordered<weak>;
  const auto report =
      model::check<W>({.preemptions = 3, .old_reads = 1}, {{"reader", &W::reader}, {"writer", &W::writer}});
  return !report.failure.empty();
}
TEST(SnapshotBoxModel, a_box_without_one_of_its_orders_is_found) {
  EXPECT_TRUE(is_found<Weak::read>());
  EXPECT_TRUE(is_found<Weak::put>());
  EXPECT_TRUE(is_found<Weak::give_back>());
}

}  // namespace
}  // namespace backstage
