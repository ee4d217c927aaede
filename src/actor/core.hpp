// The core of a Runtime: what its cells share. Created and destroyed by Runtime; leaked on purpose when a thread was
// not given back, so that nothing is freed under it.
#pragma once

#include <array>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <stop_token>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "backstage/actor/await.hpp"
#include "backstage/actor/detail/child_order.hpp"
#include "backstage/actor/events.hpp"
#include "backstage/actor/inspect.hpp"
#include "backstage/actor/runtime.hpp"
#include "backstage/actor/service.hpp"
#include "backstage/actor/timer.hpp"
#include "backstage/actor/verdict.hpp"
#include "backstage/base/log_sinks.hpp"
#include "backstage/exec/blocking_pool.hpp"
#include "backstage/exec/detail/mapped.hpp"
#include "backstage/scope/registry.hpp"
#include "name_index.hpp"
#include "timer_table.hpp"
#include "watching.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// A timer of the runtime's own in a cell: pushes itself into the cell's lane.
struct CellTimer : TimerEntry, LaneNode {
  void fire() noexcept override { owner->post_lane(*this); }

  Cell* owner = nullptr;
  Instant armed_for = Instant::never();
  bool set = false;  // owner's turn: armed, or fired with its node in the lane
};

/// How long a supervisor may take over a Verdict: fires into its lane.
struct VerdictClock : CellTimer {
  Cell* child = nullptr;
};

/// A timer that only sets a command bit.
struct SignalTimer : TimerEntry {
  void fire() noexcept override { owner->signal_command(bits); }

  Cell* owner = nullptr;
  std::uint32_t bits = 0;
};

/// "It runs", on its way to the parent that restarts children one after the other.
struct StartNotice : LaneNode {
  Cell* child = nullptr;
};

/// How an actor supervises: what its init said, and the group of children that is being restarted.
struct Supervising {
  Strategy strategy = Strategy::one_for_one;
  std::optional<Intensity> budget;  // one for all children
  RestartHistory spent;

  enum class Step : std::uint8_t { none, stopping, waiting, starting };
  Step step = Step::none;
  Instant not_before{};     // the back-off of whoever failed
  Cell* awaited = nullptr;  // the member that is being stopped or started
  SignalTimer timer;
};

struct Scoped;

/// The cold part of a cell: made when first needed, kept until the place closes.
struct Extras {
  // From the Runtime's pool: those who have children come and go by the thousand.
  static void* operator new(std::size_t bytes, SlabPool& pool) { return allocate_frame_of(&pool, bytes); }
  static void operator delete(void* at, SlabPool&) noexcept { deallocate_frame(at); }
  static void operator delete(void* at) noexcept { deallocate_frame(at); }

  // looked at after each message: together
  Root* turn_root = nullptr;      // the coroutine that keeps the turn, or null
  std::uint16_t interleaved = 0;  // roots of that kind
  std::uint16_t ready = 0;        // awaiters that wait for the turn
  std::uint32_t last_await = 0;
  Awaiter* awaiters = nullptr;
  /// Its answer lies in it: goes on before anything that is in the lane. Set by who has just woken the place (hand_over.hpp).
  Awaiter* answered = nullptr;
  CellTimer await_clock;
  DueTimers due;
  /// Asked for together.
  enum Odd : std::uint8_t {
    ticked = 1,     // the ticks are over: a message that waits comes next
    retry = 2,      // `in_hand` is to be handled before all others
    loop_over = 4,  // the actor's own event loop has ended
  };
  std::uint8_t odd = 0;
  [[nodiscard]] bool is(Odd what) const noexcept { return (odd & what) != 0; }
  void say(Odd what, bool so = true) noexcept { odd = static_cast<std::uint8_t>(so ? odd | what : odd & ~what); }

  // children [own turn], names under the mutex (siblings look each other up)
  Cell* first_child = nullptr;
  Cell* last_child = nullptr;
  std::size_t children = 0;
  mutable std::shared_mutex names_mutex;  // [any] reads while it holds a share
  // unnamed children that have had children: passed through by paths
  Cell* first_passage = nullptr;
  Cell* last_passage = nullptr;
  // under the parent's mutex: the neighbours among those, if this is one
  Cell* previous_passage = nullptr;
  Cell* next_passage = nullptr;
  bool is_passage = false;  // own turn, and whoever reaps it
  NameIndex<Cell> names;
  Cell* stopping_child = nullptr;
  std::shared_ptr<const ChildOrder> child_order;  // null: youngest first, one after the other

  // coroutines and what they wait for
  Root* first_root = nullptr;
  InboxBase* inbox = nullptr;  // of a loop that waits for a message
  bool inbox_closed = false;
  std::string_view failed_in;  // static: what the coroutine that is being ended by an exception worked on

