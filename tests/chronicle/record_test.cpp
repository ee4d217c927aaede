// Records are read without trust: whatever was not written by us is refused, and nothing is read past the end.
#include "chronicle/record.hpp"

#include <gtest/gtest.h>

#include <random>

#include "chronicle/blake2.hpp"
#include "chronicle/encoding.hpp"

namespace chronicle::test {
namespace {

Message sample() {
  return Message{content_id("x"), "host/cpu", 7, WallTime{-5}, WallTime{9}, "text/plain", std::string("a\0b", 3)};
}
StreamRecord sample_stream() {
  return StreamRecord{3, StreamInfo{"host/cpu", Identity::content, 7, 100, WallTime{-5}, WallTime{6}}};
}

TEST(Record, comes_back_as_it_was_written) {
  Message message = sample();
  EXPECT_EQ(*decode_message(encode(message), {}), message);
  message.source_time.reset();
  message.content_type.clear();
  message.payload.clear();
  EXPECT_EQ(*decode_message(encode(message), {}), message);
  EXPECT_EQ(*decode_stream(encode(sample_stream()), {}), sample_stream());
}

// Records lie on disks for years: these bytes may only change with a new version number.
TEST(Record, has_a_pinned_layout) {
  const std::string record = encode(sample());
  EXPECT_EQ(to_hex(record.substr(0, record.size() - 8)),
            "01" + sample().id.hex() + "00000008" + to_hex("host/cpu") + "0000000000000007" + "fffffffffffffffb" +
                "01" + "0000000000000009" + "0000000a" + to_hex("text/plain") + "00000003" + "610062");
}

TEST(Record, with_any_bit_turned_or_any_end_cut_is_refused) {
  for (const std::string& record : {encode(sample()), encode(sample_stream())}) {
    for (std::size_t i = 0; i < record.size() * 8; ++i) {
      std::string turned = record;
      turned[i / 8] = static_cast<char>(turned[i / 8] ^ (1 << (i % 8)));
      EXPECT_FALSE(decode_message(turned, {}).has_value());
      EXPECT_FALSE(decode_stream(turned, {}).has_value());
    }
    for (std::size_t size = 0; size < record.size(); ++size) {
      EXPECT_FALSE(decode_message(record.substr(0, size), {}).has_value());
      EXPECT_FALSE(decode_stream(record.substr(0, size), {}).has_value());
    }
    EXPECT_FALSE(decode_message(record + "x", {}).has_value());
  }
}

// With a true checksum, so that the fields themselves are read.
std::string sealed(std::string body) {
  const auto sum = checksum("chronicle-record", {body});
  return body + Writer().u64(sum).text();
}

TEST(Record, of_random_fields_under_a_true_checksum_never_reads_past_its_end) {
  std::mt19937_64 chance(1);
  const std::string good = encode(sample());
  const std::string body = good.substr(0, good.size() - 8);
  int taken = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string changed = body.substr(0, chance() % 4 == 0 ? chance() % body.size() : body.size());
    for (std::uint64_t n = chance() % 3; n > 0 && changed.size() > 1; --n) {
      changed[1 + chance() % (changed.size() - 1)] = static_cast<char>(chance());
    }
    const std::string record = sealed(changed);
    const auto message = decode_message(record, {});
    if (message) {
      ++taken;
      EXPECT_EQ(encode(*message), record) << "two records for one message";
    }
    (void)decode_stream(record, {});
  }
  EXPECT_GT(taken, 100) << "the test never got past the checks";
}

TEST(Record, of_another_version_or_beyond_the_limits_is_refused) {
  const std::string good = encode(sample());
  std::string body = good.substr(0, good.size() - 8);
  body[0] = 2;
  EXPECT_NE(decode_message(sealed(body), {}).error().text().find("version 2"), std::string_view::npos);
  Limits small;
  small.payload = 2;
  EXPECT_FALSE(decode_message(good, small).has_value());
}

TEST(Encoding, keeps_the_order_of_signed_numbers_in_its_keys) {
  const auto key = [](std::int64_t value) { return Writer().ordered_i64(value).text(); };
  EXPECT_LT(key(INT64_MIN), key(-1));
  EXPECT_LT(key(-1), key(0));
  EXPECT_LT(key(0), key(INT64_MAX));
  const std::string minus_seven = key(-7);
  EXPECT_EQ(Reader(minus_seven).ordered_i64(), -7);
}

TEST(Encoding, fails_for_good_when_a_length_lies) {
  const std::string lying = Writer().u32(1000).raw("abc").text();
  Reader in(lying);
  EXPECT_EQ(in.bytes(), "");
  EXPECT_EQ(in.u8(), 0);
  EXPECT_TRUE(in.has_failed());
  EXPECT_FALSE(in.complete());
}

}  // namespace
}  // namespace chronicle::test
