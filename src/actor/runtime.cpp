#include "backstage/actor/runtime.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "core.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

Cell& start_below_root(Core& core, Body& body);

namespace {

/// The root of every runtime: it supervises what the program starts, and does nothing else.
struct Guardian {};

constexpr Duration grace_after_shutdown = std::chrono::seconds(1);

void make_root(Core& core) {
  Cell& root = core.new_cell();
  root.body = make_body<Guardian>(core.memory, core.options.name, std::tuple<>(), &default_policy);
  root.parent = nullptr;
  root.bound = Mailbox::no_limit;
  root.phase = Phase::starting;
  (void)root.need_extras();
  core.root = &root;
  root.signals.store(signal::alive | signal::start, std::memory_order_seq_cst);
  if (root.mailbox.wake()) core.scheduler->schedule(root);
}

}  // namespace

std::vector<StuckActor> Core::find_stuck() const {
  std::vector<StuckActor> found;
  for (unsigned id = 0; id < scheduler->workers(); ++id) {
    const Worker& worker = scheduler->worker(id);
    const auto* const cell = static_cast<const Cell*>(worker.noted_cell());
    if (cell == nullptr) continue;
    // Its worker is in the middle of its turn, so the cell and its names stand still.
    const auto* const message = static_cast<const std::string_view*>(worker.noted_message());
    found.push_back({cell->full_path(), message != nullptr ? *message : std::string_view()});
  }
  return found;
}

}  // namespace detail

Runtime::Runtime(RuntimeOptions options) : core_(new detail::Core(std::move(options))) {
  detail::make_root(*core_);
  core_->scheduler->start();
}

Runtime::~Runtime() {
  (void)shutdown();
  if (!core_->stuck.empty() || core_->blocking->running() != 0) {
    // A thread is still inside: what it may touch is leaked, not freed under it.
    core_->blocking->abandon();
    return;
  }
  delete core_;
}

Result<> Runtime::shutdown(Duration within) {
  detail::Core& core = *core_;
  bool first = false;
  {
    const std::lock_guard lock(core.root_mutex);
    first = !std::exchange(core.shut_down, true);
  }
  if (first) {
    const Clock& clock = core.environment->clock();
    core.root->signal_command(detail::signal::stop);
    if (!core.wait_for_end(clock.now() + within)) {
      core.logger("/").error("shutdown deadline passed: ending what is left", {{"within", to_string(within)}});
      core.root->signal_command(detail::signal::kill);
      if (!core.wait_for_end(clock.now() + detail::grace_after_shutdown)) {
        core.stuck = core.find_stuck();
        if (core.stuck.empty()) core.stuck.push_back({"/", "unknown"});
      }
    }
    if (core.stuck.empty()) {
      core.close_doors();
      core.stop_workers();
    } else {
      core.scheduler->abandon();
    }
  }
  if (core.stuck.empty()) return {};
  std::string who;
  for (const StuckActor& stuck : core.stuck) {
    who += (who.empty() ? "" : "; ") + stuck.path + " (in " + std::string(stuck.message) + ")";
    if (first) core.logger("/").error("did not give its thread back", {{"actor", stuck.path}, {"message", stuck.message}});
  }
  return Error(Errc::timeout, "not everything stopped within " + to_string(within) +
                                  ": these did not give their thread back: " + who);
}

const std::vector<StuckActor>& Runtime::stuck() const noexcept { return core_->stuck; }
bool Runtime::gave_up() const noexcept { return core_->gave_up.load(std::memory_order_relaxed); }
Events& Runtime::events() noexcept { return core_->events; }
MessageCounts Runtime::counts() const noexcept { return core_->counts(); }
const Environment& Runtime::environment() const noexcept { return *core_->environment; }
unsigned Runtime::workers() const noexcept { return core_->scheduler->workers(); }
SlabCensus Runtime::memory() const { return core_->memory.census(); }
std::size_t Runtime::actors() const noexcept { return core_->live_cells(); }
SlabPool& Runtime::pool() noexcept { return core_->memory; }
detail::Cell& Runtime::start(detail::Body& body) { return detail::start_below_root(*core_, body); }

Logger Runtime::log(std::string where) const {
  return core_->logger(where.empty() ? std::string_view("/") : std::string_view("/"));
}

bool Runtime::called_inside() const noexcept {
  return detail::this_turn != nullptr && detail::this_turn->cell != nullptr;
}

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

ServiceTree Runtime::service_tree(Duration within) {
  using State = detail::OutsideAskOf<ServiceTree>;
  const Clock& clock = core_->environment->clock();
  const Instant deadline = clock.now() + within;
  auto state = std::make_shared<State>();
  auto walk = detail::start_walk(*core_->root, detail::ReplyPort(state, deadline));
  wait_until(
      deadline, *state,
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
  return detail::gathered(*walk);
}

}  // namespace v0
}  // namespace backstage
