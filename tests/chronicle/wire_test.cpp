// The API's JSON by itself: what of a message's text counts, and in which order it may stand.
#include <gtest/gtest.h>

#include "chronicle/wire.hpp"

namespace {

using namespace chronicle;

TEST(Wire, a_payload_is_kept_byte_for_byte_as_it_was_written) {
  EXPECT_EQ(parse_draft(R"({"stream":"s","payload":{"a": 1.50, "b":[1e3]}})")->payload, R"({"a": 1.50, "b":[1e3]})");
  EXPECT_EQ(parse_draft(R"({"stream":"s","p\u0061yload":1.50})")->payload, "1.50");
  EXPECT_EQ(parse_draft(R"({"stream":"s","k\u0065y":"k","payload":1e400})")->payload, "1e400");
  EXPECT_EQ(parse_draft(R"({"stream":"s","payload":"a\nb"})")->payload, "a\nb");
}

TEST(Wire, of_two_payloads_the_last_one_counts_also_when_its_name_is_written_with_escapes) {
  EXPECT_EQ(parse_draft(R"({"stream":"s","payload":1,"payload":2})")->payload, "2");
  EXPECT_EQ(parse_draft(R"({"stream":"s","payload":1,"p\u0061yload":2})")->payload, "2");
  EXPECT_EQ(parse_draft(R"({"stream":"s","p\u0061yload":1,"payload":2})")->payload, "2");
}

TEST(Wire, the_order_of_the_members_means_nothing) {
  EXPECT_EQ(parse_draft(R"({"content_type":"","stream":"s","payload":1})")->content_type, "application/json");
  EXPECT_EQ(parse_draft(R"({"stream":"s","payload":1,"content_type":""})")->content_type, "application/json");
  EXPECT_EQ(parse_draft(R"({"content_type":"a/b","payload":"x","stream":"s"})")->content_type, "a/b");
  EXPECT_EQ(parse_draft(R"({"stream":"s","payload":"x","content_type":"a/b"})")->content_type, "a/b");
  EXPECT_EQ(parse_draft(R"({"stream":"s","payload_base64":"eA==","content_type":""})")->content_type, "");
}

}  // namespace
