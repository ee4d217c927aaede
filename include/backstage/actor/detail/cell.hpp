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
#include <string>
#include <string_view>
#include <utility>

#include "backstage/actor/context.hpp"
#include "backstage/actor/detail/order_word.hpp"
#include "backstage/actor/status.hpp"
#include "backstage/base/need.hpp"
#include "backstage/exec/detail/lane.hpp"
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
struct RouteEntry;
struct SideBox;
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

/// What is left in an actor's lane: commands, ends of children, completions of awaits, timers.
/// run(node, cell): take effect in the cell's turn; run(node, nullptr): the incarnation it was meant for is gone.
struct LaneNode {
  LaneNode* lane_next = nullptr;
  void (*run)(LaneNode&, Cell*) = nullptr;
  std::uint32_t generation = 0;
};

/// An actor's own end, on its way to its parent: reserved in the cell, never allocated, never lost. Whose it is says its
/// address (cell_around).
struct EndNotice : LaneNode {
  std::atomic<std::uint32_t> posted{0};  // own turn writes; the parent answers with Cell::notices_seen
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

struct Body;

/// How an actor type is built and run. One constant per type.
struct ActorOps {
  std::string_view type;
  const void* type_id = nullptr;
  bool has_loop = false;
  bool has_init = false;
  bool has_terminating = false;
  bool movable = false;
  void (*construct)(Cell&) = nullptr;            ///< may throw what the constructor throws
  void (*revive)(Cell&, void* state) = nullptr;  ///< move-constructs it from such an actor
  void (*destroy)(Cell&) noexcept = nullptr;
  Handled (*init)(Cell&) = nullptr;
  Handled (*loop)(Cell&) = nullptr;
  Handled (*terminating)(Cell&, const Result<>& why) = nullptr;
  void (*release)(Body&, SlabPool&) noexcept = nullptr;  ///< destroys the arguments and frees the block
  std::string (*describe)(const Cell&) = nullptr;        ///< what the actor says of its state; null: nothing
  const RouteEntry* routes = nullptr;                    ///< the messages that it declares (route.hpp)
  std::size_t route_count = 0;
};

/// In front of each actor's memory: what is kept over its incarnations.
struct Body {
  const ActorOps* ops = nullptr;
  const ChildPolicy* policy = nullptr;  // the shared default, or one of its own
  void* actor = nullptr;                // the actor's storage
  std::uint32_t block_bytes = 0;
  std::uint32_t name_bytes = 0;

  /// It stands at the end of the same block.
  [[nodiscard]] std::string_view name() const noexcept {
    return {reinterpret_cast<const char*>(this) + block_bytes - name_bytes, name_bytes};
  }
};

/// Why a root coroutine runs.
enum class RootKind : std::uint8_t {
  turn,         ///< keeps the actor's turn (a handler, a hook, an event loop)
  interleaved,  ///< gives the turn back while it waits
  beside,       ///< a piped task: goes on whenever what it awaits is there
};

/// A coroutine that an actor runs: a handler's, a hook's, a piped task's.
struct Root {
  virtual ~Root() = default;
  /// Takes the coroutine's outcome: answers, reports. Throws what the coroutine threw.
  virtual void finish(Cell&) = 0;

  Root* previous = nullptr;
  Root* next = nullptr;
  RootKind kind = RootKind::turn;
  bool done = false;
  std::uint32_t tries = 0;              // of in_hand: how often it has failed
  Instant deadline = Instant::never();  // of the request that it works on: nested asks get the shorter one
  std::string_view message;
  Instant began{};
  Envelope* in_hand = nullptr;  // of an Interleaved handler: what it works on, kept to be handled again (retries.cpp)
};

/// Something that a coroutine of this actor waits for. Lives in the coroutine's frame; destroying the frame takes
/// it back. Found by its number, so that no pointer into a frame ever leaves the actor.
struct Awaiter {
  virtual void complete(LaneNode&) {}  ///< the completion with our number came
  virtual void expire(Cell&) {}        ///< the deadline passed
  virtual void probe(Cell&) {}         ///< probe_at passed
  virtual void fail(Error) {}          ///< the wait is over for another reason (a circle)
  /// Whether an answer lies in its own slot, not taken yet (order::answered says that there may be one); takes it.
  virtual bool take_answer() { return false; }
  /// What it waits for, for whoever inspects the actor: "ask Get to /store". The actor's turn; may throw.
  [[nodiscard]] virtual std::string describe_wait() const;

