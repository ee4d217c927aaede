// Gathers drafts, each with the ticket of whoever waits for its outcome, until they are written as one group.
//
//   if (!group.fits(draft)) flush();             // the group would be more than one append takes
//   group.add(std::move(draft), std::move(reply));
//   ... at the end of the turn, or when is_due():
//   group.flush(storage, [](Reply<..> reply, Result<Outcome> outcome) { ... });
//
// Every ticket is answered exactly once, by flush, after the synced write. One thread at a time.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "chronicle/storage.hpp"

namespace chronicle {

template <class Ticket>
class WriteGroup {
 public:
  /// Due at half of what one append takes.
  explicit WriteGroup(const Limits& limits) : WriteGroup(limits, limits.group_count / 2, limits.group_bytes / 2) {}
  WriteGroup(const Limits& limits, std::size_t due_count, std::size_t due_bytes)
      : most_count_(limits.group_count),
        most_bytes_(limits.group_bytes),
        due_count_(due_count),
        due_bytes_(due_bytes) {}

  [[nodiscard]] bool is_empty() const noexcept { return drafts_.empty(); }
  [[nodiscard]] std::size_t count() const noexcept { return drafts_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] bool is_due() const noexcept {
    return !is_empty() && (drafts_.size() >= due_count_ || bytes_ >= due_bytes_);
  }
  /// An empty group takes any draft: append judges a lone one by itself.
  [[nodiscard]] bool fits(const Draft& draft) const noexcept {
    return is_empty() || (drafts_.size() < most_count_ && bytes_ + cost(draft) <= most_bytes_);
  }
  void add(Draft draft, Ticket ticket) {
    bytes_ += cost(draft);
    drafts_.push_back(std::move(draft));
    tickets_.push_back(std::move(ticket));
  }

  /// Appends everything gathered, then calls answer(Ticket, Result<Outcome>) in the order of adding. The group is
  /// empty again before the first answer, so that an answer may add. If `answer` throws, the tickets left are
  /// destroyed.
  template <class Answer>
  void flush(Storage& storage, Answer&& answer) {
    if (is_empty()) return;
    const auto drafts = std::exchange(drafts_, {});
    auto tickets = std::exchange(tickets_, {});
    bytes_ = 0;
    auto outcomes = storage.append(drafts);
    for (std::size_t i = 0; i < tickets.size(); ++i) {
      if (outcomes) {
        answer(std::move(tickets[i]), Result<Outcome>(std::move((*outcomes)[i])));
      } else {
        answer(std::move(tickets[i]), Result<Outcome>(outcomes.error()));
      }
    }
  }

 private:
  std::size_t most_count_;
  std::size_t most_bytes_;
  std::size_t due_count_;
  std::size_t due_bytes_;
  std::vector<Draft> drafts_;
  std::vector<Ticket> tickets_;
  std::size_t bytes_ = 0;
};

}  // namespace chronicle
