#include "chronicle/record.hpp"

#include <optional>

#include "chronicle/blake2.hpp"
#include "chronicle/encoding.hpp"

namespace chronicle {
namespace {

constexpr std::uint8_t version = 1;
constexpr std::string_view personal = "chronicle-record";

Error damaged(std::string_view what, std::string_view how) {
  return Error(Errc::unavailable, "a stored " + std::string(what) + " is damaged: " + std::string(how));
}

std::string seal(Writer&& out) {
  const std::uint64_t sum = checksum(personal, {out.text()});
  out.u64(sum);
  return std::move(out).text();
}

/// The fields between version and checksum.
Result<std::string_view> unseal(std::string_view what, std::string_view record) {
  if (record.size() < 9) return damaged(what, "it is cut off");
  const std::string_view body = record.substr(0, record.size() - 8);
  if (Reader(record.substr(body.size())).u64() != checksum(personal, {body})) return damaged(what, "wrong checksum");
  const std::uint8_t written_as = Reader(body).u8();
  if (written_as != version) {
    return damaged(what,
                   "version " + std::to_string(written_as) + " is unknown; was it written by a later Chronicle?");
  }
  return body.substr(1);
}

}  // namespace

std::string encode(const Message& message) {
  Writer out;
  out.u8(version).raw(message.id.bytes()).bytes(message.stream).u64(message.sequence).i64(message.arrival.ns);
  out.u8(message.source_time ? 1 : 0);
  if (message.source_time) out.i64(message.source_time->ns);
  out.bytes(message.content_type).bytes(message.payload);
  return seal(std::move(out));
}

Result<Message> decode_message(std::string_view record, const Limits& limits) {
  const auto body = unseal("message", record);
  if (!body) return body.error();
  Reader in(*body);
  Message message;
  const auto id = MessageId::from_bytes(in.raw(MessageId::size));
  if (id) message.id = *id;
  message.stream = in.bytes();
  message.sequence = in.u64();
  message.arrival.ns = in.i64();
  const std::uint8_t has_source_time = in.u8();
  if (has_source_time == 1) message.source_time = WallTime{in.i64()};
  message.content_type = in.bytes();
  const std::string_view payload = in.bytes();
  if (!in.complete() || !id || has_source_time > 1) return damaged("message", "its fields do not fit");
  if (message.sequence == 0) return damaged("message", "its sequence is 0");
  if (fault_of_stream_name(message.stream, limits) || payload.size() > limits.payload ||
      message.content_type.size() > limits.content_type) {
    return damaged("message", "it is beyond the limits; were they lowered since it was stored?");
  }
  message.payload = payload;
  return message;
}

std::string encode(const StreamRecord& stream) {
  Writer out;
  out.u8(version).u64(stream.number).bytes(stream.info.name).u8(static_cast<std::uint8_t>(stream.info.identity));
  out.u64(stream.info.count)
      .u64(stream.info.bytes)
      .i64(stream.info.first_arrival.ns)
      .i64(stream.info.last_arrival.ns);
  return seal(std::move(out));
}

Result<StreamRecord> decode_stream(std::string_view record, const Limits& limits) {
  const auto body = unseal("stream", record);
  if (!body) return body.error();
  Reader in(*body);
  StreamRecord stream;
  stream.number = in.u64();
  stream.info.name = in.bytes();
  const std::uint8_t identity = in.u8();
  stream.info.count = in.u64();
  stream.info.bytes = in.u64();
  stream.info.first_arrival.ns = in.i64();
  stream.info.last_arrival.ns = in.i64();
  if (!in.complete() || identity < 1 || identity > 2) return damaged("stream", "its fields do not fit");
  stream.info.identity = static_cast<Identity>(identity);
  if (stream.number == 0 || stream.info.count == 0 || stream.info.last_arrival < stream.info.first_arrival ||
      fault_of_stream_name(stream.info.name, limits)) {
    return damaged("stream", "its fields contradict each other");
  }
  return stream;
}

}  // namespace chronicle
