// The cell: the place of one actor in memory, and everything that other threads may touch of it.
//
// Cells are type-stable: a cell's memory stays a cell for as long as the Runtime lives, and is given a new generation
// each time it becomes another actor's place. So a Ref needs no reference count: it is a cell and a generation, checked
// at sending (gate) and again at handling (envelope). See docs/adr/0002-what-a-ref-is.md.
//
// Who may touch what: members marked [any] from any thread; [parent] in the parent's turn; all others only in the
// cell's own turn, that is by the worker that runs it.
// Stability: internal layout.
#pragma once

#include <atomic>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "backstage/actor/context.hpp"
#include "backstage/actor/detail/body_head.hpp"
#include "backstage/actor/detail/cell_words.hpp"
#include "backstage/actor/detail/lane_item.hpp"
#include "backstage/actor/detail/order_word.hpp"
#include "backstage/actor/detail/roots.hpp"
#include "backstage/actor/status.hpp"
#include "backstage/base/need.hpp"
#include "backstage/exec/detail/lane.hpp"
#include "backstage/exec/detail/large_pages.hpp"
#include "backstage/exec/scheduler.hpp"
#include "backstage/mailbox/counters.hpp"
#include "backstage/mailbox/detail/message_list.hpp"
#include "backstage/mailbox/envelope.hpp"
#include "backstage/scope/detail/place_mark.hpp"
#include "backstage/supervise/policy.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

class Core;
class Cell;
struct Extras;
struct RunLoop;
struct WorkerContext;

/// A pointer that its cell's own turn writes and reads, as if it were a plain one; others may follow it where something
/// else (a lock, being a descendant) keeps alive what it points to.
template <class T>
class PublishedPointer {
 public:
  // relaxed: the turn reads what it wrote itself.
  operator T*() const noexcept { return at_.load(std::memory_order_relaxed); }  // NOLINT(google-explicit-constructor)
  T* operator->() const noexcept { return at_.load(std::memory_order_relaxed); }
  // release: publishes what it points to; pairs with the acquire in seen_by_others().
  PublishedPointer& operator=(T* to) noexcept {
    at_.store(to, std::memory_order_release);
    return *this;
  }
  [[nodiscard]] T* seen_by_others() const noexcept { return at_.load(std::memory_order_acquire); }

 private:
  std::atomic<T*> at_{nullptr};
};

/// A failure as plain data, from a store that the Runtime keeps in reserve: recording one never allocates.
struct Failure {
  enum class Stage : std::uint8_t { constructor, init, handler, loop, terminating, child, link, order };
  static constexpr std::size_t text_bytes = 240;

  Failure* next_free = nullptr;
  Stage stage = Stage::handler;
  Need::Kind need = Need::Kind::fail;
  Errc code = Errc::failed;
  Duration restart_after{0};
  std::string_view message;    // static: the message type that was being handled, or empty
  Error origin{Errc::failed};  // what a Need carried, causes and all: shared, not copied
  bool has_origin = false;
  char type[48] = {};            // of what was thrown: "std::runtime_error", "unknown"
  char text[text_bytes] = {};    // cut to fit
  char causes[text_bytes] = {};  // of a nested exception: one a line, cut to fit

  /// "std::runtime_error: no route (in Reading)", with its causes.
  [[nodiscard]] Error error() const;
  /// Without the place: what a hook itself said.
  [[nodiscard]] Error own_error() const;
};

/// Whom an actor's turn stands waiting for, read by others (cycles, reports of timeouts). It stays with its cell over generations.
struct WaitNote {
  std::atomic<Cell*> target{nullptr};
  std::atomic<std::uint32_t> generation{0};
  std::atomic<std::uint32_t> number{0};  // of the await; 0: none
};

/// A Cell's address in five bytes: cells lie on two cache lines each, and user space ends at 2^47.
class CellLink {
 public:
  operator Cell*() const noexcept {  // NOLINT(google-explicit-constructor)
    std::uint32_t low = 0;
    std::memcpy(&low, bytes_, sizeof low);
    return reinterpret_cast<Cell*>((std::uintptr_t{bytes_[4]} << 32U | low) << shift);
  }
  Cell* operator->() const noexcept { return *this; }
  CellLink& operator=(const Cell* to) noexcept {
    const std::uintptr_t number = reinterpret_cast<std::uintptr_t>(to) >> shift;
    const auto low = static_cast<std::uint32_t>(number);
    std::memcpy(bytes_, &low, sizeof low);
    bytes_[4] = static_cast<unsigned char>(number >> 32U);
    return *this;
  }