  void enlist(Cell& cell, std::coroutine_handle<> handle, Instant until);
  void delist() noexcept;
  [[nodiscard]] bool listed() const noexcept { return cell_ != nullptr; }

  Cell* cell_ = nullptr;
  Awaiter* previous_ = nullptr;
  Awaiter* next_ = nullptr;
  Root* root_ = nullptr;
  std::coroutine_handle<> handle_{};
  Instant deadline_ = Instant::never();
  Instant probe_at_ = Instant::never();
  Instant since_{};
  std::uint32_t number_ = 0;
  bool ready_ = false;
  bool yields_ = false;

 protected:
  Awaiter() = default;
  Awaiter(const Awaiter&) = delete;
  Awaiter& operator=(const Awaiter&) = delete;
  ~Awaiter() { delist(); }
};

enum class Phase : std::uint8_t {
  vacant,        ///< nobody's place
  starting,      ///< spawned, not yet constructed
  initializing,  ///< the init hook is under way
  running,
  draining,     ///< told to stop: handles what is queued
  ending,       ///< children are being stopped
  terminating,  ///< the terminating hook is under way
  ended,        ///< the incarnation is over, the supervisor decides
  kept,         ///< ended because its parent failed: the place waits for the parent's next init
  closing,      ///< over for good
};

/// What the supervisor made of the last end, for those who are told why the place is over.
enum class Ruling : std::uint8_t {
  none,      ///< it was not asked
  restart,   ///< to be begun again
  over,      ///< its policy wants no restart
  given_up,  ///< it failed more often than allowed, or a Verdict escalated
};

/// Bits of Cell::signals. Set by anybody, cleared by the owner.
namespace signal {
inline constexpr std::uint32_t parked = 1U << 0;      // suspended or not accepting: who clears it schedules the cell
inline constexpr std::uint32_t start = 1U << 1;       // begin an incarnation
inline constexpr std::uint32_t stop = 1U << 2;        // end in order
inline constexpr std::uint32_t keep = 1U << 3;        // end, but keep the place
inline constexpr std::uint32_t close = 1U << 4;       // over for good
inline constexpr std::uint32_t yield = 1U << 5;       // a coroutine gave way
inline constexpr std::uint32_t side_queue = 1U << 6;  // the locked mailbox holds something
inline constexpr std::uint32_t room = 1U << 7;        // somebody waits for room in the mailbox
inline constexpr std::uint32_t kill = 1U << 8;        // end now: nothing is drained
inline constexpr std::uint32_t alive = 1U
                                       << 9;  // the place is somebody's: without it only the mailbox may be touched
inline constexpr std::uint32_t expired = 1U << 10;  // the stop deadline passed
inline constexpr std::uint32_t decided = 1U
                                         << 11;  // the parent has seen our end: an order that came meanwhile may act
inline constexpr std::uint32_t restart = 1U << 12;   // end in order and begin anew
inline constexpr std::uint32_t lifetime = 1U << 13;  // live_for is over
inline constexpr std::uint32_t group = 1U << 14;     // the back-off of a group of children is over
inline constexpr std::uint32_t ordered = 1U << 15;   // something stands in Cell::orders
inline constexpr std::uint32_t commands =
    start | stop | keep | close | yield | kill | expired | decided | restart | lifetime | group | ordered;
}  // namespace signal

/// Bits of Cell::orders: what anybody who has a Ref may order. Those of the same name mean the same as signals.
namespace order {
inline constexpr std::uint32_t stop = signal::stop;
inline constexpr std::uint32_t kill = signal::kill;
inline constexpr std::uint32_t restart = signal::restart;
inline constexpr std::uint32_t suspend = 1U << 16;
inline constexpr std::uint32_t resume = 1U << 17;
inline constexpr std::uint32_t inspect = 1U << 18;   // somebody waits in Core::inspections
inline constexpr std::uint32_t answered = 1U << 19;  // an inspection that this actor asked for has its answer
}  // namespace order

/// Bits of Cell::gate, below the generation.
namespace gate_bit {
inline constexpr std::uint32_t refusing = 1U;  // being stopped
inline constexpr std::uint32_t special = 2U;   // mailbox with a lock, or somebody waits for room: the slow path
inline constexpr unsigned bits = 3;
}  // namespace gate_bit

class alignas(64) Cell final : public Context, public Runnable {
 public:
  // ---- first line: what a sender writes with each message, and beside it what is touched at an end only
  MessageList<Envelope> mailbox;  // [any]
  EndNotice end_notice{};
  OrderWord<> orders;  // [any] gives; its generation is the gate's
  std::uint64_t unnamed_number = 0;

