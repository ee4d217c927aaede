// The keys of the store in RocksDB: one key space, told apart by the first byte. Integers big-endian, so that the
// order of keys is the order of numbers; `number` stands for a stream.
//
//   'f'                            -> format: "chronicle 1"
//   's' | name                     -> stream record
//   'm' | u64 number | u64 seq     -> message record
//   'i' | 32 bytes id              -> u64 number | u64 seq
//   'a' | u64 number | time | seq  -> nothing                (by arrival; time: i64 with its sign bit turned)
//   't' | u64 number | time | seq  -> nothing                (by source time; only messages that have one)
// Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "chronicle/encoding.hpp"
#include "chronicle/query.hpp"

namespace chronicle::keys {

inline constexpr std::string_view format = "f";
inline constexpr std::string_view format_value = "chronicle 1";
inline constexpr std::string_view streams_begin = "s";
inline constexpr std::string_view streams_end = "t";

/// Where a message lies.
struct Location {
  std::uint64_t number = 0;
  std::uint64_t sequence = 0;
};

inline std::string stream(std::string_view name) { return Writer().raw("s").raw(name).text(); }
inline std::string message(Location at) { return Writer().raw("m").u64(at.number).u64(at.sequence).text(); }
inline std::string id(const MessageId& id) { return Writer().raw("i").raw(id.bytes()).text(); }
inline std::string location(Location at) { return Writer().u64(at.number).u64(at.sequence).text(); }
inline std::optional<Location> read_location(std::string_view value) {
  Reader in(value);
  Location at;
  at.number = in.u64();
  at.sequence = in.u64();
  if (!in.complete() || at.number == 0 || at.sequence == 0) return std::nullopt;
  return at;
}

inline std::string_view prefix(By by) { return by == By::arrival ? "a" : "t"; }
inline std::string time(By by, std::uint64_t number, Place place) {
  return Writer().raw(prefix(by)).u64(number).ordered_i64(place.time.ns).u64(place.sequence).text();
}
/// Before every entry of the stream; with number + 1, after every one.
inline std::string time_begin(By by, std::uint64_t number) { return Writer().raw(prefix(by)).u64(number).text(); }
inline std::optional<Place> read_time(std::string_view key) {
  Reader in(key);
  in.raw(1 + 8);
  Place place;
  place.time.ns = in.ordered_i64();
  place.sequence = in.u64();
  if (!in.complete() || place.sequence == 0) return std::nullopt;
  return place;
}

}  // namespace chronicle::keys
