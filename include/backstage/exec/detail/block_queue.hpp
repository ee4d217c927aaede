// Pointers, first in, first out, as many as come: a few in the queue itself, more in blocks, which are the larger the more there are.
//
// Promises
//   (1) A push that throws std::bad_alloc has changed nothing. To pop never allocates.
//   (2) A block is freed when it has been emptied and what is behind it is taken, and a large one is the system's at once (mapped.hpp):
//       what a million took does not stay.
// Threads: one at a time. Pointers are not owned.
// Stability: internal.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <new>
#include <span>
#include <utility>

#include "backstage/exec/detail/mapped.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

template <class T>
class BlockQueue {
 public:
  BlockQueue() = default;
  BlockQueue(const BlockQueue&) = delete;
  BlockQueue& operator=(const BlockQueue&) = delete;
  ~BlockQueue() {
    while (first_ != nullptr) free_first();
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// In blocks of the heap's or the system's.
  [[nodiscard]] std::size_t bytes_taken() const noexcept {
    std::size_t sum = 0;
    for (const Block* block = first_; block != nullptr; block = block->next) {
      if (block != &own_) sum += bytes_for(block->capacity);
    }
    return sum;
  }

  void push(std::span<T* const> work) {
    const std::size_t fit = std::min(work.size(), last_->capacity - end_);
    if (fit < work.size()) last_->next = take_block(work.size() - fit);  // before anything is written
    std::copy_n(work.begin(), fit, last_->slots + end_);
    end_ += fit;
    if (fit < work.size()) {
      last_ = last_->next;
      end_ = work.size() - fit;
      std::copy_n(work.begin() + static_cast<std::ptrdiff_t>(fit), end_, last_->slots);
    }
    size_ += work.size();
  }

  /// The oldest out.size(), or what there is; returns how many.
  std::size_t pop(std::span<T*> out) noexcept {
    const std::size_t count = std::min(out.size(), size_);
    for (std::size_t done = 0; done < count;) {
      if (begin_ == first_->capacity) {
        free_first();
        begin_ = 0;
      }
      const std::size_t some = std::min(count - done, first_->capacity - begin_);
      std::copy_n(first_->slots + begin_, some, out.begin() + static_cast<std::ptrdiff_t>(done));
      begin_ += some;
      done += some;
    }
    size_ -= count;
    if (size_ == 0) begin_anew();
    return count;
  }

 private:
  struct Block {
    T** slots = nullptr;
    std::size_t capacity = 0;
    Block* next = nullptr;
  };
  static constexpr std::size_t own_capacity = 64;
  static constexpr std::size_t most = (mapped_from - sizeof(Block)) / sizeof(T*);  // of them are mapped together

  [[nodiscard]] static constexpr std::size_t bytes_for(std::size_t capacity) noexcept {
    return sizeof(Block) + capacity * sizeof(T*);
  }
  [[nodiscard]] static Block* make(std::size_t capacity) {
    auto* const at = static_cast<std::byte*>(allocate_mapped(bytes_for(capacity)));
    return ::new (at) Block{reinterpret_cast<T**>(at + sizeof(Block)), capacity};
  }
  /// With room for so many, and for as many as there are: these get twice as many in the same number of blocks.
  [[nodiscard]] Block* take_block(std::size_t least) {
    if (!own_is_free_ || least > own_capacity) return make(std::max({std::min(size_, most), least, own_capacity}));
    own_is_free_ = false;
    own_.next = nullptr;
    return &own_;
  }
  void free_first() noexcept {
    Block* const block = std::exchange(first_, first_->next);
    if (block == &own_) {
      own_is_free_ = true;
    } else {
      deallocate_mapped(block, bytes_for(block->capacity));
    }
  }
  /// Empty: only one block is left, the last.
  void begin_anew() noexcept {
    free_first();
    own_is_free_ = false;
    own_.next = nullptr;
    first_ = last_ = &own_;
    begin_ = end_ = 0;
  }

  std::array<T*, own_capacity> own_slots_{};
  Block own_{own_slots_.data(), own_capacity};
  bool own_is_free_ = false;  // not among those in use
  // Those from first_->slots[begin_] to last_->slots[end_]. The blocks between them are full.
  Block* first_ = &own_;
  Block* last_ = &own_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t size_ = 0;
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
