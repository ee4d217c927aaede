#include "model/checker.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <random>
#include <stdexcept>

#include "model/fiber.hpp"

namespace backstage {
inline namespace v0 {
namespace model {
namespace {

using engine::Id;

constexpr std::size_t kMaxThreads = 6;
constexpr std::size_t kMaxLocations = 64;
constexpr std::size_t kMain = kMaxThreads;  // the turn of world construction and at_end()
constexpr unsigned kOldReadsInARow = 2;

/// What a thread knows: of each location the oldest store it may still read, of each thread how far it has come.
struct View {
  std::array<std::uint16_t, kMaxLocations> at{};
  std::array<std::uint16_t, kMaxThreads + 1> clock{};

  void join(const View& other) {
    for (std::size_t i = 0; i < at.size(); ++i) at[i] = std::max(at[i], other.at[i]);
    for (std::size_t i = 0; i < clock.size(); ++i) clock[i] = std::max(clock[i], other.clock[i]);
  }
};

/// One store in a location's modification order, with what an acquire of it learns.
struct Store {
  std::uint64_t value = 0;
  View view;
};

enum class Kind { atomic, plain, mutex };

struct Location {
  Kind kind = Kind::atomic;
  bool alive = false;
  std::vector<Store> stores;        // atomic: all of them; mutex: one, for its view
  std::uint16_t seq_cst_floor = 0;  // the newest store that a seq_cst operation has read or written
  std::size_t writer = kMain;       // plain: who wrote last, and when
  std::uint16_t written = 0;
  std::array<std::uint16_t, kMaxThreads + 1> read{};  // plain: when each thread read last
  std::size_t holder = kMain;                         // mutex
  bool held = false;
};

enum class State { ready, waiting, locking, ended };

struct ModelThread {
  std::unique_ptr<Fiber> fiber;
  State state = State::ready;
  bool yielded = false;  // paused; others first
  bool chosen = false;   // for its next operation already: it has just started, or come out of a wait
  bool timed = false;
  Id on = 0;  // waiting, locking
  View view;
  std::array<std::uint8_t, kMaxLocations> old_reads{};
};

struct Choice {
  std::uint32_t taken = 0;
  std::uint32_t of = 1;
};

bool acquires(std::memory_order o) {
  return o == std::memory_order_acquire || o == std::memory_order_acq_rel || o == std::memory_order_seq_cst ||
         o == std::memory_order_consume;
}
bool releases(std::memory_order o) {
  return o == std::memory_order_release || o == std::memory_order_acq_rel || o == std::memory_order_seq_cst;
}
const char* name(std::memory_order o) {
  switch (o) {
    case std::memory_order_relaxed: return "relaxed";
    case std::memory_order_consume:
    case std::memory_order_acquire: return "acquire";
    case std::memory_order_release: return "release";
    case std::memory_order_acq_rel: return "acq_rel";
    default: return "seq_cst";
  }
}

class Checker {
 public:
  Checker(const Options& options, const engine::Program& program)
      : options_(options), program_(program), random_(options.seed) {
    if (program.names.size() > kMaxThreads) throw std::logic_error("model: at most 6 threads in one program");
    threads_.resize(program.names.size());
  }
  Report explore();

  // The operations. In the main turn they neither schedule nor read old values.
  Id add(Kind kind, std::uint64_t value);
  void remove(Id id);
  std::uint64_t load(Id id, std::memory_order order);
  void store(Id id, std::uint64_t value, std::memory_order order);
  template <class Change>
  bool update(Id id, const char* what, const Change& change, std::memory_order success, std::memory_order failure,
              std::uint64_t& before);
  bool wait(Id id, std::uint64_t expected, bool timed);
  void wake(Id id, bool all);
  void pause();
  void access(Id id, bool writes);
  void lock(Id id);
  void unlock(Id id);
  void require(bool holds, const char* what) {
    if (!holds) fail(std::string("broken: ") + what);
  }
  void note(const std::string& text) {
    if (tracing_) trace_ += who() + text + "\n";
  }

 private:
  void run_once();
  void make_fiber(std::size_t index);
  void point();
  void give_up_turn();
  void news();
  void resume(std::size_t next);
  std::uint32_t choose(std::uint32_t of, bool first_is_usual);
  void fail(std::string what);
  void abandon();
  bool advance();
  Location& get(Id id, Kind kind);
  View& view() { return turn_ == kMain ? main_view_ : threads_[turn_].view; }
  void tick() { ++view().clock[turn_]; }
  std::string who() const { return (turn_ == kMain ? std::string("(world)") : program_.names[turn_]) + ": "; }
  void say(Id id, const std::string& what) {
    if (tracing_) trace_ += who() + "a" + std::to_string(id) + "." + what + "\n";
  }
  static std::string shown(std::uint64_t value) {
    if (value < 1'000'000) return std::to_string(value);
    std::string hex;
    for (; value != 0; value >>= 4U) hex.insert(hex.begin(), "0123456789abcdef"[value & 15U]);
    return "0x" + hex;
  }

  Options options_;
  const engine::Program& program_;
  std::mt19937_64 random_;
  Fiber main_;
  std::vector<ModelThread> threads_;
  std::vector<Location> locations_;
  std::size_t used_locations_ = 0;
  View main_view_;
  std::size_t turn_ = kMain;

  std::vector<Choice> choices_;  // of this schedule; a prefix of them is replayed
  std::size_t depth_ = 0;        // choices made so far in this schedule
  bool replaying_random_ = false;
  unsigned steps_ = 0;
  unsigned preemptions_ = 0;
  unsigned old_reads_ = 0;
  unsigned timeouts_ = 0;
  unsigned spurious_ = 0;
  std::string failure_;
  bool stacks_are_spent_ = false;
  bool tracing_ = false;
  std::string trace_;
};

thread_local Checker* checking = nullptr;

Checker& current() {
  if (checking == nullptr) throw std::logic_error("model: a ModelAtomics operation outside model::check");
  return *checking;
}

Report Checker::explore() {
  Report report;
  auto* const outer = std::exchange(checking, this);
  const std::uint64_t limit = options_.random > 0 ? options_.random : options_.max_schedules;
  while (report.schedules < limit) {
    if (options_.random > 0) choices_.clear();
    run_once();
    ++report.schedules;
    if (!failure_.empty()) {
      report.failure = failure_;
      failure_.clear();
      tracing_ = replaying_random_ = true;  // the same schedule again, now with a protocol
      run_once();
      report.failure += "\nin schedule " + std::to_string(report.schedules) + ":\n" + trace_;
      if (failure_.empty())
        report.failure += "(the replay passed: the program does not depend on its choices alone)\n";
      break;
    }
    if (options_.random == 0 && !advance()) {
      report.complete = true;
      break;
    }
  }
  if (options_.random > 0 && report.failure.empty()) report.complete = true;
  checking = outer;
  return report;
}

/// The next schedule in depth-first order: the last choice that has an alternative takes it.
bool Checker::advance() {
  while (!choices_.empty() && choices_.back().taken + 1 == choices_.back().of) choices_.pop_back();
  if (choices_.empty()) return false;
  ++choices_.back().taken;
  return true;
}

void Checker::run_once() {
  used_locations_ = 0;
  main_view_ = View{};
  turn_ = kMain;
  depth_ = 0;
  steps_ = preemptions_ = old_reads_ = timeouts_ = spurious_ = 0;
  trace_.clear();
  program_.begin();
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    auto& thread = threads_[i];
    if (!thread.fiber || stacks_are_spent_) make_fiber(i);
    thread.state = State::ready;
    thread.yielded = thread.timed = false;
    thread.chosen = true;
    thread.old_reads = {};
    thread.view = main_view_;
    thread.view.clock[i] = 1;
  }
  stacks_are_spent_ = false;
  if (!threads_.empty()) {
    give_up_turn();
    turn_ = kMain;
  }
  for (const auto& thread : threads_) main_view_.join(thread.view);
  if (failure_.empty()) program_.end();
}

void Checker::make_fiber(std::size_t index) {
  threads_[index].fiber = std::make_unique<Fiber>([this, index] {
    for (;;) {
      program_.thread(index);
      threads_[index].state = State::ended;
      give_up_turn();
    }
  });
}

std::uint32_t Checker::choose(std::uint32_t of, bool first_is_usual) {
  if (of == 1) return 0;
  if (depth_ == choices_.size()) {
    std::uint32_t taken = 0;
    if (options_.random > 0 && !replaying_random_) {
      const bool usual = first_is_usual && random_() % 2 == 0;
      taken = usual ? 0 : static_cast<std::uint32_t>(random_() % of);
    }
    choices_.push_back({taken, of});
  }
  return choices_[depth_++].taken;
}

/// Before each operation: any thread that can run may go first.
void Checker::point() {
  if (turn_ == kMain) return;
  if (++steps_ > options_.max_steps) fail("endless: more than " + std::to_string(options_.max_steps) + " operations");
  if (!std::exchange(threads_[turn_].chosen, false)) give_up_turn();
  tick();
}

/// Something was written: who spins may look again. (Not at every operation: two that spin would keep each other going.)
void Checker::news() {
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    if (i != turn_) threads_[i].yielded = false;
  }
}

/// Chooses who runs next; comes back when it is this thread's turn (for the main turn: when all have ended).
void Checker::give_up_turn() {
  std::array<std::size_t, kMaxThreads> candidates{};
  std::uint32_t count = 0;
  const auto can_run = [&](const ModelThread& thread) {
    if (thread.state == State::ready) return true;
    if (thread.state == State::locking) return !locations_[thread.on].held;
    if (thread.state != State::waiting) return false;
    return (thread.timed && timeouts_ < options_.timeouts) || spurious_ < options_.spurious;
  };
  const auto collect = [&](bool yielded) {
    // The running thread first: not to switch is the usual choice.
    if (turn_ != kMain && can_run(threads_[turn_]) && threads_[turn_].yielded == yielded) candidates[count++] = turn_;
    const bool bound = count > 0 && options_.preemptions && preemptions_ >= *options_.preemptions &&
                       threads_[turn_].state == State::ready;
    for (std::size_t i = 0; i < threads_.size() && !bound; ++i) {
      if (i != turn_ && can_run(threads_[i]) && threads_[i].yielded == yielded) candidates[count++] = i;
    }
  };
  collect(false);
  if (count == 0) collect(true);
  if (count == 0) {
    const bool all_ended = std::all_of(threads_.begin(), threads_.end(),
                                       [](const auto& thread) { return thread.state == State::ended; });
    if (!all_ended) {
      std::string stuck = "deadlock: nobody will wake";
      const char* between = " ";
      for (std::size_t i = 0; i < threads_.size(); ++i) {
        if (threads_[i].state != State::ended) stuck += std::exchange(between, ", ") + program_.names[i];
      }
      fail(std::move(stuck));
    }
    abandon();  // all have ended: back to main; the fiber itself comes back from here in the next schedule
    return;
  }
  const bool could_stay = candidates[0] == turn_;
  const auto next = candidates[choose(count, could_stay)];
  if (could_stay && next != turn_ && threads_[turn_].state == State::ready) ++preemptions_;
  resume(next);
}

void Checker::resume(std::size_t next) {
  auto& thread = threads_[next];
  if (thread.state == State::waiting) {  // was not woken: so this is its time-out, or a return for no reason
    if (thread.timed && timeouts_ < options_.timeouts) {
      ++timeouts_;
    } else {
      ++spurious_;
    }
    if (tracing_) trace_ += program_.names[next] + ": returns from its wait unwoken\n";
  }
  thread.state = State::ready;
  thread.yielded = false;
  if (next == turn_) return;
  auto& from = turn_ == kMain ? main_ : *threads_[turn_].fiber;
  turn_ = next;
  Fiber::change(from, *thread.fiber);
}

/// Back to main, from whichever thread has the turn.
void Checker::abandon() {
  auto& from = *threads_[turn_].fiber;
  turn_ = kMain;
  Fiber::change(from, main_);
}

void Checker::fail(std::string what) {
  if (tracing_) trace_ += who() + "^^^ " + what + "\n";
  if (failure_.empty()) failure_ = what + (turn_ == kMain ? " (at the end)" : " (in " + program_.names[turn_] + ")");
  if (turn_ == kMain) return;
  // The stacks are left as they stand, the next schedule gets new ones. Nothing is unwound: what bodies own on the heap
  // stands in their World, and this string must go now.
  std::string().swap(what);
  stacks_are_spent_ = true;
  abandon();
}

Location& Checker::get(Id id, Kind kind) {
  auto& location = locations_[id];
  if (!location.alive) fail("used after its end: a" + std::to_string(id));
  if (location.kind != kind) fail("mixed up: a" + std::to_string(id));
  return location;
}

Id Checker::add(Kind kind, std::uint64_t value) {
  if (used_locations_ == kMaxLocations) throw std::logic_error("model: at most 64 locations in one schedule");
  const auto id = static_cast<Id>(used_locations_++);
  if (locations_.size() < used_locations_) locations_.resize(used_locations_);
  auto& location = locations_[id];
  location.kind = kind;
  location.alive = true;
  location.stores.clear();
  location.seq_cst_floor = 0;
  location.held = false;
  location.writer = turn_;
  location.written = view().clock[turn_];
  location.read = {};
  if (kind != Kind::plain) location.stores.push_back({value, View{}});
  return id;
}

void Checker::remove(Id id) {
  if (id < used_locations_) locations_[id].alive = false;
}

std::uint64_t Checker::load(Id id, std::memory_order order) {
  point();
  auto& location = get(id, Kind::atomic);
  auto& mine = view();
  const auto newest = static_cast<std::uint16_t>(location.stores.size() - 1);
  auto oldest = mine.at[id];
  if (order == std::memory_order_seq_cst) oldest = std::max(oldest, location.seq_cst_floor);
  if (turn_ == kMain || options_.memory == Memory::sequential || threads_[turn_].old_reads[id] >= kOldReadsInARow ||
      (options_.old_reads && old_reads_ >= *options_.old_reads)) {
    oldest = newest;
  }
  const auto age = choose(newest - oldest + 1U, true);
  if (age > 0) ++old_reads_;
  const auto at = static_cast<std::uint16_t>(newest - age);
  if (turn_ != kMain) {
    auto& old = threads_[turn_].old_reads[id];
    old = static_cast<std::uint8_t>(age == 0 ? 0 : old + 1);
  }
  mine.at[id] = at;
  if (acquires(order)) mine.join(location.stores[at].view);
  if (order == std::memory_order_seq_cst) location.seq_cst_floor = std::max(location.seq_cst_floor, at);
  const auto value = location.stores[at].value;
  if (tracing_) {
    say(id,
        std::string("load(") + name(order) + ") -> " + shown(value) +
            (age == 0 ? ""
                      : "   [old: " + std::to_string(age) + " behind " + shown(location.stores[newest].value) + "]"));
  }
  return value;
}

void Checker::store(Id id, std::uint64_t value, std::memory_order order) {
  point();
  auto& location = get(id, Kind::atomic);
  auto& mine = view();
  mine.at[id] = static_cast<std::uint16_t>(location.stores.size());
  location.stores.push_back({value, releases(order) ? mine : View{}});
  if (order == std::memory_order_seq_cst) location.seq_cst_floor = mine.at[id];
  tick();  // what this thread does next was not published by this store
  news();
  if (tracing_) say(id, std::string("store(") + name(order) + ") " + shown(value));
}

template <class Change>
bool Checker::update(Id id, const char* what, const Change& change, std::memory_order success,
                     std::memory_order failure, std::uint64_t& before) {
  point();
  auto& location = get(id, Kind::atomic);
  auto& mine = view();
  const auto newest = static_cast<std::uint16_t>(location.stores.size() - 1);
  before = location.stores[newest].value;
  auto value = before;
  const bool done = change(value);
  const auto order = done ? success : failure;
  mine.at[id] = newest;
  if (acquires(order)) mine.join(location.stores[newest].view);
  if (done) {
    mine.at[id] = static_cast<std::uint16_t>(newest + 1);
    Store next{value, location.stores[newest].view};  // a read-modify-write continues the release sequence
    if (releases(order)) next.view.join(mine);
    location.stores.push_back(next);
    tick();  // as in store
    news();
  }
  if (order == std::memory_order_seq_cst) location.seq_cst_floor = mine.at[id];
  if (tracing_) {
    say(id, std::string(what) + "(" + name(order) + ") " + shown(before) +
                (done ? " -> " + shown(value) : std::string(" fails")));
  }
  return done;
}

bool Checker::wait(Id id, std::uint64_t expected, bool timed) {
  point();
  auto& location = get(id, Kind::atomic);
  // The kernel compares under its own lock, with a full barrier: it reads the newest. It gives us no acquire.
  if (location.stores.back().value != expected) {
    say(id, "wait(" + shown(expected) + ") sees another value");
    return false;
  }
  if (turn_ == kMain) throw std::logic_error("model: the world may not wait");
  say(id, "wait(" + shown(expected) + ") sleeps");
  auto& thread = threads_[turn_];
  thread.state = State::waiting;
  thread.on = id;
  thread.timed = timed;
  give_up_turn();
  thread.chosen = true;
  return true;
}

void Checker::wake(Id id, bool all) {
  point();
  get(id, Kind::atomic);
  std::array<std::size_t, kMaxThreads> sleepers{};
  std::uint32_t count = 0;
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    if (threads_[i].state == State::waiting && threads_[i].on == id) sleepers[count++] = i;
  }
  if (count > 0 && !all) {
    sleepers[0] = sleepers[choose(count, false)];
    count = 1;
  }
  for (std::uint32_t i = 0; i < count; ++i) threads_[sleepers[i]].state = State::ready;
  if (tracing_) {
    std::string woken;
    for (std::uint32_t i = 0; i < count; ++i) woken += " " + program_.names[sleepers[i]];
    say(id, std::string(all ? "wake_all" : "wake_one") + (count == 0 ? ": nobody sleeps" : ":" + woken));
  }
}

void Checker::pause() {
  if (turn_ == kMain) return;
  threads_[turn_].yielded = true;
  // Time passes: old values do not survive a spin for ever.
  threads_[turn_].old_reads.fill(kOldReadsInARow);
  point();
}

void Checker::access(Id id, bool writes) {
  if (turn_ == kMain && !failure_.empty()) return;
  auto& location = get(id, Kind::plain);
  const auto& mine = view();
  bool ordered = location.written <= mine.clock[location.writer];
  if (writes) {
    for (std::size_t i = 0; i < location.read.size(); ++i) ordered = ordered && location.read[i] <= mine.clock[i];
  }
  say(id, writes ? "plain write" : "plain read");
  if (!ordered) fail("data race on plain a" + std::to_string(id));
  if (writes) {
    location.writer = turn_;
    location.written = mine.clock[turn_];
    location.read = {};
  } else {
    location.read[turn_] = mine.clock[turn_];
  }
}

void Checker::lock(Id id) {
  point();
  auto& location = get(id, Kind::mutex);
  if (location.held) {
    if (turn_ == kMain) throw std::logic_error("model: a mutex is still held at the end");
    say(id, "lock: waits");
    threads_[turn_].state = State::locking;
    threads_[turn_].on = id;
    give_up_turn();
  }
  location.held = true;
  view().join(location.stores[0].view);
  say(id, "lock");
}

void Checker::unlock(Id id) {
  auto& location = get(id, Kind::mutex);
  location.held = false;
  location.stores[0].view = view();
  tick();
  say(id, "unlock");
}

}  // namespace

