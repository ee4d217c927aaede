// A feed: what somebody who listens has not heard yet. A value that was not taken up is replaced by the next; that one
// went and another came is never hidden.
//
// (1) What is taken comes in the order in which it was given, each once.
// (2) latest: at most three wait, a value and a drop in turn; a value replaces the value that waits last, a drop that
//     finds no room takes the place of the value that waits last. The last that waits is always the last that was given.
// (3) every(n): nothing is replaced; when n wait the oldest is dropped and counted in missed().
// Threads: the caller locks. Stability: settling (v0).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace backstage {
inline namespace v0 {
namespace detail {

/// What a listener hears.
struct BoardNews {
  enum class Kind : std::uint8_t {
    value,     ///< there is a value, the first or another
    dropped,   ///< it was withdrawn, or its publisher's incarnation has ended
    over,      ///< its publisher is over for good: nothing comes after it
    appeared,  ///< a child of that name has been spawned
  };
  Kind kind = Kind::value;
  std::shared_ptr<const void> value;
  std::uint64_t version = 0;
  std::uint64_t since = 0;  ///< the version with which it came: later ones have replaced it without a drop
};

class Feed {
 public:
  /// 0: the latest only. All memory is taken here: giving needs none.
  explicit Feed(std::size_t every = 0) : every_(every), ring_(every == 0 ? 3 : every) {}

  /// What is not heard any more because of it is put into `replaced`, for the caller to destroy when it has unlocked.
  void give(BoardNews news, BoardNews& replaced) noexcept {
    if (size_ == ring_.size()) {
      if (every_ != 0) {
        ++missed_;
        replaced = pop_front();
      } else if (is_value(back()) != is_value(news)) {
        replaced = std::move(back());
        --size_;
      }
    }
    if (every_ == 0 && size_ != 0 && is_value(back()) == is_value(news)) {
      if (is_value(news)) replaced = std::move(back());
      back() = std::move(news);
      return;
    }
    ring_[(first_ + size_) % ring_.size()] = std::move(news);
    ++size_;
  }
  /// Precondition: size() != 0.
  [[nodiscard]] BoardNews take() noexcept { return pop_front(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::uint64_t missed() const noexcept { return missed_; }

 private:
  [[nodiscard]] static bool is_value(const BoardNews& news) noexcept { return news.kind == BoardNews::Kind::value; }
  [[nodiscard]] BoardNews& back() noexcept { return ring_[(first_ + size_ - 1) % ring_.size()]; }
  [[nodiscard]] BoardNews pop_front() noexcept {
    BoardNews front = std::exchange(ring_[first_], BoardNews());
    first_ = (first_ + 1) % ring_.size();
    --size_;
    return front;
  }

  std::size_t every_;
  std::uint64_t missed_ = 0;
  std::vector<BoardNews> ring_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
