// The API's JSON by itself: what of a message's text counts, and in which order it may stand.
#include <gtest/gtest.h>

#include <string>

#include "chronicle/intake/line_follower.hpp"
#include "chronicle/intake/text.hpp"
#include "chronicle/message_id.hpp"
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

TEST(Wire, what_an_error_quotes_is_cut_between_two_characters) {
  const auto why = [](const auto& result) { return std::string(result.error().text()); };
  for (const std::size_t before : {35U, 36U, 37U, 38U, 39U, 61U, 62U, 63U, 77U, 78U, 79U}) {
    const std::string text = std::string(before, 'x') + "😀ä😀ä😀ä😀ä" + std::string(60, 'y');
    for (const std::string& error :
         {why(parse_draft(R"({"identity":")" + text + R"("})")), why(parse_draft("{\"" + text + "\":\"\"}")),
          why(parse_identity(text)), why(parse_time(text)), why(MessageId::parse(text)),
          why(parse_checkpoint(text))}) {
      EXPECT_TRUE(is_utf8(error)) << error;
      EXPECT_EQ(error.find("\xEF\xBF\xBD"), std::string::npos) << "half a character, replaced: " << error;
      EXPECT_NE(error.find("xxx"), std::string::npos) << "the value is named: " << error;
    }
  }
}

TEST(Wire, the_order_of_the_members_means_nothing) {
  EXPECT_EQ(parse_draft(R"({"content_type":"","stream":"s","payload":1})")->content_type, "application/json");
  EXPECT_EQ(parse_draft(R"({"stream":"s","payload":1,"content_type":""})")->content_type, "application/json");
  EXPECT_EQ(parse_draft(R"({"content_type":"a/b","payload":"x","stream":"s"})")->content_type, "a/b");
  EXPECT_EQ(parse_draft(R"({"stream":"s","payload":"x","content_type":"a/b"})")->content_type, "a/b");
  EXPECT_EQ(parse_draft(R"({"stream":"s","payload_base64":"eA==","content_type":""})")->content_type, "");
}

}  // namespace