  // timers
  TimerTable timers;

  // supervising
  std::vector<Cell*> held;  // children that keep_child() was called for, and that have not ended yet
  std::unique_ptr<Supervising> supervising;

  // as a child [parent, while it holds the notice]
  std::uint8_t open_notice = 0;  // of the end that is being decided
  bool tell_started = false;     // a group goes on when this one runs
  bool keep_state = false;       // the next incarnation goes on with the object in place
  bool eol_told = false;         // a Verdict ended it: no second Eol
  bool uncharged = false;        // this failure is not counted
  Verdict::State given_state{nullptr, [](void*) noexcept {}};
  std::optional<Verdict> verdict;  // given, and not yet followed
  VerdictClock verdict_clock;
  StartNotice start_notice;
  // for the news of its end (EndTarget), one of each size; taken by who builds them
  struct Reserved {
    void* block = nullptr;
    std::uint32_t bytes = 0;
  };
  std::array<Reserved, 2> end_blocks{};

  // a message that is to be handled again
  Envelope* in_hand = nullptr;  // a copy of what is being handled, or what failed
  std::uint32_t tries = 0;      // how often it has failed
  std::uint32_t quarantined = 0;
  // what it publishes (made when first asked for), and what this incarnation listens to
  std::shared_ptr<Board> board;
  std::shared_ptr<Scoped> scoped;
  // who watches it, and whom it watches; null for nearly everybody
  std::unique_ptr<Watching> watching;

  // life
  SignalTimer life_timer;
  RestartHistory history;
  SignalTimer restart_timer;
  SignalTimer stop_timer;
  bool stop_timer_armed = false;
  std::uint32_t restarts = 0;
  ReplyPort start_port;
  std::stop_source stop_source{std::nostopstate};  // made when somebody asks for a token
  std::string path_text;
  std::string last_error;
  WallTime last_error_at{};
  std::string status_word;                // the actor's own for its status, or empty
  Instant down_since = Instant::never();  // never: it runs, or has never run
  Duration downtime{0};                   // before that
  std::optional<Result<>> why;            // how it ends: the terminating hook holds a reference
  Envelope* eol = nullptr;                // built at the end, delivered by the parent
};

struct App {
  Cell* cell = nullptr;
  std::uint32_t generation = 0;
  const void* type_id = nullptr;
  std::string_view type;
};

class Core final : public CoreFace {
 public:
  explicit Core(RuntimeOptions options);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core();

  [[nodiscard]] static Core& of(const CoreFace& face) noexcept {
    return const_cast<Core&>(static_cast<const Core&>(face));
  }

  // ---- cells (cells.cpp)
  [[nodiscard]] Cell& new_cell();
  void free_cell(Cell& cell) noexcept;
  /// When everybody has been idle for a while: brings together what workers have put by, and gives the pages of free
  /// cells back, as far as they lie at the ends of their chunks. The watch's thread, and tests'; whoever wakes up meanwhile waits. False:
  /// somebody was there, and some of it was not done.
  [[nodiscard]] bool rest() noexcept;
  /// Cells that were made and not given back.
  [[nodiscard]] std::size_t cells_kept() {
    const std::lock_guard lock(cells_mutex_);
    return cells_made_;
  }
  /// Any thread; exact when nobody spawns.
  [[nodiscard]] std::size_t live_cells() const noexcept;

  // ---- failures: a fixed store, so that recording one never allocates
  /// A cold part for a cell: new, or, when memory is out, of those kept for that, so that an actor can be ended and
  /// begun anew without any. Throws std::bad_alloc when these are used up, too.
  [[nodiscard]] Extras* new_extras();
  void free_extras(Extras* extras) noexcept;
  [[nodiscard]] SlabCensus census() const;
  [[nodiscard]] Failure& take_failure() noexcept;
  void give_back(Failure& failure) noexcept;
  /// Shared by all who failed when the store was empty: nothing may be written to it.
  [[nodiscard]] bool is_lost(const Failure& failure) const noexcept { return &failure == &lost_failure_; }
  /// 0 is none.
  [[nodiscard]] std::uint16_t number_of(const Failure* failure) const noexcept {
    if (failure == nullptr) return 0;
    return is_lost(*failure) ? lost_number : static_cast<std::uint16_t>(failure - failures_.data() + 1);
  }
  [[nodiscard]] Failure* failure(std::uint16_t number) noexcept {
    if (number == 0) return nullptr;
    return number == lost_number ? &lost_failure_ : &failures_[number - 1U];
  }

