// Asking for a stream's messages by time, a page at a time.
//
// A cursor names the place after the last message of a page. It is opaque, and stable under writes: following cursors
// gives every message that the first page could have led to exactly once, whatever is written meanwhile. By arrival
// nothing new can come behind a cursor, so it may also be kept and asked again later, to follow the stream's end; by
// source time a late message with an early time may come behind it, and is then not seen by that reader.
// A cursor is good only for the stream, order, from and to that it was given for. It is checked, not secret: who
// forges one gets a place in the very range that the query names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "chronicle/message.hpp"

namespace chronicle {

/// Which of its times orders and bounds a query.
enum class By : std::uint8_t {
  arrival = 1,
  source = 2,  ///< messages without a source time are left out
};

struct Query {
  std::string stream;
  By by = By::arrival;
  std::optional<WallTime> from;  ///< this time or later
  std::optional<WallTime> to;    ///< before this time
  std::size_t limit = 100;       ///< at least 1; cut to Limits::page_count
  std::string cursor;            ///< empty: from the beginning
};

struct Page {
  std::vector<Message> messages;  ///< by time, then by sequence
  std::string cursor;  ///< goes on after the last message; empty only if there was neither one nor a cursor
  bool more = false;   ///< there is more now

  friend bool operator==(const Page&, const Page&) = default;
};

/// A place in an index: after the message with this time and sequence.
struct Place {
  WallTime time;
  std::uint64_t sequence = 0;

  friend auto operator<=>(const Place&, const Place&) = default;
};

/// What is wrong with the query by itself (name, limit, range), or nothing.
[[nodiscard]] std::optional<Error> fault_of(const Query& query, const Limits& limits);

[[nodiscard]] std::string make_cursor(const Query& query, Place last);
/// The place in `query.cursor` (not empty). Errc::invalid for one that is damaged or belongs to another query.
[[nodiscard]] Result<Place> read_cursor(const Query& query);

}  // namespace chronicle