 private:
  static constexpr unsigned shift = 7;
  unsigned char bytes_[5] = {};
};

/// Of a cell, what a message does not need: begun, ended, supervised. It lies apart in the same chunk (Cell::rest()), and zero
/// is how it begins.
struct CellRest {
  LaneItem* lane_rest = nullptr;  // taken from the lane, not yet run: Cell::left_in_lane()
  Instant began{};                // when this incarnation was begun, then when its init ended
  CellLink parent;                // constant for a generation
  CellLink previous_sibling;      // [parent]
  CellLink next_sibling;          // [parent]
  // [parent]
  bool quiet : 1 = false;     // kept: nothing left to stop
  bool in_group : 1 = false;  // is restarted with others
  bool asked : 1 = false;     // a Verdict is awaited
  std::uint32_t incarnation = 0;
  std::uint16_t failure = 0;  // its number in the Core's store; 0: none
  // of this incarnation; read by the parent when it is over
  bool init_succeeded : 1 = false;
  bool constructed : 1 = false;
  bool by_wish : 1 = false;        // it threw Need::stop
  bool status_stated : 1 = false;  // the actor said how it fares: its children do not overrule it
  bool lived_out : 1 = false;      // its time (live_for) was over
  bool cut_short : 1 = false;      // its stop deadline passed
  bool draining_waits : 1 = false;
  // what it was ordered, also while its parent decides: in a byte of their own
  bool : 0;
  bool stop_ordered : 1 = false;
  bool killed : 1 = false;         // everything below ends at once, too
  bool stop_at_start : 1 = false;  // a kept place was told to stop: it closes when it would be begun
  bool keep_place : 1 = false;

  // [parent]: whether it was so, and is no longer
  [[nodiscard]] bool take_quiet() noexcept { return quiet && !(quiet = false); }
  [[nodiscard]] bool take_asked() noexcept { return asked && !(asked = false); }
  [[nodiscard]] bool take_in_group() noexcept { return in_group && !(in_group = false); }
};
static_assert(sizeof(CellRest) == 40);

class alignas(128) Cell final : public Context, public Runnable {
 public:
  // ---- first line: what a sender writes with each message, and beside it what is read or written seldom
  MessageList<Envelope> mailbox;         // [any]
  OrderWord<> orders;                    // [any] gives; its generation is the gate's
  std::atomic<WaitNote*> side{nullptr};  // [any] a SideBox, of who needs one (side_box.hpp); sticky
  EndNotice end_notice{};
  std::atomic<std::int64_t> request_began{0};   // [any] when the request now being handled was begun
  std::atomic<std::uint32_t> gate{0};           // [any] generation << 3 | gate bits
  std::atomic<std::uint8_t> ends_told{0};       // own turn writes; the parent answers with ends_seen
  std::atomic<std::uint8_t> ends_seen{0};       // [parent] writes: until it equals ends_told the end is the parent's
  std::atomic<Status> status{Status::stopped};  // [any]
  std::atomic<bool> drops_newest{false};        // [any] what a full list does

  // ---- second line: its own turn's, with each message; others write to it when they leave word
  std::atomic<std::uint32_t> signals{0};  // [any]
  std::uint32_t place_generation = 0;     // [parent, siblings under the names' lock] constant for a place
  Lane<LaneItem> lane;                    // [any]
  Body* body = nullptr;
  PublishedPointer<Extras> extras;
  MessageList<Envelope>::Owned queue;     // its bound: [parent] may be said anew by its parent's next incarnation
  std::atomic<std::uint64_t> handled{0};  // [any]
  Phase phase = Phase::vacant;
  std::atomic<bool> suspended{false};  // own turn writes; [any] reads: handles nothing until it is resumed
  std::uint8_t scheduling_group = 0;   // room kept: constant for a place, inherited at spawn
  bool retries : 1 = false;            // constant for a place: a message that failed is handled again
  bool plain : 1 = false;              // constant for a place: no loop, no retries, and its policy lets handlers run
  // [parent], while the end is its own
  bool own_end : 1 = false;          // it ended by itself, not by order
  Ruling ruling : 2 = Ruling::none;  // of this incarnation's end
  /// Commands of its own, which need no exchange: bits of signals. [parent], until the place is alive; then its own turn.
  std::uint8_t own_commands = 0;
  // The owner's, not in one byte with the bits above:
  /// Its last turn ended calmly (is_calm, the lane aside): what that means changes in its own turns only.
  bool calm : 1 = false;
  /// As the list of messages: whoever owns it, the turn or who has just woken it (hand_over.hpp).
  bool has_left_in_lane : 1 = false;
  // How the incarnation ended. A byte of its own: read while its parent destroys what has ended.
  bool failed = false;
  PlaceMark<> board_mark;  // [any] somebody asked for what it publishes (scopes.hpp)

