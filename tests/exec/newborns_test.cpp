// The ring of actors that have not run yet, on one thread: it has no other.
#include "backstage/exec/detail/newborns.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>

namespace {

using backstage::detail::Newborns;

TEST(F1, newborns_are_run_newest_first_and_taken_away_oldest_first) {
  Newborns<int, 4> ring;
  std::array<int, 4> work{};
  for (int& one : work) ring.push(&one);
  EXPECT_TRUE(ring.full());
  EXPECT_EQ(ring.pop_newest(), &work[3]);
  EXPECT_EQ(ring.pop_oldest(), &work[0]);
  EXPECT_EQ(ring.size(), 2U);
  EXPECT_EQ(ring.pop_oldest(), &work[1]);
  EXPECT_EQ(ring.pop_newest(), &work[2]);
  EXPECT_EQ(ring.pop_newest(), nullptr);
  EXPECT_EQ(ring.pop_oldest(), nullptr);
}

TEST(F1, the_ring_of_newborns_goes_round) {
  Newborns<int, 4> ring;
  std::array<int, 3> work{};
  for (int round = 0; round < 1'000; ++round) {
    for (int& one : work) ring.push(&one);
    EXPECT_EQ(ring.pop_oldest(), &work[0]);
    EXPECT_EQ(ring.pop_newest(), &work[2]);
    EXPECT_EQ(ring.pop_newest(), &work[1]);
    EXPECT_EQ(ring.size(), 0U);
  }
}

}  // namespace