  // ---- counting and telling
  void count(WorkerContext* context, Undelivered why) noexcept;
  void count_handled(WorkerContext* context) noexcept;
  [[nodiscard]] MessageCounts counts() const noexcept;
  [[nodiscard]] Logger logger(std::string_view where) const noexcept;
  void report_dead_letter(Undelivered why, const MessageDescriptor& descriptor, std::string path) noexcept;

  // ---- the root
  void root_stopped() noexcept;
  /// Waits for the root's end. In manual mode it drives.
  bool wait_for_end(Instant deadline);
  [[nodiscard]] std::vector<StuckActor> find_stuck() const;
  /// Ends the workers; when `leak` is set nothing may be freed any more.
  void stop_workers() noexcept;
  /// No new visitor from outside gets in; waits for those inside. Afterwards every Ref is gone.
  void close_doors() noexcept;

  RuntimeOptions options;
  std::shared_ptr<Environment> environment;
  std::shared_ptr<LogSink> sink;
  SlabPool memory;
  MessageCounters outside_counters;
  std::vector<std::unique_ptr<WorkerContext>> contexts;
  std::unique_ptr<Scheduler> scheduler_owner;
  std::unique_ptr<BlockingPool> blocking;
  Events events;
  Cell* root = nullptr;
  BoardRegistry boards;

  /// Questions to actors of this Runtime (InspectSlot). Whoever answers holds it while it touches a slot, so that who
  /// has taken its question back is left alone.
  std::mutex inspections_mutex;
  InspectSlot* inspections = nullptr;

  std::mutex root_mutex;  // names below the root, apps, the end
  std::map<std::string, Cell*, std::less<>> root_names;
  std::map<std::string, App, std::less<>> apps;
  std::condition_variable ended;
  bool root_ended = false;
  bool shut_down = false;
  bool cut_short = false;  // the shutdown deadline passed, and what was left was ended
  std::vector<StuckActor> stuck;
  ServiceTree still_alive;  // at the deadline of the shutdown

  /// Held by whoever reads the names of a place in whose turn it is not, and where a body of a living place is
  /// exchanged. Whoever frees a body waits for the readers: the generation, which changed before, lets no new one in.
  std::mutex naming_mutex;
  std::atomic<bool> naming{false};
  void wait_for_naming() noexcept {
    // seq_cst: Dekker's pattern with the reader, who sets it and then looks at the generation.
    if (naming.load(std::memory_order_seq_cst)) const std::lock_guard lock(naming_mutex);
  }
  /// What the worker that is in the middle of this cell's turn does, if there is one. Any thread.
  struct Run {
    bool found = false;
    std::string_view message;  // static; empty: cannot be told
    Instant since{};           // when the turn began: at most 100 us before the message did
    bool stuck = false;        // the watch found that it keeps its worker
  };
  [[nodiscard]] Run find_run(const Cell& cell) const noexcept;
  /// On the watch's thread.
  void hear_hog(const HogNews& news) noexcept;
  std::atomic<std::uint64_t> hogs_found{0};
  std::atomic<std::uint64_t> hogs_open{0};
  std::atomic<std::int64_t> hogs_longest{0};  // ns
  std::atomic<bool> gave_up{false};
  std::atomic<std::uint64_t> dead_letters_logged{0};
  // All workers write to it. What lies before it is read with each actor that ends.
  alignas(kApart) std::atomic<std::uint64_t> unnamed{0};

 private:
  /// Where cells lie. One that was given back is used again before there is a new one.
  struct Chunk {
    std::byte* at = nullptr;
    std::uint32_t cells = 0;       // made so far; what lies behind is zero
    std::uint32_t generation = 1;  // of the next that are made: above those of all that ever were here
    bool leaves = false;           // its tail is not in free_cells_: it is being given back
    bool torn = false;             // of its large page a part was given back
  };
  /// The cells of a chunk from `first` on, all of them free.
  struct Tail {
    std::size_t chunk;
    std::uint32_t first;
  };
  void add_chunk();
  static void count_own(std::atomic<std::int64_t>* own, std::atomic<std::int64_t>& outside,
                        std::int64_t change) noexcept;
  void make_cells();
  void make_cell(Chunk& chunk) noexcept;
  template <class F>
  bool do_alone(F f) noexcept;
  void take_spares_back() noexcept;
  [[nodiscard]] std::vector<Tail> take_free_tails();
  [[nodiscard]] bool zero(const Tail& tail) noexcept;
  void keep(const Tail& tail) noexcept;
  void shrink_list();
  [[nodiscard]] static bool is_first_of_region(std::size_t chunk) noexcept { return chunk % chunks_in_a_region == 0; }
  /// Its number.
  [[nodiscard]] static std::size_t chunk_of(const Cell* cell) noexcept {
    const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(cell) & (region_bytes - 1);
    return region_of(cell).first_chunk + offset / chunk_bytes;
  }
  [[nodiscard]] static Cell& cell_at(std::byte* chunk, std::size_t number) noexcept {
    return *reinterpret_cast<Cell*>(chunk + cells_begin + number * sizeof(Cell));
  }
  template <class F>
  void for_each_cell(F f) {
    for (const Chunk& chunk : chunks_) {
      for (std::size_t i = 0; i < chunk.cells; ++i) f(cell_at(chunk.at, i));
    }
  }