  /// The other part of it.
  [[nodiscard]] inline CellRest& rest() noexcept;
  [[nodiscard]] const CellRest& rest() const noexcept { return const_cast<Cell*>(this)->rest(); }
  [[nodiscard]] Cell* parent() const noexcept { return rest().parent; }
  [[nodiscard]] Cell* previous_sibling() const noexcept { return rest().previous_sibling; }
  [[nodiscard]] Cell* next_sibling() const noexcept { return rest().next_sibling; }
  [[nodiscard]] std::uint32_t incarnation() const noexcept { return rest().incarnation; }
  /// How this incarnation failed, or null.
  [[nodiscard]] inline Failure* failure() const noexcept;  // core.hpp
  /// What was taken from the lane and has not been run.
  [[nodiscard]] LaneItem* left_in_lane() const noexcept { return has_left_in_lane ? rest().lane_rest : nullptr; }
  void leave_in_lane(LaneItem* item) noexcept {
    has_left_in_lane = item != nullptr;
    rest().lane_rest = item;
  }
  /// The await that its turn is noted to wait in. Any thread.
  [[nodiscard]] std::uint32_t waits_number(std::memory_order order = std::memory_order_relaxed) const noexcept {
    const WaitNote* const note = side.load(std::memory_order_acquire);
    return note != nullptr ? note->number.load(order) : 0;
  }
  /// The coroutine that keeps the turn, or null.
  [[nodiscard]] inline Root* turn_root() const noexcept;  // core.hpp
  [[nodiscard]] inline Awaiter* awaiters() const noexcept;
  [[nodiscard]] inline std::uint32_t interleaved() const noexcept;  // coroutines of that kind
  /// The next of what is in the lane, or null; it stays.
  [[nodiscard]] LaneItem* look_into_lane() noexcept {
    if (!has_left_in_lane) leave_in_lane(lane.take_all());
    return left_in_lane();
  }

  // ---- identity
  [[nodiscard]] std::uint32_t generation() const noexcept {
    return gate.load(std::memory_order_relaxed) >> gate_bit::bits;
  }
  [[nodiscard]] const ActorOps& ops() const noexcept { return *body->ops; }
  [[nodiscard]] const ChildPolicy& policy() const noexcept { return body->policy(); }
  template <class A>
  [[nodiscard]] A& actor() const noexcept {
    return *static_cast<A*>(body->actor());
  }
  [[nodiscard]] std::string_view name() const noexcept { return body != nullptr ? body->name() : std::string_view(); }
  /// Sets whom rest().failure says.
  void set_failure(const Failure* failure) noexcept;
  [[nodiscard]] std::string full_path() const;
  /// The last step of the path: its name, or "#3" when it has none.
  [[nodiscard]] std::string step() const;
  [[nodiscard]] inline Core& core() const noexcept;  // core.hpp
  [[nodiscard]] Extras& need_extras();

  // ---- any thread
  /// Sets a command bit and sees to it that the cell looks.
  void signal_command(std::uint32_t bits) noexcept;
  /// Leaves a node in the lane and sees to it that the cell looks.
  void post_lane(LaneItem& item) noexcept;
  void schedule() noexcept;

  // ---- own turn
  /// Resumes a root's coroutine and finishes the root if it is done.
  Handled drive_root(Root& root, std::coroutine_handle<> handle);
  /// Behind what drive() did: it waits again, or is finished.
  Handled has_driven(Root& root);
  void adopt_root(Root& root) noexcept;
  void drop_root(Root& root) noexcept;
  [[nodiscard]] Awaiter* find_awaiter(std::uint32_t number) const noexcept;
  /// The awaiter is ready: resumes its coroutine, now or when the turn is free.
  void wake_awaiter(Awaiter& awaiter);
  void wake_answered();
  void arm_await_clock(Instant at);

  /// `word` is the actor's own for it; the runtime has none.
  void set_status(Status next, std::string_view word = {});
  /// Whether its incarnation ends so that its children's places are kept for the next one.
  [[nodiscard]] bool failed_or_kept() const noexcept { return failed || rest().keep_place; }
  [[nodiscard]] bool policy_has_end_target() const noexcept;

 private:
  friend struct RunLoop;

