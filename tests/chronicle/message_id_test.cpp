// Ids: BLAKE2b against RFC 7693, against the real blocks of a ledger, and the event id pinned for ever.
#include "chronicle/message_id.hpp"

#include <gtest/gtest.h>

#include <array>
#include <boost/json.hpp>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "chronicle/blake2.hpp"
#include "chronicle/data_folder.hpp"
#include "chronicle/encoding.hpp"
#include "chronicle/message.hpp"

namespace chronicle::test {
namespace {

std::string hash(std::size_t size, std::string_view in, std::string_view key = {}) {
  std::string out(size, '\0');
  blake2b({reinterpret_cast<unsigned char*>(out.data()), out.size()}, {in}, key);
  return out;
}

TEST(Blake2b, gives_the_vector_of_rfc_7693_appendix_a) {
  EXPECT_EQ(to_hex(hash(64, "abc")),
            "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
            "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
}

// The RFC's deterministic sequence of bytes.
std::string sequence(std::size_t length, std::uint32_t seed) {
  std::string out;
  std::uint32_t a = 0xDEAD4BADu * seed;
  std::uint32_t b = 1;
  for (std::size_t i = 0; i < length; ++i) {
    const std::uint32_t next = a + b;
    a = b;
    b = next;
    out.push_back(static_cast<char>(next >> 24));
  }
  return out;
}

TEST(Blake2b, passes_the_self_test_of_rfc_7693_appendix_e) {
  std::string all;  // of all lengths, plain and keyed
  for (const std::uint32_t out_length : {20u, 32u, 48u, 64u}) {
    for (const std::uint32_t in_length : {0u, 3u, 128u, 129u, 255u, 1024u}) {
      const std::string in = sequence(in_length, in_length);
      all += hash(out_length, in);
      all += hash(out_length, in, sequence(out_length, out_length));
    }
  }
  EXPECT_EQ(to_hex(hash(32, all)), "c23a7800d98123bd10f506c61e29da5603d763b8bbad2e737f5e765a7bccd475");
}

TEST(Blake2b, of_pieces_is_that_of_the_whole) {
  std::array<unsigned char, 32> whole{};
  std::array<unsigned char, 32> parts{};
  blake2b(whole, {"one two three"});
  blake2b(parts, {"one", "", " two", " three"});
  EXPECT_EQ(whole, parts);
  EXPECT_THROW(blake2b(whole, {"x"}, "short key"), std::invalid_argument);
  EXPECT_THROW(blake2b(whole, {"x"}, {}, "not sixteen"), std::invalid_argument);
}

std::string from_base64(std::string_view text) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char letter : text) {
    if (letter == '=') break;
    bits = bits << 6 | static_cast<std::uint32_t>(digits.find(letter));
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<char>(bits >> count & 0xff));
    }
  }
  return out;
}

TEST(MessageId, of_content_is_the_true_id_of_each_of_88_real_blocks) {
  const auto folder = data_folder();
  if (!folder) {
    GTEST_SKIP() << "no data folder: set BACKSTAGE_DATA, or put it at ../shared/data beside the source tree";
  }
  // The folder is there: from here on everything that is missing is a failure.
  std::ifstream file(*folder / "iota" / "blocks_ms_2418187.json");
  ASSERT_TRUE(file.is_open()) << "the data folder " << *folder << " has no iota/blocks_ms_2418187.json";
  std::stringstream text;
  text << file.rdbuf();
  const auto blocks = boost::json::parse(text.str()).as_array();
  ASSERT_EQ(blocks.size(), 88u);
  std::set<std::string> ids;
  for (const auto& block : blocks) {
    const std::string id = from_base64(std::string(block.at("_id").at("$binary").at("base64").as_string()));
    const std::string raw = from_base64(std::string(block.at("raw").at("$binary").at("base64").as_string()));
    EXPECT_EQ(content_id(raw).hex(), to_hex(id));
    ids.insert(content_id(raw).hex());
  }
  EXPECT_EQ(ids.size(), 88u);
}

TEST(MessageId, of_content_is_blake2b_256_of_the_payload_and_nothing_else) {
  EXPECT_EQ(content_id("abc").hex(), "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
  EXPECT_EQ(content_id("").hex(), "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
}

// Ids are in other people's databases: these three may never change. Computed with another implementation of BLAKE2b.
TEST(MessageId, of_an_event_is_pinned_for_ever) {
  Draft draft;
  draft.stream = "nab/taxi";
  draft.payload = "{\"v\":1}";
  draft.nonce = Nonce{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  EXPECT_EQ((*id_of(draft, Identity::event)).hex(),
            "cb4822dfc5ad93e03ff2940e940f663f3253ee07d39c8f4bf12114880fff4ad1");
  draft.source_time = WallTime{1'700'000'000'000'000'000};
  EXPECT_EQ((*id_of(draft, Identity::event)).hex(),
            "c040b30d1aa50a18fac434aaebd9c0ecf8a910550160349d8631c2f7e8f9bee4")
      << "the source time counts before the nonce";
  draft.key = "order-7";
  EXPECT_EQ((*id_of(draft, Identity::event)).hex(),
            "ba97996c506b5ce15104aba2a8048b72603126cd31e6e109c3d277429fbba08f")
      << "the key counts before the source time";
}

TEST(MessageId, of_an_event_without_key_time_and_nonce_is_refused) {
  Draft draft;
  draft.stream = "s";
  EXPECT_FALSE(id_of(draft, Identity::event).has_value());
}

TEST(MessageId, of_an_event_changes_when_bytes_move_from_one_field_to_the_next) {
  std::set<MessageId> ids;
  ids.insert(event_id("ab", Distinction::key, "cd", "ef"));
  ids.insert(event_id("abc", Distinction::key, "d", "ef"));
  ids.insert(event_id("ab", Distinction::key, "cde", "f"));
  ids.insert(event_id("ab", Distinction::nonce, "cd", "ef"));
  ids.insert(event_id("a", Distinction::key, "bcd", "ef"));
  ids.insert(event_id("ab", Distinction::key, "cdef", ""));
  EXPECT_EQ(ids.size(), 6u);
}

TEST(MessageId, of_an_event_cannot_be_made_by_a_crafted_content_payload) {
  Writer crafted;
  crafted.u8(1).bytes("s").u8(2).bytes("key").u64(1).raw("p");
  EXPECT_NE(content_id(crafted.text()), event_id("s", Distinction::key, "key", "p"));
}

TEST(MessageId, is_parsed_from_64_lower_case_hex_digits_only) {
  const std::string good(64, 'a');
  EXPECT_EQ((*MessageId::parse(good)).hex(), good);
  std::string upper = good;
  upper[10] = 'A';
  std::string zero = good;
  zero[63] = '\0';
  for (const std::string& bad :
       {std::string(), upper, zero, good + "a", good.substr(1), std::string(64, 'g'), std::string(100'000, 'a')}) {
    const auto id = MessageId::parse(bad);
    ASSERT_FALSE(id.has_value());
    EXPECT_TRUE(id.error().is(Errc::invalid));
    EXPECT_LT(id.error().text().size(), 200u);
  }
}

}  // namespace
}  // namespace chronicle::test
