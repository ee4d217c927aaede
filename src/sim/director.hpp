// The director of a simulated world: every decision passes through here, is drawn or replayed, noted and hashed.
//
// It stands behind four doors: Scheduling (who is next), Chance (a stream for each actor), Rehearsal (fault points and
// claims) and Scarcity (allocations that fail). It knows cells (one floor of friends below) so that actors have names that are the same in every run: never
// their addresses.
// Threads: one. Stability: internal.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "../actor/core.hpp"
#include "backstage/exec/rehearsal.hpp"
#include "backstage/exec/scarcity.hpp"
#include "backstage/exec/scheduling.hpp"
#include "backstage/sim/world.hpp"
#include "diary.hpp"
#include "order.hpp"

namespace backstage {
inline namespace v0 {
namespace sim {

/// Choices, drawn and written down, or read from a list.
class Chooser {
 public:
  explicit Chooser(const std::optional<Choices>& replay) : replays_(replay.has_value()) {
    if (replay) read_ = *replay;
  }
  /// What `draw` says, below `n`, or the next on the list. Nothing is noted where there is no choice.
  template <class Draw>
  std::uint32_t choose(ChoiceKind kind, std::uint32_t n, Draw draw) {
    if (n <= 1) return 0;
    std::uint32_t value = 0;
    if (replays_) {
      const auto& list = read_.of(kind);
      std::size_t& at = at_[static_cast<std::size_t>(kind)];
      if (at < list.size()) value = list[at++] % n;
    } else {
      value = static_cast<std::uint32_t>(draw()) % n;
    }
    made_.of(kind).push_back(value);
    return value;
  }
  [[nodiscard]] const Choices& made() const noexcept { return made_; }

 private:
  const bool replays_;
  Choices read_;
  Choices made_;
  std::array<std::size_t, choice_kinds> at_{};
};

class Director final : public Scheduling, public Chance, public Rehearsal, public Scarcity {
 public:
  Director(std::uint64_t seed, WorldOptions options, std::shared_ptr<ManualClock> clock);

  // ---- Scheduling
  [[nodiscard]] std::size_t choose(std::span<backstage::detail::Runnable* const> ready) noexcept override;
  [[nodiscard]] unsigned bound(unsigned usual) noexcept override;
  void handled(backstage::detail::Runnable& running, const void* message) noexcept override;
  void ended(backstage::detail::Runnable& ran) noexcept override;
  // ---- Chance
  std::uint64_t next() noexcept override;
  // ---- Rehearsal
  [[nodiscard]] bool strikes(std::string_view point) noexcept override;
  void always(bool holds, std::string_view name) noexcept override;
  void sometimes(bool happens, std::string_view name) noexcept override;
  void unreachable(std::string_view name) noexcept override;
  // ---- Scarcity
  [[nodiscard]] bool refuses() noexcept override;

  // ---- for the World
  /// Whose jobs are to be run in a drawn order. Outlives this, or is not run any more.
  void take_over(BlockingPool& pool) noexcept { pool_ = &pool; }
  /// Nobody is ready: runs one of the jobs that wait. False: none does.
  bool run_a_job();
  /// By how much the timer that is due next is late.
  [[nodiscard]] Duration lateness();
  void time_passed(Instant to);
  void inject(Faults faults);
  void heal();
  void break_with(std::string what);

  [[nodiscard]] const Order& order() const noexcept { return order_; }
  [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
  [[nodiscard]] std::uint64_t events() const noexcept { return events_; }
  [[nodiscard]] const std::vector<std::uint64_t>& trail() const noexcept { return trail_; }
  [[nodiscard]] const Choices& choices() const noexcept { return chooser_.made(); }
  [[nodiscard]] std::string diary() const { return diary_.text(names_); }
  [[nodiscard]] std::uint64_t faults_injected() const noexcept { return injected_; }
  [[nodiscard]] std::uint64_t allocations() const noexcept { return allocations_; }
  [[nodiscard]] const std::vector<std::string>& broken() const noexcept { return broken_; }
  [[nodiscard]] const std::vector<std::pair<std::string, std::uint64_t>>& seen() const noexcept { return seen_; }

 private:
  using Cell = backstage::detail::Cell;
  enum class Hit : std::uint32_t { none, fail, kill, stop, jump, full };

  /// A place that was somebody's when it was first met. Its number is the same in every run of a seed.
  struct Known {
    Cell* cell = nullptr;
    std::uint32_t generation = 0;
    std::uint64_t handled = 0;
    std::uint32_t state = 0;
    Random chance{1};
  };
  /// A mailbox that counts as full for a while.
  struct Squeezed {
    std::uint32_t who = 0;
    bool by_lock = false;  // the kind that queues behind one
    std::uint32_t bound = 0;
    Mailbox kind;
    std::uint32_t turns = 0;  // still to come
  };
  [[nodiscard]] std::uint32_t number_of(Cell& cell);
  [[nodiscard]] static bool is_alive(const Known& known) noexcept;
  void note(std::uint64_t tag, std::uint64_t a, std::uint64_t b) noexcept;
  void write(Entry::What what, std::uint32_t who, std::uint64_t a, std::uint64_t b, std::string_view text) noexcept;
  [[nodiscard]] std::string_view own(std::string_view text);
  [[nodiscard]] std::uint32_t draw_hit();
  void maybe_hit();
  void squeeze(std::uint32_t who, std::uint32_t turns);
  void release(const Squeezed& squeezed) noexcept;
  /// A turn is over, or time has passed: some are not squeezed any more.
  void loosen(bool all) noexcept;
  void maybe_run_a_job();
  void run_job(std::uint32_t index, std::size_t of);

  const std::uint64_t seed_;
  std::shared_ptr<ManualClock> clock_;
  Order order_;
  Chooser chooser_;
  Random fault_random_;
  Random timing_random_;
  Random job_random_;
  Random memory_random_;
  Random outside_random_;
  std::unordered_map<const Cell*, std::uint32_t> numbers_;  // looked up only, never walked
  std::vector<Known> known_;
  std::vector<std::string> names_;         // by number
  std::vector<std::uint32_t> candidates_;  // who may still be alive, in the order met
  std::map<std::string, unsigned> met_;    // paths, and how many lived there
  std::map<std::string, Random, std::less<>> points_;
  std::vector<std::uint32_t> ready_;
  std::uint32_t current_ = 0;
  BlockingPool* pool_ = nullptr;

  Faults faults_;
  std::uint64_t injected_ = 0;
  std::uint64_t allocations_ = 0;
  std::vector<Squeezed> squeezed_;
  bool acts_ = false;  // a fault is being done to somebody: no other one strikes meanwhile
  std::vector<std::string> broken_;
  std::vector<std::pair<std::string, std::uint64_t>> seen_;
  std::set<std::string, std::less<>> texts_;

  std::uint64_t hash_;
  std::uint64_t events_ = 0;
  std::vector<std::uint64_t> trail_;
  Diary diary_;
};

}  // namespace sim
}  // namespace v0
}  // namespace backstage
