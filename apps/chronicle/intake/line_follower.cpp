#include "chronicle/intake/line_follower.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "backstage/base/utf8.hpp"
#include "chronicle/intake/text.hpp"

namespace chronicle {
namespace {

using backstage::Errc;
using backstage::Error;
using backstage::Result;
namespace files = backstage::files;

constexpr std::size_t tail_length = 64;
constexpr std::size_t siblings_looked_at = 10'000;

/// FNV-1a, 64 bits (Fowler, Noll, Vo): no defence against malice, and none is needed.
std::uint64_t hash_of(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

Tail tail_of(std::string_view bytes) { return Tail{static_cast<std::uint32_t>(bytes.size()), hash_of(bytes)}; }

void push_tail(std::string& tail, std::string_view bytes) {
  if (bytes.size() >= tail_length) {
    tail = bytes.substr(bytes.size() - tail_length);
    return;
  }
  tail += bytes;
  if (tail.size() > tail_length) tail.erase(0, tail.size() - tail_length);
}

/// Device numbers may change when the machine starts anew; inode and time of birth together are enough.
bool is_same_file(const files::FileId& a, const files::FileId& b) {
  return a.inode == b.inode && a.born_ns == b.born_ns && (a.device == b.device || a.born_ns != 0);
}

/// `length` bytes from `offset`, fewer if the file ends before.
Result<std::string> read_exactly(files::File& file, std::uint64_t offset, std::size_t length) {
  std::string bytes(length, '\0');
  std::size_t filled = 0;
  while (filled < length) {
    auto got = file.read_at(offset + filled, std::span<char>(bytes.data() + filled, length - filled));
    if (!got) return got.error();
    if (*got == 0) break;
    filled += *got;
  }
  bytes.resize(filled);
  return bytes;
}

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

std::string to_string(const Checkpoint& at) {
  std::string text = "v1";
  for (const std::uint64_t number :
       {at.file.device, at.file.inode, static_cast<std::uint64_t>(at.file.born_ns), at.generation, at.offset,
        std::uint64_t{at.tail.length}, at.tail.hash, std::uint64_t{at.is_discarding ? 1U : 0U}}) {
    text += ' ';
    text += std::to_string(number);
  }
  return text;
}

Result<Checkpoint> parse_checkpoint(std::string_view text) {
  const Error bad(Errc::invalid, "'" + clean_utf8(backstage::cut_utf8(text, 80)) +
                                     "' is no checkpoint: expected 'v1' and eight numbers, as to_string wrote them");
  std::string_view rest = text;
  if (take_word(rest) != "v1") return bad;
  std::array<std::uint64_t, 8> numbers{};
  for (std::uint64_t& number : numbers) {
    const auto parsed = to_number(take_word(rest));
    if (!parsed) return bad;
    number = *parsed;
  }
  if (!trim(rest).empty() || numbers[5] > tail_length || numbers[5] > numbers[4] || numbers[7] > 1) return bad;
  Checkpoint at;
  at.file = files::FileId{numbers[0], numbers[1], static_cast<std::int64_t>(numbers[2])};
  at.generation = numbers[3];
  at.offset = numbers[4];
  at.tail = Tail{static_cast<std::uint32_t>(numbers[5]), numbers[6]};
  at.is_discarding = numbers[7] == 1;
  return at;
}

LineFollower::LineFollower(files::Files& files, std::string path, Options options,
                           std::optional<Checkpoint> resume_at)
    : files_(files), path_(std::move(path)), options_(options), splitter_(options.lines) {
  // The checkpoint of a follower that never found its file says nothing.
  if (resume_at && resume_at->file != backstage::files::FileId{}) resume_at_ = resume_at;
  buffer_.resize(std::max<std::size_t>(options_.chunk, 1));
}

Result<LineFollower::Batch> LineFollower::poll(std::size_t max_lines, std::size_t max_bytes) {
  Batch batch;
  batch_bytes_ = 0;
  max_lines = std::max<std::size_t>(max_lines, 1);
  max_bytes = std::max<std::size_t>(max_bytes, 1);
  std::size_t budget = std::max(max_bytes, buffer_.size());
  // Lines and events are never lost to an error: they go out first, and the error comes with the next poll.
  const auto fail = [&](const Error& error) -> Result<Batch> {
    if (batch.lines.empty() && batch.events.empty()) return error;
    seal(batch);
    return std::move(batch);
  };

  auto step = Result<Step>(is_done_ ? Step::stop : Step::go_on);
  if (is_done_) {
    batch.end_of_input = batch.is_caught_up = true;
  } else if (!file_) {
    step = open_first(batch);
    if (!step) return fail(step.error());
  }
  batch.file_key = file_key();
  bool has_checked = options_.mode == Mode::once;
  while (*step == Step::go_on && !drain(batch, max_lines, max_bytes) && budget > 0) {
    if (!has_checked) {
      step = check_truncation(batch);
      if (!step) return fail(step.error());
      if (*step == Step::stop) break;
      has_checked = true;
    }
    auto got = read_chunk(std::min(budget, buffer_.size()));
    if (!got) return fail(got.error());
    budget -= *got;
    if (*got > 0) continue;
    step = at_end_of_file(batch);
    if (!step) return fail(step.error());
  }
  seal(batch);
  return batch;
}

Checkpoint LineFollower::checkpoint() const {
  if (!file_) return resume_at_.value_or(Checkpoint{});
  Checkpoint at;
  at.file = info_.id;
  at.generation = generation_;
  at.offset = splitter_.offset();
  at.tail = tail_of(given_tail_);
  at.is_discarding = splitter_.is_discarding();
  return at;
}

Result<LineFollower::Step> LineFollower::open_first(Batch& batch) {
  auto opened = files_.open(path_);
  if (!opened) {
    if (!opened.error().is(Errc::not_found) || options_.mode == Mode::once) return opened.error();
    if (!has_told_absence_) batch.events.push_back({Event::Kind::absent, 0, 0});
    has_told_absence_ = true;
    batch.is_caught_up = true;
    return Step::stop;
  }
  std::unique_ptr<files::File> file = std::move(*opened);
  auto info = file->info();
  if (!info) return info.error();
  if (resume_at_ && !is_same_file(info->id, resume_at_->file)) {
    auto older = find_file_of(*resume_at_);
    if (!older) return older.error();
    if (*older) {
      file = std::move(*older);
      info = file->info();
      if (!info) return info.error();
    } else {
      batch.events.push_back({Event::Kind::lost, resume_at_->offset, 0});
      resume_at_.reset();
    }
  }
  std::string tail;
  if (resume_at_) {
    auto read = read_exactly(*file, resume_at_->offset - resume_at_->tail.length, resume_at_->tail.length);
    if (!read) return read.error();
    tail = std::move(*read);
  }
  adopt(std::move(file), *info);
  if (!resume_at_) return Step::go_on;
  const Checkpoint at = *std::exchange(resume_at_, std::nullopt);
  generation_ = at.generation;
  if (info_.size < at.offset || tail_of(tail) != at.tail) {
    ++generation_;
    batch.events.push_back({Event::Kind::truncated, at.offset, 0});
    return Step::go_on;
  }
  start_over(at.offset);
  splitter_.reset(at.offset, at.is_discarding);
  read_tail_ = given_tail_ = tail;
  return Step::go_on;
}

/// The file that the checkpoint speaks of, under another name in the same directory; null when it is not there.
Result<std::unique_ptr<files::File>> LineFollower::find_file_of(const Checkpoint& at) {
  const std::string directory = directory_of(path_);
  auto listing = files_.list(directory, siblings_looked_at);
  if (!listing) return std::unique_ptr<files::File>();
  for (const std::string& name : listing->names) {
    const std::string sibling = directory + (directory.ends_with('/') ? "" : "/") + name;
    const auto info = files_.info(sibling);
    if (!info || info->kind != files::FileKind::regular || !is_same_file(info->id, at.file)) continue;
    auto file = files_.open(sibling);
    if (!file) return file.error();
    return file;
  }
  return std::unique_ptr<files::File>();
}

void LineFollower::adopt(std::unique_ptr<files::File> file, const files::FileInfo& info) {
  file_ = std::move(file);
  info_ = info;
  generation_ = 0;
  saw_successor_ = false;
  start_over(0);
}

void LineFollower::start_over(std::uint64_t offset) {
  read_offset_ = offset;
  splitter_.reset(offset);
  read_tail_.clear();
  given_tail_.clear();
}

Result<bool> LineFollower::still_holds(const std::string& tail, std::uint64_t before) {
  auto now = read_exactly(*file_, before - tail.size(), tail.size());
  if (!now) return now.error();
  return *now == tail;
}

/// A file that only grew still ends, where reading stopped, with the bytes that were read there.
Result<LineFollower::Step> LineFollower::check_truncation(Batch& batch) {
  auto info = file_->info();
  if (!info) return info.error();
  bool is_truncated = info->size < read_offset_;
  if (!is_truncated && (info->size != read_offset_ || info->modified != info_.modified)) {
    auto holds = still_holds(read_tail_, read_offset_);
    if (!holds.has_value()) return holds.error();
    is_truncated = !*holds;
  }
  // The lines taken before belong to the file as it was, under its old key: they go out first, and the next poll
  // finds the same again, since nothing is noted here.
  if (is_truncated && !batch.lines.empty()) return Step::stop;
  info_ = *info;
  if (!is_truncated) return Step::go_on;
  batch.events.push_back({Event::Kind::truncated, read_offset_, splitter_.held()});
  ++generation_;
  start_over(0);
  batch.file_key = file_key();
  return Step::go_on;
}

Result<std::size_t> LineFollower::read_chunk(std::size_t limit) {
  auto got = file_->read_at(read_offset_, std::span<char>(buffer_.data(), limit));
  if (!got) return got.error();
  const std::string_view bytes(buffer_.data(), *got);
  splitter_.feed(bytes);
  push_tail(read_tail_, bytes);
  read_offset_ += bytes.size();
  info_.size = std::max(info_.size, read_offset_);
  return bytes.size();
}

Result<LineFollower::Step> LineFollower::at_end_of_file(Batch& batch) {
  if (options_.mode == Mode::once) {
    finish_file(batch);
    is_done_ = batch.end_of_input = batch.is_caught_up = true;
    return Step::stop;
  }
  const auto named = files_.info(path_);
  // No file at the path, or an empty one: its writer may still be writing to ours.
  if (!named || named->kind != files::FileKind::regular || named->size == 0 || is_same_file(named->id, info_.id)) {
    saw_successor_ = false;
    batch.is_caught_up = true;
    return Step::stop;
  }
  if (!saw_successor_) {
    // Between our last read and the renaming more may have been written: read the old file once more.
    saw_successor_ = true;
    return Step::go_on;
  }
  auto opened = files_.open(path_);
  if (!opened) return opened.error();
  auto info = (*opened)->info();
  if (!info) return info.error();
  finish_file(batch);
  batch.events.push_back({Event::Kind::rotated, read_offset_, 0});
  adopt(std::move(*opened), *info);
  return Step::stop;
}

/// True when the batch is full; false when there is no complete line left in memory.
bool LineFollower::drain(Batch& batch, std::size_t max_lines, std::size_t max_bytes) {
  while (batch.lines.size() < max_lines && batch_bytes_ < max_bytes) {
    const auto piece = splitter_.next();
    if (!piece) return false;
    accept(batch, *piece);
  }
  return true;
}

void LineFollower::accept(Batch& batch, const LineSplitter::Piece& piece) {
  const std::uint64_t length = piece.end - piece.offset;
  if (piece.kind == LineSplitter::Piece::Kind::dropped) {
    batch.events.push_back({Event::Kind::skipped, piece.offset, length});
    given_tail_.clear();  // its bytes are gone; a shorter tail is a weaker check, not a wrong one
    return;
  }
  // The line end stands right behind the line in the splitter's memory.
  push_tail(given_tail_, std::string_view(piece.bytes.data(), static_cast<std::size_t>(length)));
  if (piece.bytes.empty() && !options_.keeps_blank_lines) return;
  batch.lines.push_back({piece.offset, std::string(piece.bytes), piece.kind == LineSplitter::Piece::Kind::cut_line});
  batch_bytes_ += piece.bytes.size();
}

void LineFollower::finish_file(Batch& batch) {
  if (const auto piece = splitter_.finish()) accept(batch, *piece);
}

void LineFollower::seal(Batch& batch) const {
  batch.checkpoint = checkpoint();
  batch.progress = {splitter_.offset(), info_.size};
}

std::string LineFollower::file_key() const {
  if (!file_) return {};
  // As in is_same_file: the device only where the file system knows no birth.
  const std::string device = info_.id.born_ns == 0 ? std::to_string(info_.id.device) + "-" : "";
  return "file:" + device + std::to_string(info_.id.inode) + "-" + std::to_string(info_.id.born_ns) + "-" +
         std::to_string(generation_);
}

}  // namespace chronicle
