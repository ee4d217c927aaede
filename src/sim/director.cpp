#include "director.hpp"

#include "../actor/side_box.hpp"

#include <algorithm>
#include <bit>

namespace backstage {
inline namespace v0 {
namespace sim {
namespace {

using backstage::detail::Phase;

constexpr std::uint64_t block = 256;    // events between two marks of the trail
constexpr std::uint32_t fresh = 0;      // the number of places that are nobody's
constexpr std::uint32_t most_hits = 6;  // kinds, none among them
constexpr std::uint32_t most_targets = 1U << 20U;
constexpr std::uint64_t grain = 1'000;  // lateness and jumps are drawn in so many steps

constexpr std::array<std::string_view, 10> phase_names{"vacant", "starting",    "initializing", "running", "draining",
                                                       "ending", "terminating", "ended",        "kept",    "closing"};

/// Room for one: with none at all, an idle actor would wait for room that it alone can make.
[[nodiscard]] Mailbox tightest(const Mailbox& kind) noexcept {
  switch (kind.when_full()) {
    case WhenFull::drop_newest: return bounded(1).drop_newest();
    case WhenFull::drop_oldest: return bounded(1).drop_oldest();
    case WhenFull::refuse: break;
  }
  return bounded(1);
}
[[nodiscard]] bool is_tightest(const Mailbox& kind) noexcept {
  return kind.count_limit() == 1 && kind.byte_limit() == 0;
}

/// Compilers spell types their own way: what they differ in is left out, so that a run has the same hash from each.
[[nodiscard]] std::uint64_t hash_text(std::string_view text) noexcept {
  std::uint64_t mixed = 0xcbf29ce484222325U;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    bool skipped = false;
    for (const std::string_view noise :
         std::initializer_list<std::string_view>{"v0::", "{anonymous}::", "(anonymous namespace)::", " "}) {
      if (!rest.starts_with(noise)) continue;
      at += noise.size();
      skipped = true;
      break;
    }
    if (skipped) continue;
    mixed = (mixed ^ static_cast<unsigned char>(text[at++])) * 0x100000001b3U;
  }
  return split_mix(mixed);
}

}  // namespace

Director::Director(std::uint64_t seed, WorldOptions options, std::shared_ptr<ManualClock> clock)
    : seed_(seed),
      clock_(std::move(clock)),
      order_(seed, options.policy),
      chooser_(options.replay),
      fault_random_(split_by_name(seed, "faults")),
      timing_random_(split_by_name(seed, "timing")),
      job_random_(split_by_name(seed, "jobs")),
      memory_random_(split_by_name(seed, "memory")),
      outside_random_(split_by_name(seed, "outside")),
      hash_(split_by_name(seed, "hash")),
      diary_(options.diary_lines) {
  known_.emplace_back();
  names_.emplace_back("nobody");
  order_.introduce(fresh, "nobody");
  faults_.swarm = false;
}

// -------------------------------------------------------------------------------------------------- names

bool Director::is_alive(const Known& known) noexcept {
  // relaxed throughout: one thread.
  return known.cell != nullptr && known.cell->generation() == known.generation &&
         (known.cell->signals.load(std::memory_order_relaxed) & backstage::detail::signal::alive) != 0;
}

std::uint32_t Director::number_of(Cell& cell) {
  const auto found = numbers_.find(&cell);
  const bool is_known = found != numbers_.end();
  // While it closes it has the next owner's generation already, and no name any more.
  if (is_known && (cell.phase == Phase::closing || known_[found->second].generation == cell.generation())) {
    return found->second;
  }
  const bool alive = (cell.signals.load(std::memory_order_relaxed) & backstage::detail::signal::alive) != 0;
  if (!alive || cell.body == nullptr) return is_known ? found->second : fresh;
  const auto number = static_cast<std::uint32_t>(known_.size());
  std::string name = cell.full_path();
  const unsigned lives = ++met_[name];
  if (lives > 1) name += " (place " + std::to_string(lives) + ")";
  Known& added = known_.emplace_back();
  added.cell = &cell;
  added.generation = cell.generation();
  added.handled = cell.handled.load(std::memory_order_relaxed);
  added.chance = Random(split_by_name(seed_, "actor " + name));
  order_.introduce(number, name);
  names_.push_back(std::move(name));
  if (cell.parent() != nullptr) candidates_.push_back(number);
  numbers_[&cell] = number;
  return number;
}

std::string_view Director::own(std::string_view text) {
  const auto found = texts_.find(text);
  return found != texts_.end() ? *found : *texts_.emplace(text).first;
}

// ------------------------------------------------------------------------------------------------ the book

void Director::note(std::uint64_t tag, std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t state = hash_ ^ (tag << 56U) ^ a ^ std::rotl(b, 32);
  hash_ = split_mix(state);
  if (++events_ % block == 0) trail_.push_back(hash_);
}

void Director::write(Entry::What what, std::uint32_t who, std::uint64_t a, std::uint64_t b,
                     std::string_view text) noexcept {
  diary_.add({what, clock_->now(), who, a, b, text});
  note(static_cast<std::uint64_t>(what) + 1, a ^ (std::uint64_t{who} << 40U),
       b ^ (text.empty() ? 0 : hash_text(text)));
}

// ---------------------------------------------------------------------------------------------- scheduling

std::size_t Director::choose(std::span<backstage::detail::Runnable* const> ready) noexcept {
  ready_.clear();
  for (backstage::detail::Runnable* const one : ready) ready_.push_back(number_of(static_cast<Cell&>(*one)));
  const std::uint32_t at = chooser_.choose(ChoiceKind::actor, static_cast<std::uint32_t>(ready.size()),
                                           [this] { return order_.choose(ready_); });
  current_ = ready_[at];
  return at;
}

unsigned Director::bound(unsigned usual) noexcept {
  const std::uint32_t bound =
      chooser_.choose(ChoiceKind::bound, usual, [this, usual] { return order_.bound(usual); });
  write(Entry::What::turn, current_, ready_.size(), bound, {});
  return bound != 0 ? bound : usual;
}

void Director::handled(backstage::detail::Runnable& running, const void* message) noexcept {
  auto& cell = static_cast<Cell&>(running);
  Known& known = known_[current_];
  // It says the same when it went round for another reason than a message.
  const std::uint64_t count = cell.handled.load(std::memory_order_relaxed);
  if (std::exchange(known.handled, count) == count || message == nullptr) return;
  write(Entry::What::message, current_, count, 0, *static_cast<const std::string_view*>(message));
}

void Director::ended(backstage::detail::Runnable& ran) noexcept {
  const auto& cell = static_cast<const Cell&>(ran);
  Known& known = known_[current_];
  const std::uint32_t state = (cell.incarnation() << 8U) | (static_cast<std::uint32_t>(cell.phase) << 4U) |
                              static_cast<std::uint32_t>(cell.status.load(std::memory_order_relaxed));
  note(100, state, current_);
  if (std::exchange(known.state, state) >> 4U != state >> 4U) {
    write(Entry::What::ended, current_, cell.incarnation(), 0, phase_names[static_cast<std::size_t>(cell.phase)]);
  }
  loosen(false);
  maybe_hit();
  maybe_run_a_job();
}

// -------------------------------------------------------------------------------------------- blocking jobs

void Director::run_job(std::uint32_t index, std::size_t of) {
  write(Entry::What::job, fresh, index, of, {});
  const backstage::detail::TurnScope none(nullptr);  // a thread of the pool has no turn
  (void)pool_->run_one(index);
}

void Director::maybe_run_a_job() {
  const std::size_t waiting = pool_ != nullptr ? pool_->queued() : 0;
  if (waiting == 0) return;
  const std::uint32_t drawn = chooser_.choose(
      ChoiceKind::job, static_cast<std::uint32_t>(waiting + 1),
      [this, waiting]() -> std::uint64_t { return job_random_.below(4) != 0 ? 0 : 1 + job_random_.below(waiting); });
  if (drawn != 0) run_job(drawn - 1, waiting);
}

bool Director::run_a_job() {
  const std::size_t waiting = pool_->queued();
  if (waiting == 0) return false;
  run_job(chooser_.choose(ChoiceKind::job, static_cast<std::uint32_t>(waiting),
                          [this, waiting] { return job_random_.below(waiting); }),
          waiting);
  return true;
}

// ------------------------------------------------------------------------------------------------ chance

std::uint64_t Director::next() noexcept {
  Cell* const cell = backstage::detail::current_cell();
  const std::uint32_t who = cell != nullptr ? number_of(*cell) : fresh;
  const std::uint64_t drawn = cell != nullptr ? known_[who].chance.next() : outside_random_.next();
  write(Entry::What::draw, who, drawn, 0, {});
  return drawn;
}

void Director::time_passed(Instant to) {
  write(Entry::What::time, fresh, static_cast<std::uint64_t>(to.ns - clock_->now().ns), 0, {});
  clock_->set(to);
  loosen(false);
}

// ------------------------------------------------------------------------------------------------- faults

void Director::inject(Faults faults) {
  faults_ = std::move(faults);
  allocations_ = 0;
  if (!faults_.swarm) return;
  // A draw for each kind, whatever is asked for: what is left out does not shift the others.
  Random toss(split_by_name(seed_, "which faults exist"));
  for (std::uint32_t* every :
       {&faults_.fail_every, &faults_.kill_every, &faults_.stop_every, &faults_.point_every, &faults_.late_every,
        &faults_.jump_every, &faults_.full_every, &faults_.memory_every}) {
    if (toss.below(2) == 0) *every = 0;
  }
}

void Director::heal() {
  faults_ = Faults{};
  loosen(true);
  write(Entry::What::heal, fresh, 0, 0, {});
}

std::uint32_t Director::draw_hit() {
  const auto one_in = [this](std::uint32_t every) { return every != 0 && fault_random_.below(every) == 0; };
  Hit hit = Hit::none;
  // All are drawn, so that a kind more or less does not shift the rest by more than itself.
  if (one_in(faults_.fail_every)) hit = Hit::fail;
  if (one_in(faults_.kill_every)) hit = Hit::kill;
  if (one_in(faults_.stop_every)) hit = Hit::stop;
  if (one_in(faults_.jump_every)) hit = Hit::jump;
  if (one_in(faults_.full_every)) hit = Hit::full;
  if (hit == Hit::none) return 0;
  return static_cast<std::uint32_t>(hit) + most_hits * static_cast<std::uint32_t>(fault_random_.below(most_targets));
}

void Director::maybe_hit() {
  if ((faults_.fail_every | faults_.kill_every | faults_.stop_every | faults_.jump_every | faults_.full_every) == 0)
    return;
  const std::uint32_t drawn =
      chooser_.choose(ChoiceKind::fault, most_hits * most_targets, [this] { return draw_hit(); });
  const auto hit = static_cast<Hit>(drawn % most_hits);
  const std::uint32_t rest = drawn / most_hits;
  if (hit == Hit::none) return;
  if (hit == Hit::jump) {
    const auto step = static_cast<std::int64_t>(rest % (2 * grain + 1)) - static_cast<std::int64_t>(grain);
    const Duration by(faults_.jump_up_to.count() / static_cast<std::int64_t>(grain) * step);
    ++injected_;
    write(Entry::What::wall, fresh, static_cast<std::uint64_t>(by.count()), 0, {});
    clock_->jump_wall(by);
    return;
  }
  std::erase_if(candidates_, [this](std::uint32_t one) { return !is_alive(known_[one]); });
  std::vector<std::uint32_t> targets;
  for (const std::uint32_t one : candidates_) {
    if (!faults_.among || faults_.among(names_[one])) targets.push_back(one);
  }
  if (targets.empty()) return;
  const std::uint32_t target = targets[rest % targets.size()];
  Known& known = known_[target];
  ++injected_;
  acts_ = true;
  switch (hit) {
    case Hit::fail:
      write(Entry::What::fault, target, 0, 0, "made to fail");
      backstage::detail::fail_cell(known.cell, known.generation, Error("a fault of the simulated world"));
      break;
    case Hit::kill:
      write(Entry::What::fault, target, 0, 0, "killed");
      backstage::detail::order_cell(known.cell, known.generation, backstage::detail::signal::kill);
      break;
    case Hit::full: squeeze(target, 1 + rest / 1'024 % 64); break;
    default:
      write(Entry::What::fault, target, 0, 0, "told to stop");
      backstage::detail::order_cell(known.cell, known.generation, backstage::detail::signal::stop);
  }
  acts_ = false;
}

/// From now on there is room for one message in its mailbox.
void Director::squeeze(std::uint32_t who, std::uint32_t turns) {
  if (std::any_of(squeezed_.begin(), squeezed_.end(), [who](const auto& one) { return one.who == who; })) return;
  write(Entry::What::fault, who, turns, 0, "given a mailbox for one message");
  Cell& cell = *known_[who].cell;
  Squeezed squeezed;
  squeezed.who = who;
  squeezed.turns = turns;
  backstage::detail::SideBox* const side = backstage::detail::side_if_any(cell);
  if (side != nullptr && side->queues && side->generation == known_[who].generation) {
    squeezed.by_lock = true;
    squeezed.kind = side->kind;
    side->kind = tightest(side->kind);
  } else {
    squeezed.bound = cell.queue.bound.load(std::memory_order_relaxed);
    cell.mailbox.set_bound(cell.queue, 1);
  }
  squeezed_.push_back(squeezed);
}

void Director::release(const Squeezed& squeezed) noexcept {
  Known& known = known_[squeezed.who];
  if (!is_alive(known)) return;
  if (squeezed.by_lock) {
    backstage::detail::SideBox& side = *backstage::detail::side_if_any(*known.cell);
    if (is_tightest(side.kind)) side.kind = squeezed.kind;
  } else if (known.cell->queue.bound.load(std::memory_order_relaxed) == 1) {
    // Else its place was taken over meanwhile, and the new spec says another bound.
    known.cell->mailbox.set_bound(known.cell->queue, squeezed.bound);
  }
  // Whoever waits for room finds some.
  known.cell->signal_command(backstage::detail::signal::room);
}

void Director::loosen(bool all) noexcept {
  std::erase_if(squeezed_, [this, all](Squeezed& one) {
    if (!all && --one.turns != 0) return false;
    release(one);
    return true;
  });
}

bool Director::refuses() noexcept {
  if ((faults_.memory_every | faults_.memory_at) == 0 || acts_) return false;
  Cell* const cell = backstage::detail::current_cell();
  if (cell == nullptr || cell->parent() == nullptr) return false;
  const std::uint32_t who = number_of(*cell);
  if (faults_.among && !faults_.among(names_[who])) return false;
  ++allocations_;
  const std::uint32_t drawn = chooser_.choose(ChoiceKind::memory, 2, [this]() -> std::uint32_t {
    if (allocations_ == faults_.memory_at) return 1;
    return faults_.memory_every != 0 && memory_random_.below(faults_.memory_every) == 0 ? 1 : 0;
  });
  if (drawn == 0) return false;
  ++injected_;
  write(Entry::What::memory, who, allocations_, 0, {});
  return true;
}

bool Director::strikes(std::string_view point) noexcept {
  if (faults_.point_every == 0) return false;
  Cell* const cell = backstage::detail::current_cell();
  const std::uint32_t who = cell != nullptr ? number_of(*cell) : fresh;
  // The root has no hook of its own, and nobody above it to mend it.
  if (cell != nullptr && (cell->parent() == nullptr || (faults_.among && !faults_.among(names_[who])))) return false;
  auto found = points_.find(point);
  if (found == points_.end()) {
    found = points_.emplace(std::string(point), Random(split_by_name(seed_, "point " + std::string(point)))).first;
  }
  Random& random = found->second;
  const std::uint32_t drawn = chooser_.choose(
      ChoiceKind::point, 2, [this, &random] { return random.below(faults_.point_every) == 0 ? 1U : 0U; });
  if (drawn == 0) return false;
  ++injected_;
  write(Entry::What::point, who, 0, 0, own(point));
  return true;
}

Duration Director::lateness() {
  if (faults_.late_every == 0) return Duration::zero();
  const std::uint32_t steps = chooser_.choose(ChoiceKind::timing, grain + 1, [this] {
    return timing_random_.below(faults_.late_every) == 0 ? 1 + timing_random_.below(grain) : 0;
  });
  if (steps == 0) return Duration::zero();
  const Duration late(faults_.late_up_to.count() / static_cast<std::int64_t>(grain) * steps);
  ++injected_;
  write(Entry::What::late, fresh, static_cast<std::uint64_t>(late.count()), 0, {});
  return late;
}

// ------------------------------------------------------------------------------------------------- claims

void Director::break_with(std::string what) {
  if (std::find(broken_.begin(), broken_.end(), what) != broken_.end()) return;
  write(Entry::What::broken, current_, 0, 0, own(what));
  broken_.push_back(std::move(what));
}

void Director::always(bool holds, std::string_view name) noexcept {
  if (!holds) break_with("not always: " + std::string(name));
}

void Director::sometimes(bool happens, std::string_view name) noexcept {
  auto found = std::find_if(seen_.begin(), seen_.end(), [name](const auto& one) { return one.first == name; });
  if (found == seen_.end()) found = seen_.emplace(seen_.end(), std::string(name), 0);
  if (happens) ++found->second;
}

void Director::unreachable(std::string_view name) noexcept { break_with("reached: " + std::string(name)); }

}  // namespace sim
}  // namespace v0
}  // namespace backstage