  bool drain_vacant_once(Core& core, WorkerContext* context) noexcept;
  [[nodiscard]] bool is_calm(std::uint32_t seen) const noexcept;
  enum class Beginning : std::uint8_t { message, answer, other };
  [[nodiscard]] Beginning begins_with() noexcept;
  [[nodiscard]] bool stays_calm(std::uint32_t seen) const noexcept;
  [[nodiscard]] bool run_calm(Worker& worker, Core& core, WorkerContext& context);
  [[nodiscard]] bool is_awake_again() noexcept;
  [[nodiscard]] bool goes_idle(Worker& worker, Core& core, WorkerContext& context) noexcept;
  [[nodiscard]] Envelope* take_behind_last(Core& core, WorkerContext& context) noexcept;
  bool gives_way(Worker& worker) noexcept;
  [[nodiscard]] bool goes_on(std::uint32_t seen, Worker& worker, const WorkerContext& context) noexcept;
  [[nodiscard]] bool is_far_from_room(const Worker& worker) const noexcept;
  [[nodiscard]] bool run_for_room(Worker& worker, Core& core, WorkerContext& context);
  void give_owed_room(WorkerContext& context) noexcept;
  [[nodiscard]] bool owes_room(const WorkerContext& context) const noexcept;
  [[nodiscard]] bool ends_turn(bool is_calm, Worker& worker, Core& core, WorkerContext& context) noexcept;
  void fails_by_exception(Worker& worker, Core& core, WorkerContext& context) noexcept;
  [[nodiscard]] bool run_calm_again(Worker& worker, Core& core, WorkerContext& context);
  [[nodiscard]] bool begins() const noexcept;
  [[nodiscard]] bool is_over_at_once(Worker& worker, Core& core, WorkerContext& context);
  [[nodiscard]] bool parks_at_once() noexcept;
  [[nodiscard]] inline bool is_answered() const noexcept;
  [[nodiscard]] bool is_word_in_lane() const noexcept {
    return has_left_in_lane || !lane.empty(std::memory_order_relaxed);
  }
  [[nodiscard]] bool is_free_for_word(std::uint32_t seen) const noexcept;
  [[nodiscard]] bool has_word() const noexcept;
  [[nodiscard]] bool is_over_with_word(Worker& worker, Core& core, WorkerContext& context);
  void wake_turn_root(Awaiter& awaiter, Worker& worker);
  [[nodiscard]] bool is_over_answered(Worker& worker, WorkerContext& context);
  void leave_place(Core& core, WorkerContext* context) noexcept;
  void run_otherwise(Worker& worker, Core& core, WorkerContext& context);
  void run_at_length(Worker& worker, Core& core, WorkerContext* context);
  void tell_status(Status before, Status next, std::string_view word);
};

static_assert(sizeof(Cell) == 128, "two cache lines, and a rest of 40 bytes: an actor's fixed price");

// Where cells lie.
inline constexpr std::uintptr_t chunk_bytes = large_page_bytes;
inline constexpr std::size_t page_bytes = 4096;
inline constexpr std::size_t cells_begin = page_bytes;  // of a chunk
// Chunks lie in regions. What a Ref looks for has the page before the first cell of each, and stays: so it is one for several.
inline constexpr std::size_t chunks_in_a_region = 4;
inline constexpr std::uintptr_t region_bytes = chunks_in_a_region * chunk_bytes;
// A multiple of what fits a page: behind them, from another page on, lie their rests.
inline constexpr std::size_t cells_per_page = page_bytes / sizeof(Cell);
inline constexpr std::size_t cells_per_chunk =
    (chunk_bytes - cells_begin) / (sizeof(Cell) + sizeof(CellRest)) / cells_per_page * cells_per_page;
inline constexpr std::size_t rests_begin = cells_begin + cells_per_chunk * sizeof(Cell);
static_assert(rests_begin % page_bytes == 0 && rests_begin + cells_per_chunk * sizeof(CellRest) <= chunk_bytes);

inline CellRest& Cell::rest() noexcept {
  const auto at = reinterpret_cast<std::uintptr_t>(this);
  // Its number in the chunk (counted from the chunk's start) times the size of a rest, in one multiplication.
  static_assert(sizeof(Cell) == 128 && sizeof(CellRest) == 40 && cells_begin % sizeof(Cell) == 0);
  const std::uintptr_t offset = (at & (chunk_bytes - 1)) * 5 / 16;
  constexpr std::uintptr_t first = rests_begin - cells_begin * 5 / 16;
  return *reinterpret_cast<CellRest*>((at & ~(chunk_bytes - 1)) + offset + first);
}

/// The current cell of this thread, or null.
[[nodiscard]] inline Cell* current_cell() noexcept {
  return this_turn != nullptr ? static_cast<Cell*>(this_turn->cell.load(std::memory_order_relaxed)) : nullptr;
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