  // ---- second line: read by many and seldom written, so that a stream of messages leaves it where it is
  std::atomic<std::uint32_t> gate{0};     // [any] generation << 3 | gate bits
  std::atomic<std::uint32_t> signals{0};  // [any]
  Lane<LaneNode> lane;                    // [any]
  Body* body = nullptr;
  PublishedPointer<Extras> extras;
  Cell* parent = nullptr;               // constant for a generation
  std::atomic<SideBox*> side{nullptr};  // [any] of a mailbox with a lock, or with waiting senders; sticky
  Cell* previous_sibling = nullptr;     // [parent]
  Cell* next_sibling = nullptr;         // [parent]

  // ---- third line: written by its own turn with each message, and by nobody else
  MessageList<Envelope>::Owned queue;     // its bound: [parent] may be said anew by its parent's next incarnation
  std::atomic<std::uint64_t> handled{0};  // [any]
  Root* turn_root = nullptr;              // the coroutine that keeps the turn, or null
  Awaiter* awaiters = nullptr;
  LaneNode* lane_rest = nullptr;  // taken from the lane, not yet run
  Phase phase = Phase::vacant;
  std::atomic<bool> suspended{false};  // own turn writes; [any] reads: handles nothing until it is resumed
  /// Commands of its own, which need no exchange: bits of signals. [parent], until the place is alive; then its own turn.
  std::uint8_t own_commands = 0;
  bool retries : 1 = false;       // constant for a place: a message that failed is handled again
  bool plain : 1 = false;         // constant for a place: no loop, no retries, and its policy lets handlers run
  std::uint16_t interleaved = 0;  // roots of that kind
  std::uint16_t ready = 0;        // awaiters that wait for the turn
  std::uint32_t last_await = 0;
  /// Its last turn ended calmly (is_calm): what that means changes in its own turns only.
  bool calm = false;
  bool stop_ordered = false;
  bool own_end = false;  // it ended by itself, not by order
  // How the incarnation ended. A byte of its own: read while its parent destroys what has ended.
  bool failed = false;

  // ---- fourth line
  Failure* failure = nullptr;
  Instant began{};  // when this incarnation was begun, then when its init ended
  // read by others while this actor waits (cycles, reports of timeouts)
  std::atomic<std::int64_t> request_began{0};      // [any] when the request now being handled was begun
  std::atomic<Cell*> waits_for{nullptr};           // [any] whom the turn's ask stands with
  std::atomic<std::uint32_t> waits_generation{0};  // [any]
  std::atomic<std::uint32_t> waits_number{0};      // [any]
  std::uint32_t incarnation = 0;
  std::uint32_t place_generation = 0;  // [parent, siblings under the names' lock] constant for a place
  // [parent] writes: until it equals end_notice.posted the end is the parent's
  std::atomic<std::uint32_t> notices_seen{0};
  std::uint8_t scheduling_group = 0;
  std::atomic<bool> drops_newest{false};        // what a full list does
  std::atomic<Status> status{Status::stopped};  // [any]
  Ruling ruling = Ruling::none;                 // [parent] of this incarnation's end
  bool init_succeeded : 1 = false;
  bool constructed : 1 = false;
  bool by_wish : 1 = false;        // it threw Need::stop
  bool status_stated : 1 = false;  // the actor said how it fares: its children do not overrule it
  bool lived_out : 1 = false;      // its time (live_for) was over
  bool cut_short : 1 = false;      // its stop deadline passed
  bool draining_waits : 1 = false;
  bool killed = false;         // everything below ends at once, too
  bool stop_at_start = false;  // a kept place was told to stop: it closes when it would be begun
  bool keep_place = false;
  bool quiet = false;      // [parent] kept: nothing left to stop
  bool in_group = false;   // [parent] is restarted with others
  bool asked = false;      // [parent] a Verdict is awaited
  PlaceMark<> board_mark;  // [any] somebody asked for what it publishes (scopes.hpp)

