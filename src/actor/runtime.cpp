#include "backstage/actor/runtime.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "core.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

std::pair<Cell*, std::uint32_t> start_below_root(Core& core, Body& body);

namespace {

/// The root of every runtime: it supervises what the program starts, and does nothing else.
struct Guardian {};

// Within the grace: for those who are still alive to say what they wait for. Who is stuck in a thread never does.
constexpr Duration grace_of_looking = std::chrono::milliseconds(200);
constexpr std::size_t most_alive_told = 100;
constexpr std::size_t most_late_named = 8;
constexpr Duration grace_after_shutdown = std::chrono::seconds(1);
// Of that: for actors whose coroutines are being destroyed, and (at least) for workers to end their last turn.
constexpr Duration grace_of_actors = std::chrono::milliseconds(700);
constexpr Duration grace_of_workers = std::chrono::milliseconds(300);

void make_root(Core& core) {
  Cell& root = core.new_cell();
  root.body = make_body<Guardian>(core.memory, core.options.name, FromValues<>{}, &default_policy);
  root.rest().parent = nullptr;
  root.mailbox.set_bound(root.queue, Mailbox::no_limit);
  root.phase = Phase::starting;
  (void)root.need_extras();
  core.root = &root;
  root.signals.store(signal::alive | signal::start, std::memory_order_seq_cst);
  if (root.mailbox.wake()) core.scheduler->schedule(root);
}

}  // namespace

std::vector<StuckActor> Core::find_stuck() const {
  std::vector<StuckActor> found;
  for (unsigned id = 0; id < scheduler->known_workers(); ++id) {
    if (!scheduler->is_inside(id)) continue;
    const Worker& worker = scheduler->worker(id);
    const auto* const cell = static_cast<const Cell*>(worker.noted_cell());
    if (cell == nullptr) continue;
    // Its worker is in the middle of its turn, and all who could take the place away have left: the names stand still.
    const auto* const message = static_cast<const std::string_view*>(worker.noted_message());
    found.push_back({cell->full_path(), message != nullptr ? *message : std::string_view("cannot be told"),
                     std::max(scheduler->now() - worker.noted_since(), Duration::zero()), worker.last_stack()});
  }
  if (found.empty()) found.push_back({"/", "unknown", {}});
  return found;
}

