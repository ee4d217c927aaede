// The scenarios of the big run, bounded: each holds in some hundred worlds, and is the same in each build. The rest is
// ./dev trust.
#include <gtest/gtest.h>

#include "hunt.hpp"

namespace {

using namespace trust;

Found run_some(std::size_t scenario, std::uint64_t count) {
  Found found;
  for (std::uint64_t seed = 1; seed <= count; ++seed) run_seed(scenarios()[scenario], seed, seed % 10 == 0, found);
  for (const std::string& failure : found.failures) ADD_FAILURE() << failure;
  return found;
}

TEST(L6, families_of_supervisors_do_what_the_model_of_supervision_says) {
  const Found found = run_some(0, 60);
  EXPECT_GT(found.tally.counts.at("failures in all"), 1'500U);
}

TEST(M6, a_market_of_messages_of_all_kinds_keeps_every_promise) {
  const Found found = run_some(1, 40);
  EXPECT_GT(found.tally.counts.at("failures in all"), 3'000U);
}

TEST(L4, a_stop_after_any_event_ends_at_the_predicted_instant) {
  const Found found = run_some(2, 300);
  EXPECT_GT(found.seen.counts.at("a handler is cut off by the stop deadline"), 0U);
  EXPECT_GT(found.seen.counts.at("a shutdown is cut short by its deadline"), 0U);
}

TEST(W3, what_a_run_found_travels_as_text) {
  Found found;
  run_seed(scenarios()[2], 1, true, found);
  found.failures.emplace_back("two\nlines");
  Found read;
  const std::string text = found.text();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    read.read(text.substr(at, end - at));
    at = end + 1;
  }
  EXPECT_EQ(read.text(), text);
  EXPECT_EQ(read.digest, found.digest);
}

}  // namespace