  // ---- identity
  [[nodiscard]] std::uint32_t generation() const noexcept {
    return gate.load(std::memory_order_relaxed) >> gate_bit::bits;
  }
  [[nodiscard]] const ActorOps& ops() const noexcept { return *body->ops; }
  [[nodiscard]] const ChildPolicy& policy() const noexcept { return *body->policy; }
  template <class A>
  [[nodiscard]] A& actor() const noexcept {
    return *static_cast<A*>(body->actor);
  }
  [[nodiscard]] std::string_view name() const noexcept { return body != nullptr ? body->name() : std::string_view(); }
  [[nodiscard]] std::string full_path() const;
  /// The last step of the path: its name, or "#3" when it has none.
  [[nodiscard]] std::string step() const;
  [[nodiscard]] inline Core& core() const noexcept;  // core.hpp
  [[nodiscard]] Extras& need_extras();

  // ---- any thread
  /// Sets a command bit and sees to it that the cell looks.
  void signal_command(std::uint32_t bits) noexcept;
  /// Leaves a node in the lane and sees to it that the cell looks.
  void post_lane(LaneNode& node) noexcept;
  void schedule() noexcept;

  // ---- own turn
  /// Resumes a root's coroutine and finishes the root if it is done.
  Handled drive_root(Root& root, std::coroutine_handle<> handle);
  void adopt_root(Root& root) noexcept;
  void drop_root(Root& root) noexcept;
  [[nodiscard]] Awaiter* find_awaiter(std::uint32_t number) const noexcept;
  /// The awaiter is ready: resumes its coroutine, now or when the turn is free.
  void wake_awaiter(Awaiter& awaiter);
  void arm_await_clock(Instant at);

  /// `word` is the actor's own for it; the runtime has none.
  void set_status(Status next, std::string_view word = {});
  /// Whether its incarnation ends so that its children's places are kept for the next one.
  [[nodiscard]] bool failed_or_kept() const noexcept { return failed || keep_place; }
  [[nodiscard]] bool policy_has_end_target() const noexcept;

 private:
  friend struct RunLoop;

  bool drain_vacant_once(Core& core, WorkerContext* context) noexcept;
  [[nodiscard]] bool is_calm(std::uint32_t seen) const noexcept;
  [[nodiscard]] bool begins_calmly() const noexcept;
  [[nodiscard]] bool stays_calm(std::uint32_t seen) const noexcept;
  [[nodiscard]] bool run_calm(Worker& worker, Core& core, WorkerContext& context);
  [[nodiscard]] bool run_calm_again(Worker& worker, Core& core, WorkerContext& context);
  [[nodiscard]] bool is_over_calmly(Worker& worker, Core& core, WorkerContext& context);
  void run_at_length(Worker& worker, Core& core, WorkerContext* context);
  void tell_status(Status before, Status next, std::string_view word);
};

static_assert(sizeof(Cell) == 256, "four cache lines: an actor's fixed price");

/// The current cell of this thread, or null.
[[nodiscard]] inline Cell* current_cell() noexcept {
  return this_turn != nullptr ? static_cast<Cell*>(this_turn->cell.load(std::memory_order_relaxed)) : nullptr;
}

/// A root that runs a Task<T> and gives its outcome to `Finish`, a callable `void(Cell&, Task<T>&)`.
template <class T, class Finish>
struct TaskRoot final : Root {
  TaskRoot(Task<T> t, Finish f) : finish_(std::move(f)), task(std::move(t)) {}
  void finish(Cell& cell) override { finish_(cell, task); }
  static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }
  static void operator delete(void* block) noexcept { deallocate_frame(block); }

  /// Before the task: what it owns (a loop's inbox) outlives the coroutine that refers to it.
  Finish finish_;
  Task<T> task;
};

/// Starts a Task as a root of the running cell.
template <class T, class Finish>
Handled run_root(Cell& cell, RootKind kind, Task<T> task, Instant deadline, std::string_view message, Finish finish) {
  auto* const root = new TaskRoot<T, Finish>(std::move(task), std::move(finish));
  root->kind = kind;
  root->deadline = deadline;
  root->message = message;
  root->task.on_done([](void* done) noexcept { *static_cast<bool*>(done) = true; }, &root->done);
  cell.adopt_root(*root);
  return cell.drive_root(*root, root->task.handle());
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
