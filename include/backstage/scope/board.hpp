// A board: what one place publishes, one value per type, and who listens.
//
// (1) What is looked up is whole, and stays as it is for whoever holds it (readers never wait, nor does anybody for them).
// (2) A listener hears the value that is there when it begins to listen, and from then on every change in order: no
//     change is missed between the two.
// (3) close() is the last that is heard. Afterwards nothing is published and nobody listens.
// (4) There is no lock that a reader needs. What nobody has any more is destroyed where it was replaced: in the thread
//     that publishes, behind no lock but the one that keeps publishers apart (at the end of an incarnation: listeners, too).
//
// Publishing, withdrawing and closing exclude each other; listeners are told in the thread that does it, one after the other.
// Threads: any. Errors: publish(), withdraw() and listen() throw std::bad_alloc and then have changed nothing.
// Stability: internal.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backstage/scope/detail/snapshot_box.hpp"
#include "backstage/scope/feed.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

class MetricSet;

/// Whoever wants to hear. Kept alive by the board for as long as it listens.
class Listener {
 public:
  Listener(const void* type, std::string_view child = {}) : type_(type), child_(child) {}
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  virtual ~Listener() = default;
  /// In the thread of whoever publishes. Must not call the board.
  virtual void hear(BoardNews news) noexcept = 0;

 private:
  friend class Board;
  const void* type_;
  const std::string child_;
  std::size_t at_ = 0;  // under the board's lock: where it stands in its group
};

class Board {
 public:
  struct Posted {
    const void* type = nullptr;
    std::string_view name;  // static: of the type
    std::shared_ptr<const void> value;
    std::uint64_t version = 0;
    bool of_the_place = false;  // by the runtime itself: outlives the incarnation
    std::uint64_t since = 0;    // the version with which it came: later ones have replaced it without a drop
  };
  enum class Listening : std::uint8_t { closed, nothing_yet, told };

  explicit Board(std::uint32_t generation) noexcept : generation_(generation) {}
  ~Board();
  /// Of the place: the same address in memory may become another's.
  [[nodiscard]] std::uint32_t generation() const noexcept { return generation_; }

  // ---- reading: waits for nobody
  [[nodiscard]] std::optional<Posted> find(const void* type) const;
  [[nodiscard]] std::vector<Posted> all() const;
  [[nodiscard]] bool is_closed() const noexcept { return closed_.load(std::memory_order_acquire); }

  // ---- writing
  /// False: closed. `value` is never null.
  bool publish(Posted what);
  /// What was there, or null.
  std::shared_ptr<const void> withdraw(const void* type);
  /// The incarnation is over: all that is not of the place is withdrawn.
  void clear() noexcept;
  void close() noexcept;
  /// A child of that name was spawned.
  void tell_appeared(std::string_view child) noexcept;

  // ---- listening
  Listening listen(const std::shared_ptr<Listener>& listener);
  /// It may still hear what is being told just now, on another thread.
  void leave(Listener& listener) noexcept;
  [[nodiscard]] std::size_t listeners() const noexcept;

  /// The runtime publishes how the place fares only for those who want it. True: nobody did so far.
  [[nodiscard]] bool want_service() noexcept { return !wants_service_.exchange(true, std::memory_order_acq_rel); }
  [[nodiscard]] bool wants_service() const noexcept { return wants_service_.load(std::memory_order_acquire); }
  /// The figures of the place's own; made by the first call.
  [[nodiscard]] std::shared_ptr<MetricSet> metrics(std::shared_ptr<MetricSet> (*make)(const std::string& path),
                                                   const std::string& path);
  [[nodiscard]] std::shared_ptr<MetricSet> metrics() const noexcept;

 private:
  using Table = std::vector<Posted>;
  using Box = SnapshotBox<Table>;
  using Told = std::vector<std::shared_ptr<Listener>>;
  struct Group {
    const void* type = nullptr;
    Told listeners;
    std::shared_ptr<const Told> told;  // a copy, to be gone through without the lock; null: out of date
  };
  [[nodiscard]] Group* group_of(const void* type) noexcept;
  [[nodiscard]] static std::shared_ptr<const Told> copy_of(Group* group);

  const std::uint32_t generation_;
  std::atomic<bool> closed_{false};
  std::atomic<bool> wants_service_{false};
  std::mutex writing_;         // one change after the other, all told
  mutable std::mutex mutex_;   // groups_, metrics_; taken within writing_
  std::uint64_t version_ = 0;  // under writing_
  Box table_;
  std::vector<Group> groups_;
  std::shared_ptr<MetricSet> metrics_;
};

/// Listens for children that appear.
inline constexpr char children_tag = 0;

}  // namespace detail
}  // namespace v0
}  // namespace backstage