namespace {

/// In the order of the tree. Who only waits for its children to end has nothing to say of itself.
void tell_still_alive(const Logger& log, const Service& service, const std::string& above, std::size_t& told,
                      std::size_t most) {
  const bool is_root = above.empty();
  const std::string path = is_root ? service.name : (above == "/" ? "/" : above + "/") + service.name;
  if (!is_root && ++told <= most) {
    std::string waits;
    for (const std::string& one : service.waits) waits += (waits.empty() ? "" : "; ") + one;
    if (!service.handling.empty()) waits = "in " + service.handling + " for " + to_string(service.handling_since);
    log.at(path).error("still alive", {{"status", to_string(service.status)},
                                       {"responding", service.responding},
                                       {"waiting", service.mailbox},
                                       {"waits", waits}});
  }
  for (const Service& child : service.children) tell_still_alive(log, child, path, told, most);
}

/// Who did something of its own when the deadline passed, as "/a (sleep for 1h); /b": those that only waited for others
/// are not to blame.
void name_the_late(const Service& service, const std::string& above, std::size_t& told, std::string& text) {
  const bool is_root = above.empty();
  const std::string path = is_root ? service.name : (above == "/" ? "/" : above + "/") + service.name;
  const bool idle = service.waits.empty() && service.handling.empty() && service.mailbox == 0;
  if (!is_root && !idle && ++told <= most_late_named) {
    text += (text.empty() ? "" : "; ") + path;
    const std::string& what = !service.handling.empty() ? service.handling
                              : !service.waits.empty()  ? service.waits.front()
                                                        : std::string();
    if (!what.empty()) text += " (" + what + ")";
  }
  for (const Service& child : service.children) name_the_late(child, path, told, text);
}

/// Whether no blocking work is under way any more; what was not begun is dropped: whoever wanted it has ended. The pool tells nobody when a job ends, so this looks once in a
/// while; nearly always the first look is the last.
bool blocking_work_ends(const Core& core, Instant deadline) {
  const Clock& clock = core.environment->clock();
  core.blocking->drop_queued();
  while (core.blocking->running() != 0) {
    if (clock.now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace

}  // namespace detail

Runtime::Runtime(RuntimeOptions options) : core_(new detail::Core(std::move(options))) {
  try {
    detail::make_root(*core_);
    core_->scheduler->start();
  } catch (...) {
    // Nobody is inside, and nobody else has heard of this core.
    delete core_;
    throw;
  }
}

Runtime::~Runtime() {
  if (detail::context_for(core_) != nullptr) {
    // This thread is one of our own workers: it cannot wait for itself. All is left as it is.
    core_->logger("/").error("a Runtime was destroyed from within one of its own actors: leaked");
    return;
  }
  (void)shutdown();
  if (!core_->stuck.empty()) {
    // A thread is still inside: what it may touch is leaked, not freed under it.
    core_->blocking->abandon();
    return;
  }
  delete core_;
}

Result<> Runtime::shutdown(Duration within) {
  detail::Core& core = *core_;
  if (detail::context_for(&core) != nullptr) {
    return Error(Errc::invalid, "shutdown() waits for all actors: from within one of them it would wait for itself");
  }
  const std::lock_guard one_at_a_time(shutdown_mutex_);
  bool first = false;
  {
    const std::lock_guard lock(core.root_mutex);
    first = !std::exchange(core.shut_down, true);
  }
  if (first) stop_all(within);
  if (core.stuck.empty()) {
    if (!core.cut_short) return {};
    std::string late;
    std::size_t told = 0;
    detail::name_the_late(core.still_alive.root, "", told, late);
    if (told > detail::most_late_named) late += "; and " + std::to_string(told - detail::most_late_named) + " more";
    return Error(Errc::timeout,
                 "everything stopped, but not in order within " + to_string(within) +
                     ": these were ended where they waited: " + (late.empty() ? "what was left" : late));
  }
  std::string who;
  for (const StuckActor& stuck : core.stuck) {
    who += (who.empty() ? "" : "; ") + stuck.path + " (in " + std::string(stuck.message);
    if (stuck.since > Duration::zero()) who += " for " + to_string(stuck.since);
    who += ')';
    if (first)
      core.logger("/").error("did not give its thread back",
                             {{"actor", stuck.path}, {"message", stuck.message}, {"since", to_string(stuck.since)}});
  }
  return Error(Errc::timeout, "not everything stopped within " + to_string(within) +
                                  ": these did not give their thread back: " + who);
}

void Runtime::stop_all(Duration within) {
  detail::Core& core = *core_;
  const Clock& clock = core.environment->clock();
  const Instant deadline = clock.now() + within;
  core.root->signal_command(detail::signal::stop);
  bool ended = core.wait_for_end(deadline);
  Instant last = deadline + detail::grace_after_shutdown;
  if (!ended) {
    core.logger("/").error("shutdown deadline passed: ending what is left", {{"within", to_string(within)}});
    core.cut_short = true;
    note_still_alive(deadline + detail::grace_of_looking);
    core.root->signal_command(detail::signal::kill);
    ended = core.wait_for_end(deadline + detail::grace_of_actors);
  }
  const bool idle = ended && detail::blocking_work_ends(core, last);
  // Only then: a worker that is stuck does not keep us waiting for those who are inside on its account.
  if (ended) core.close_doors();
  // Nobody reaps the root: what was published there goes now, and those of other Runtimes who listen hear that it is over.
  if (ended) {
    if (const std::shared_ptr<detail::Board> board = core.boards.take(core.root)) board->close();
  }
  last = std::max(last, clock.now() + detail::grace_of_workers);
  if (!core.scheduler->stop_within(last - clock.now())) {
    core.stuck = core.find_stuck();
    return;
  }
  // What came from outside between the last actor's end and the closing of the doors becomes dead letters now.
  if (ended) core.scheduler->run_leftovers();
  if (!idle) core.stuck.push_back({"/", ended ? "blocking work" : "unknown", {}});
}

const std::vector<StuckActor>& Runtime::stuck() const noexcept { return core_->stuck; }
const ServiceTree& Runtime::still_alive() const noexcept { return core_->still_alive; }
bool Runtime::gave_up() const noexcept { return core_->gave_up.load(std::memory_order_relaxed); }
Events& Runtime::events() noexcept { return core_->events; }
MessageCounts Runtime::counts() const noexcept { return core_->counts(); }
const Environment& Runtime::environment() const noexcept { return *core_->environment; }
unsigned Runtime::workers() const noexcept { return core_->scheduler->workers(); }
SlabCensus Runtime::memory() const { return core_->census(); }
std::size_t Runtime::actors() const noexcept { return core_->live_cells(); }
SlabPool& Runtime::pool() noexcept { return core_->memory; }
std::pair<detail::Cell*, std::uint32_t> Runtime::start(detail::Body& body) {
  return detail::start_below_root(*core_, body);
}

Logger Runtime::log() const { return core_->logger("/"); }

bool Runtime::called_inside() const noexcept { return detail::current_cell() != nullptr; }

void Runtime::wait_until(Instant deadline, detail::OutsideAsk& ask, bool (*done)(detail::OutsideAsk&),
                         void (*block)(detail::OutsideAsk&, Duration)) {
  detail::Core& core = *core_;
  const Clock& clock = core.environment->clock();
  if (!core.scheduler->is_manual()) {
    while (!done(ask)) {
      const Duration left = deadline - clock.now();
      if (left <= Duration::zero()) return;
      block(ask, left);
    }
    return;
  }
  // Nobody else drives: this thread does, at the present instant. Time does not pass in here.
  do {
    core.scheduler->expire_timers();
    core.scheduler->run_ready(SIZE_MAX);
  } while (!done(ask) && core.blocking->run_all() > 0);
}

template <class State>
void Runtime::wait_for(State& state, Instant deadline) {
  wait_until(
      deadline, state,
      [](detail::OutsideAsk& ask) {
        auto& s = static_cast<State&>(ask);
        const std::lock_guard lock(s.mutex);
        return s.result.has_value();
      },
      [](detail::OutsideAsk& ask, Duration most) {
        auto& s = static_cast<State&>(ask);
        std::unique_lock lock(s.mutex);
        s.arrived.wait_for(lock, most, [&] { return s.result.has_value(); });
      });
}

std::optional<Down> OutsideMonitor::poll() const {
  const std::lock_guard lock(state_->mutex);
  if (!state_->result || !*state_->result) return std::nullopt;
  return state_->result->value();
}

Result<Down> OutsideMonitor::within(Duration d) const {
  if (runtime_->called_inside()) {
    return Error(Errc::invalid,
                 "a monitor from outside blocks its thread: inside an actor use cx.monitor(ref, self)");
  }
  runtime_->wait_for(*state_, runtime_->environment().clock().now() + d);
  const std::lock_guard lock(state_->mutex);
  if (!state_->result) return Error(Errc::timeout, "the monitored actor did not end within " + to_string(d));
  return *state_->result;
}

void OutsideMonitor::on_ready(MoveFunction<void()> notify) {
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->result) {
      state_->notify = std::move(notify);
      return;
    }
  }
  notify();
}

void OutsideMonitor::cancel() noexcept {
  if (record_ == nullptr) return;
  MoveFunction<void()> unused;  // destroyed without the lock
  {
    const std::lock_guard lock(state_->mutex);
    unused = std::move(state_->notify);
    // What comes from now on finds the place taken.
    if (!state_->result) state_->result.emplace(Error(Errc::cancelled));
  }
  detail::cancel_outside(std::exchange(record_, nullptr));
}

ServiceTree Runtime::service_tree(Duration within) {
  const Instant deadline = core_->environment->clock().now() + within;
  const auto state = std::make_shared<detail::OutsideAskOf<ServiceTree>>();
  const auto walk = detail::start_walk(*core_->root, detail::ReplyPort(state, deadline));
  wait_for(*state, deadline);
  return detail::gathered(*walk);
}

/// Before coroutines are destroyed and threads given up: who is left, as a tree, a line of the log each.
void Runtime::note_still_alive(Instant until) {
  detail::Core& core = *core_;
  const auto state = std::make_shared<detail::OutsideAskOf<ServiceTree>>();
  const auto walk = detail::start_walk(*core.root, detail::ReplyPort(state, until), true);
  wait_for(*state, until);
  core.still_alive = detail::gathered(*walk);
  std::size_t told = 0;
  detail::tell_still_alive(core.logger("/"), core.still_alive.root, "", told, detail::most_alive_told);
  if (told > detail::most_alive_told) {
    core.logger("/").error("still alive, and not told", {{"actors", told - detail::most_alive_told}});
  }
}

Result<Inspection> Runtime::inspect_cell(detail::Cell* cell, std::uint32_t generation, Duration within) {
  if (called_inside()) {
    return Error(Errc::invalid,
                 "runtime.inspect blocks its thread: inside an actor use co_await cx.inspect(ref).within(...)");
  }
  if (cell == nullptr) return detail::nothing_to_inspect();
  const Instant deadline = core_->environment->clock().now() + within;
  detail::OutsideAskOf<Inspection> state;
  detail::InspectSlot question;
  question.outside = &state;
  question.ask(*cell, generation);
  wait_for(state, deadline);
  question.take_back();  // afterwards nobody else touches the two
  if (state.result) return std::move(*state.result);
  return detail::seen_from_outside(cell, generation);
}

Result<Inspection> OutsideInspection::within(Duration d) && { return runtime_.inspect_cell(cell_, generation_, d); }

}  // namespace v0
}  // namespace backstage
