// What supervision must do, written down a second time: a model of strategies, restart policies, limits, back-off,
// significance, verdicts and ends, that hears the events of a run and says where they differ from what must be.
//
// It knows nothing of the runtime but its public events (runtime.events()) and what the actors under test say of their own
// doing: whom they spawn, how, and whom they tell to end. From these it predicts: which life begins when and not earlier,
// in which order a group is begun, which failure may be mended and which is too many, who may be over, who must be, and who
// is to be told of it, once.
// Promises: M2, L2, L3, L4, L6. Threads: one.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scenario.hpp"

namespace trust {

struct Deal;
using Deals = std::vector<std::shared_ptr<const Deal>>;

/// How one place is supervised, and what its actor supervises. The same in each life.
struct Deal {
  std::string name{};
  Deals children{};
  Strategy strategy = Strategy::one_for_one;
  std::optional<std::uint32_t> budget{};
  Restart restart = Restart::on_failure;
  std::uint32_t limit = 5;
  Significant significant = Significant::no;
  Duration live_for{0};
  Duration start_after{0};
  Duration stop_within{1s};
  bool once = false;
  bool told = false;  // its supervisor is told of its end
  bool with_state = false;
};
inline constexpr Duration limit_window = 2s;
inline constexpr Duration budget_window = 10s;
inline constexpr Backoff family_backoff{10ms, 400ms};

class Oracle {
 public:
  explicit Oracle(sim::World& world) : world_(world) {
    events_ = world.runtime().events().subscribe([this](const Event& event) { heard(event); });
  }

  // ---- what actors say of their own doing
  /// Spawned, or taken over, below `above` ("" for the root). `starts`: by start(), which decides about a failing init.
  void begun(const std::string& above, const std::shared_ptr<const Deal>& deal, bool starts = false);
  /// start() refused it: it was never there.
  void not_begun(const std::string& path);
  void strategy(const std::string& path, Strategy strategy);
  void budget(const std::string& path, std::uint32_t restarts);
  void wishes_to_end(const std::string& path);
  void told_to_end(const std::string& path);
  void told_to_restart(const std::string& path);
  void given_verdict(const std::string& path, std::uint32_t life, Verdict::Kind kind);
  /// Told of its child's end for good.
  void eol(const std::string& above, std::string_view name);
  /// A child's word reached its supervisor.
  void said(std::uint64_t place, std::uint64_t number);
  /// Which place lives there now: for said().
  [[nodiscard]] std::uint64_t place_at(const std::string& path);

  // ---- at the end
  /// All is calm since long: what must live lives, what must be over is, and all ends were told.
  void expect_calm();
  [[nodiscard]] bool is_over(const std::string& path) const;
  [[nodiscard]] std::uint64_t failures() const noexcept { return failures_; }
  [[nodiscard]] std::uint64_t restarts() const noexcept { return restarts_; }
  [[nodiscard]] const std::map<std::string, std::uint64_t, std::less<>>& kinds() const noexcept { return kinds_; }
  void hear_no_more() { events_.end(); }

 private:
  enum class State : std::uint8_t { waiting, initializing, up, stopping, rests, over };

  struct Place {
    std::uint64_t id = 0;
    std::string path;
    std::shared_ptr<const Deal> deal;
    Place* above = nullptr;
    std::vector<Place*> below{};  // in the order of their start
    State state = State::waiting;
    std::uint32_t life = 0;
    Instant began{};

    // this life
    bool failed = false;
    bool decided = false;  // its restart is
    bool claimed = true;   // by the present life of its supervisor
    std::optional<Instant> restart_told{};
    Strategy strategy = Strategy::one_for_one;
    std::optional<std::uint32_t> budget{};
    std::deque<Instant> spent{};
    // its place
    std::deque<Instant> history{};
    std::uint32_t in_a_row = 0;
    std::uint32_t restarts = 0;
    bool waits = false;  // until then it must not begin
    Instant not_before{};
    // why it may be over
    bool end_told = false;
    bool end_wished = false;
    bool left_out = false;
    bool starts = false;
    bool may_end = false;
    bool must_end = false;  // in this life
    std::optional<Verdict::Kind> verdict{};
    std::uint32_t asked_in = 0;  // the life of its supervisor that it asks for a Verdict
    bool told = false;           // of its end
    std::uint64_t last_said = 0;
    // the group that is restarted below it
    bool group = false;
    Place* group_started = nullptr;
    Instant group_not_before{};
    bool in_group = false;  // waits to begin with it
    /// It was to begin by itself when it was drawn into the group: until it is told, it may, and is stopped again.
    bool on_its_way = false;
    std::optional<Instant> ran_with_group{};
    /// It failed when it had begun with its group and did not run yet.
    bool left_starting = false;
    /// Nobody but the runtime knows whether its life was the group's, or whether it is still of the group.
    bool may_begin_again = false;
  };

  void heard(const Event& event);
  void status_changed(const StatusChanged& change);
  void failed(const ActorFailed& failure);
  void restarting(const Restarting& restart);
  void ended(const Ended& end);
  void gave_up(const GaveUp& end);

  void life_begins(Place& place, std::uint32_t life);
  void begins_with_its_group(Place& place);
  [[nodiscard]] bool is_its_turn(const Place& place) const;
  void group_begins(Place& cause);
  static void end_group(Place& above);
  static void leave_group(Place& above);
  static void leave_while_starting(Place& place);
  [[nodiscard]] static bool may_be_over(const Place& place);
  [[nodiscard]] bool is_one_too_many(const Place& place) const;
  [[nodiscard]] Place* find(std::string_view path);
  void wrong(std::string_view promise, const std::string& what) { complain(world_, promise, what); }

  sim::World& world_;
  std::vector<std::unique_ptr<Place>> places_;
  std::map<std::string, Place*, std::less<>> latest_;  // by path
  std::map<std::string, int> unsure_;                  // Eol that may come or not, by path
  std::uint64_t failures_ = 0;
  std::uint64_t restarts_ = 0;
  std::map<std::string, std::uint64_t, std::less<>> kinds_;
  Events::Subscription events_;
};

}  // namespace trust