std::string Report::summary() const {
  return std::to_string(schedules) + " interleavings" + (complete ? ", all explored" : ", not all");
}

void require(bool holds, const char* what) { current().require(holds, what); }
void note(const std::string& text) { current().note(text); }

namespace engine {

Report run(const Options& options, const Program& program) { return Checker(options, program).explore(); }

Id add_atomic(std::uint64_t value) { return current().add(Kind::atomic, value); }
void remove_atomic(Id id) {
  if (checking != nullptr) checking->remove(id);
}
std::uint64_t load(Id id, std::memory_order order) { return current().load(id, order); }
void store(Id id, std::uint64_t value, std::memory_order order) { current().store(id, value, order); }

std::uint64_t modify(Id id, Op op, std::uint64_t operand, std::uint64_t mask, std::memory_order order) {
  static constexpr std::array names{"exchange", "fetch_add", "fetch_sub", "fetch_or", "fetch_and", "fetch_xor"};
  std::uint64_t before = 0;
  const auto change = [&](std::uint64_t& value) {
    switch (op) {
      case Op::exchange: value = operand; break;
      case Op::add: value = (value + operand) & mask; break;
      case Op::sub: value = (value - operand) & mask; break;
      case Op::bit_or: value |= operand; break;
      case Op::bit_and: value &= operand; break;
      case Op::bit_xor: value ^= operand; break;
    }
    return true;
  };
  current().update(id, names[static_cast<std::size_t>(op)], change, order, order, before);
  return before;
}

bool compare_exchange(Id id, std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                      std::memory_order failure) {
  std::uint64_t before = 0;
  const auto change = [&](std::uint64_t& value) {
    if (value != expected) return false;
    value = desired;
    return true;
  };
  const bool done = current().update(id, "compare_exchange", change, success, failure, before);
  expected = before;
  return done;
}

bool wait(Id id, std::uint64_t expected, bool timed) { return current().wait(id, expected, timed); }
void wake(Id id, bool all) { current().wake(id, all); }
void pause() { current().pause(); }

Id add_plain() { return current().add(Kind::plain, 0); }
void remove_plain(Id id) { remove_atomic(id); }
void read_plain(Id id) { current().access(id, false); }
void write_plain(Id id) { current().access(id, true); }

Id add_mutex() { return current().add(Kind::mutex, 0); }
void remove_mutex(Id id) { remove_atomic(id); }
void lock(Id id) { current().lock(id); }
void unlock(Id id) { current().unlock(id); }

}  // namespace engine
}  // namespace model
}  // namespace v0
}  // namespace backstage