  /// What was told of a worker, for the news that it is over. The watch's.
  struct HogPlace {
    Hog open;
    Instant since{};
  };
  std::vector<HogPlace> hog_places_;
  std::mutex rest_mutex_;  // before cells_mutex_
  std::mutex cells_mutex_;
  using CellList = std::vector<Cell*, MappedAllocator<Cell*>>;
  CellList free_cells_;  // has room for all that were made
  std::vector<Chunk> chunks_;
  std::size_t cells_made_ = 0;
  Presence* presence_ = nullptr;
  std::atomic<std::int64_t> outside_cells_{0};  // made less freed by threads that are no workers

  std::mutex failures_mutex_;
  std::mutex spares_mutex_;
  [[nodiscard]] std::unique_ptr<Extras> make_extras();
  std::atomic<std::int64_t> outside_extras_{0};  // as outside_cells_
  std::array<std::unique_ptr<Extras>, 8> spare_extras_;
  std::atomic<bool> spares_used_{true};
  static constexpr std::uint16_t lost_number = UINT16_MAX;
  std::array<Failure, 256> failures_;
  Failure* free_failure_ = nullptr;
  Failure lost_failure_;  // for the 257th at once: its text is lost, its end is not
};

/// What is being run, for the report of stuck actors. Set by the run loop, read by whoever gives up waiting.
struct RunLoop {
  static void run(Runnable& runnable, Worker& worker);
};

inline Core& Cell::core() const noexcept { return Core::of(*region_of(this).core.load(std::memory_order_relaxed)); }
inline Failure* Cell::failure() const noexcept {
  const std::uint16_t number = rest().failure;
  return number != 0 ? core().failure(number) : nullptr;
}
/// For the report of who does not give its thread back.
inline constexpr std::string_view resumed_work = "a coroutine that went on after a wait";

inline Root* Cell::turn_root() const noexcept { return extras != nullptr ? extras->turn_root : nullptr; }
inline std::uint32_t Cell::interleaved() const noexcept { return extras != nullptr ? extras->interleaved : 0U; }
inline Awaiter* Cell::awaiters() const noexcept { return extras != nullptr ? extras->awaiters : nullptr; }

/// Whose member that is: a cell is aligned to its size.
[[nodiscard]] inline Cell& cell_around(const void* member) noexcept {
  static_assert(sizeof(Cell) == alignof(Cell));
  return *reinterpret_cast<Cell*>(reinterpret_cast<std::uintptr_t>(member) & ~(alignof(Cell) - 1));
}

/// For the watch: what a stuck worker's actor has sent and still holds. Not while the worker is about to send more.
void empty_outbox_of_stuck(CoreFace& core, WorkerContext& context, Worker& worker) noexcept;
/// The same of the room that its actor owes.
void give_room_of_stuck(CoreFace& core, const WorkerContext& context) noexcept;

/// Does it, and lets it be when the memory is out: for telling, never for doing.
template <class F>
void if_memory(F&& tell) noexcept {
  try {
    std::forward<F>(tell)();
  } catch (...) {
    // Untold.
  }
}
[[nodiscard]] std::string path_if_memory(const Cell& cell) noexcept;

/// Answers who waits in Core::inspections for this cell; its own turn. `over`: the place of that generation is.
void answer_inspections(Cell& cell, std::uint32_t generation, bool over) noexcept;

/// Takes from the side box what is next, or null. Clears the signal when it is empty.
[[nodiscard]] Envelope* take_from_side(Cell& cell) noexcept;
/// Lets waiting senders in, as far as there is room.
void grant_room(Cell& cell) noexcept;
void close_side(Cell& cell, std::uint32_t next_generation, Core& core) noexcept;

/// A timer that the cell set fired.
void run_timer(LaneNode& node, Cell* cell);
/// One that the cell's table forgets. No message of it is handled or sent any more.
void drop_timer(Extras& extras, TimerRecord& timer) noexcept;
/// Handles the next due tick.
void handle_tick(Cell& cell);

}  // namespace detail
}  // namespace v0
}  // namespace backstage
