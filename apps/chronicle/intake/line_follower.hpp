// Reads the lines of a file, once or for as long as it grows, through rotation and truncation.
//
//     LineFollower log(files, "/var/log/app.log", {.mode = LineFollower::Mode::follow});
//     auto batch = log.poll(1'000, 1 << 20);            // never waits: the caller decides when to poll again
//     for (auto& line : batch->lines) keep(observe_line("app", line.bytes, batch->key(line)));
//     save(to_string(batch->checkpoint));               // once the lines are kept
//
// Promises
// (1) Every complete line is given exactly once, in order, with its offset; a batch holds lines of one file only.
// (2) A last line without a line feed is kept until it is complete; it is given at the end of a file that is read
//     once, or that was rotated away.
// (3) Rotation (the path names another file): the old file is read to its end, then the new one from 0. As long as the
//     new file is empty the old one is followed: its writer may not have changed over yet.
// (4) Truncation (the file is shorter than what was read, or the bytes before the offset are others now): a
//     `truncated` event, then from 0.
// (5) Memory is bounded by max_line, one chunk and the batch; a poll reads at most max_bytes and one chunk.
// (6) A follower restored from a checkpoint goes on behind the last line given before it, also when the file was
//     renamed meanwhile within its directory.
// An error leaves the follower as it was: poll again. Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backstage/base/result.hpp"
#include "backstage/files/files.hpp"
#include "chronicle/intake/line_splitter.hpp"

namespace chronicle {

/// The last few bytes before an offset, as a number: tells whether a file still holds what was read from it.
struct Tail {
  std::uint32_t length = 0;
  std::uint64_t hash = 0;
  friend bool operator==(const Tail&, const Tail&) = default;
};

/// Where reading goes on. Plain data; to_string and parse_checkpoint carry it through a store.
struct Checkpoint {
  backstage::files::FileId file;
  std::uint64_t generation = 0;  ///< truncations seen of this file
  std::uint64_t offset = 0;
  Tail tail;
  bool is_discarding = false;  ///< the offset lies in a line that was too long
  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};
[[nodiscard]] std::string to_string(const Checkpoint& checkpoint);
[[nodiscard]] backstage::Result<Checkpoint> parse_checkpoint(std::string_view text);

class LineFollower {
 public:
  enum class Mode : std::uint8_t {
    once,    ///< to the end of the file as it is, then end_of_input
    follow,  ///< for ever; the file may be absent at first
  };
  struct Options {
    Mode mode = Mode::follow;
    LineSplitter::Options lines = {};
    std::size_t chunk = 64 * 1024;
    bool keeps_blank_lines = false;
  };
  struct Line {
    std::uint64_t offset = 0;
    std::string bytes;
    bool is_cut = false;
  };
  struct Event {
    enum class Kind : std::uint8_t {
      absent,     ///< there is no file at the path (told once until there is one)
      rotated,    ///< the path names a new file: it is read from 0
      truncated,  ///< the file was cut or rewritten: it is read from 0; `bytes` of an unfinished line were given up
      skipped,    ///< `bytes` of a line over the limit were dropped, from `offset`
      lost,       ///< the file that the checkpoint speaks of is gone, with whatever was unread in it
    };
    Kind kind;
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
  };
  struct Progress {
    std::uint64_t offset = 0;  ///< behind the last line given
    std::uint64_t size = 0;    ///< of the file now
  };
  struct Batch {
    std::vector<Line> lines;
    std::vector<Event> events;
    Progress progress;
    Checkpoint checkpoint;      ///< save it after the lines are safe
    std::string file_key;       ///< names the file of the lines, for idempotency keys
    bool is_caught_up = false;  ///< nothing more to read now; poll again when the file may have grown
    bool end_of_input = false;

    /// The same line of the same file has the same key, however often it is read.
    [[nodiscard]] std::string key(const Line& line) const { return file_key + ":" + std::to_string(line.offset); }
  };

  LineFollower(backstage::files::Files& files, std::string path, Options options,
               std::optional<Checkpoint> resume_at = std::nullopt);

  /// At most `max_lines` lines, and no further line once `max_bytes` bytes of lines are taken.
  [[nodiscard]] backstage::Result<Batch> poll(std::size_t max_lines, std::size_t max_bytes);
  [[nodiscard]] Checkpoint checkpoint() const;
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  enum class Step : std::uint8_t { go_on, stop };

  backstage::Result<Step> open_first(Batch& batch);
  backstage::Result<std::unique_ptr<backstage::files::File>> find_file_of(const Checkpoint& checkpoint);
  void adopt(std::unique_ptr<backstage::files::File> file, const backstage::files::FileInfo& info);
  void start_over(std::uint64_t offset);
  backstage::Result<bool> still_holds(const std::string& tail, std::uint64_t before);
  backstage::Result<Step> check_truncation(Batch& batch);
  backstage::Result<std::size_t> read_chunk(std::size_t limit);
  backstage::Result<Step> at_end_of_file(Batch& batch);
  bool drain(Batch& batch, std::size_t max_lines, std::size_t max_bytes);
  void accept(Batch& batch, const LineSplitter::Piece& piece);
  void finish_file(Batch& batch);
  void seal(Batch& batch) const;
  [[nodiscard]] std::string file_key() const;

  backstage::files::Files& files_;
  const std::string path_;
  const Options options_;
  std::optional<Checkpoint> resume_at_;
  std::unique_ptr<backstage::files::File> file_;
  backstage::files::FileInfo info_;  // when last looked at
  LineSplitter splitter_;
  std::string buffer_;
  std::string read_tail_;   // the last bytes before read_offset_
  std::string given_tail_;  // the last bytes before splitter_.offset()
  std::uint64_t read_offset_ = 0;
  std::uint64_t generation_ = 0;
  std::size_t batch_bytes_ = 0;
  bool has_told_absence_ = false;
  bool saw_successor_ = false;  // the path named a new file, and the old one is read once more
  bool is_done_ = false;
};

}  // namespace chronicle
