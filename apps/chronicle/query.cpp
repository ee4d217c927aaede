#include "chronicle/query.hpp"

#include <limits>

#include "chronicle/blake2.hpp"
#include "chronicle/encoding.hpp"

namespace chronicle {
namespace {

constexpr std::uint8_t version = 1;
constexpr std::size_t cursor_digits = 2 * (1 + 8 + 8 + 8);

std::uint64_t seal(const Query& query, Place last) {
  Writer bound;
  bound.u8(version).bytes(query.stream).u8(static_cast<std::uint8_t>(query.by));
  for (const auto& end : {query.from, query.to}) bound.u8(end ? 1 : 0).i64(end ? end->ns : 0);
  bound.i64(last.time.ns).u64(last.sequence);
  return checksum("chronicle-cursor", {bound.text()});
}

}  // namespace

std::optional<Error> fault_of(const Query& query, const Limits& limits) {
  if (auto refused = fault_of_stream_name(query.stream, limits)) return refused->error;
  if (query.limit == 0) return Error(Errc::invalid, "limit is 0; ask for at least 1 message");
  if (query.by != By::arrival && query.by != By::source) return Error(Errc::invalid, "no such order");
  if (query.from && query.to && *query.to < *query.from) {
    return Error(Errc::invalid, "the range ends (" + backstage::to_string(*query.to) + ") before it begins (" +
                                    backstage::to_string(*query.from) + ")");
  }
  return std::nullopt;
}

std::string make_cursor(const Query& query, Place last) {
  Writer out;
  out.u8(version).i64(last.time.ns).u64(last.sequence).u64(seal(query, last));
  return to_hex(out.text());
}

Result<Place> read_cursor(const Query& query) {
  const auto damaged = [] {
    return Error(Errc::invalid,
                 "the cursor is damaged; take it as the last page gave it, or leave it out to begin anew");
  };
  if (query.cursor.size() != cursor_digits) return damaged();
  const auto bytes = from_hex(query.cursor);
  if (!bytes) return damaged();
  Reader in(*bytes);
  const std::uint8_t written_as = in.u8();
  Place last;
  last.time.ns = in.i64();
  last.sequence = in.u64();
  const std::uint64_t sealed = in.u64();
  if (!in.complete() || written_as != version) return damaged();
  if (last.sequence == 0 || last.sequence == std::numeric_limits<std::uint64_t>::max()) return damaged();
  if (sealed != seal(query, last)) {
    return Error(
        Errc::invalid,
        "the cursor was given for another query; keep stream, time, from and to as they were on the first page");
  }
  return last;
}

}  // namespace chronicle
