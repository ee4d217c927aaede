// Where Chronicle keeps its messages: the interface, with two implementations of the same behaviour, RocksStorage
// (the real one) and MemoryStorage (its model, and its stand-in where the real one cannot be used).
//
// Promises
//  (1) An outcome is told after the group's synced write: what append() reported stored or duplicate is there after
//      any crash. What a reader can see is as durable.
//  (2) A group is all or nothing on disk. Sequences of a stream run 1, 2, 3 ... without holes, in append order.
//  (3) An id is kept once, in the whole store: a draft whose id is there (from before, from before a restart, or
//      earlier in the same group) is a duplicate and changes nothing. Two content streams that get the same bytes
//      share one message: the second is told where the first lies. (An event's id covers its stream.)
//  (4) A stream's identity is decided by its first stored message. A draft that asks for the other one is refused.
//  (5) Within a stream arrival times never go back: a message that comes while the clock has been set back is kept
//      with the arrival of the one before it. So the order of arrival is the order of sequence, and cursors can
//      follow.
//  (6) After a failed write or sync nobody can know what the disk holds. The storage is poisoned: every further
//  append
//      is refused (Errc::unavailable) until open() has read the disk anew. The failed group may or may not be there
//      (Error::may_have_run); sent again with the same ids it is recognised.
//
//            open()                    a write fails
//   closed ----------> open ----------------------------> poisoned (still readable)
//      ^                 |                                    |  open(): closes first
//      +---- close() ----+------------- close() --------------+
//
// Threads: append() from one thread at a time; get(), query(), streams(), stream(), counters(), fault() from any
// thread, also during append(). open(), close() and the destructor while nothing else runs.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chronicle/message.hpp"
#include "chronicle/query.hpp"

namespace chronicle {

/// What became of one draft.
struct Outcome {
  enum class Kind : std::uint8_t { stored, duplicate, refused };

  Kind kind = Kind::refused;
  MessageId id;                    ///< not when refused
  std::string stream;              ///< where the message lies: for a duplicate perhaps not the draft's own
  std::uint64_t sequence = 0;      ///< not when refused
  std::optional<Refused> refused;  ///< when refused

  [[nodiscard]] bool is_stored() const noexcept { return kind == Kind::stored; }
  [[nodiscard]] bool is_duplicate() const noexcept { return kind == Kind::duplicate; }
  [[nodiscard]] bool is_refused() const noexcept { return kind == Kind::refused; }

  static Outcome stored(MessageId id, std::string_view stream, std::uint64_t sequence) {
    return Outcome{Kind::stored, id, std::string(stream), sequence, std::nullopt};
  }
  static Outcome duplicate(MessageId id, std::string_view stream, std::uint64_t sequence) {
    return Outcome{Kind::duplicate, id, std::string(stream), sequence, std::nullopt};
  }
  static Outcome refuse(std::string_view stream, Refused why) {
    return Outcome{Kind::refused, {}, std::string(stream), 0, std::move(why)};
  }
};

struct StreamInfo {
  std::string name;
  Identity identity = Identity::event;
  std::uint64_t count = 0;  ///< messages; also the last sequence, as there are no holes and nothing is deleted
  std::uint64_t bytes = 0;  ///< of their payloads
  WallTime first_arrival;
  WallTime last_arrival;

  [[nodiscard]] std::uint64_t last_sequence() const noexcept { return count; }
  friend bool operator==(const StreamInfo&, const StreamInfo&) = default;
};

/// Since this object was made. drafts == stored + duplicates + refused + failed.
struct Counters {
  std::uint64_t drafts = 0;  ///< handed to append
  std::uint64_t stored = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t refused = 0;
  std::uint64_t failed = 0;  ///< drafts of groups that ended in an Error
  std::uint64_t groups = 0;  ///< groups that stored something: synced writes
  std::uint64_t bytes = 0;   ///< payload bytes stored

  friend bool operator==(const Counters&, const Counters&) = default;
};

class Storage {
 public:
  explicit Storage(Limits limits) : limits_(limits) {}
  virtual ~Storage() = default;
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  /// Opens, or opens anew: what the disk holds now is the truth. Errc::unavailable says why not.
  [[nodiscard]] Result<> open();
  void close() noexcept;

  /// Stores the drafts as one synced group; the outcomes stand in the order of the drafts. An Error means the whole
  /// group: Errc::invalid (beyond Limits::group_count or group_bytes: nothing was done), Errc::unavailable (not open,
  /// poisoned, or poisoned just now: then may_have_run() is true).
  [[nodiscard]] Result<std::vector<Outcome>> append(std::span<const Draft> drafts);

  /// Errc::not_found, or Errc::unavailable when it cannot be read or is damaged.
  [[nodiscard]] Result<Message> get(const MessageId& id) const;
  /// Every stream, by name.
  [[nodiscard]] Result<std::vector<StreamInfo>> streams() const;
  [[nodiscard]] Result<StreamInfo> stream(std::string_view name) const;
  /// Errc::not_found for an unknown stream, Errc::invalid for a query or cursor that cannot be meant.
  [[nodiscard]] Result<Page> query(const Query& query) const;

  [[nodiscard]] Counters counters() const;
  /// Why appends are refused now (not open, poisoned), or nothing: for /readyz.
  [[nodiscard]] std::optional<Error> fault() const;
  [[nodiscard]] const Limits& limits() const noexcept { return limits_; }

 private:
  // What an implementation adds. They are called in states where they make sense, with arguments already checked.
  virtual Result<> do_open() = 0;
  virtual void do_close() noexcept = 0;
  /// An Error poisons the storage.
  virtual Result<std::vector<Outcome>> do_append(std::span<const Draft> drafts) = 0;
  virtual Result<Message> do_get(const MessageId& id) const = 0;
  virtual std::vector<StreamInfo> do_streams() const = 0;
  virtual Result<StreamInfo> do_stream(std::string_view name) const = 0;
  /// `after`: the cursor's place, already checked. `query.limit` is already cut.
  virtual Result<Page> do_query(const Query& query, std::optional<Place> after) const = 0;

  const Limits limits_;
  mutable std::mutex mutex_;  // guards the three below; never held while an implementation runs
  bool is_open_ = false;
  std::optional<Error> poison_;  // why the storage is poisoned
  Counters counters_;
};

[[nodiscard]] Error no_such_message(const MessageId& id);
[[nodiscard]] Error no_such_stream(std::string_view name);
[[nodiscard]] Refused too_many_streams(std::string_view name, const Limits& limits);

}  // namespace chronicle
