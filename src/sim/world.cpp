#include "backstage/sim/world.hpp"

#include <stdexcept>
#include <string>
#include <utility>

#include "director.hpp"

namespace backstage {
inline namespace v0 {
namespace sim {

Faults Faults::all() {
  Faults out;
  out.fail_every = 50;
  out.kill_every = 200;
  out.stop_every = 200;
  out.point_every = 20;
  out.late_every = 10;
  out.late_up_to = std::chrono::milliseconds(500);
  out.jump_every = 500;
  out.jump_up_to = std::chrono::hours(1);
  out.full_every = 200;
  return out;
}

World::World(std::uint64_t seed, WorldOptions options)
    : seed_(seed),
      most_turns_(options.most_turns),
      random_(split_by_name(seed, "test")),
      clock_(std::make_shared<ManualClock>()),
      log_(std::make_shared<MemorySink>(4096)) {
  RuntimeOptions runtime_options;
  runtime_options.manual = true;
  runtime_options.log_sink = log_;
  runtime_options.log_level = options.log_level;
  auto open_doors = std::move(options.open_doors);
  director_ = std::make_shared<Director>(seed, std::move(options), clock_);
  environment_ = std::make_shared<Environment>(clock_, director_);
  environment_->open<Scheduling>(director_);
  environment_->open<Rehearsal>(director_);
  environment_->open<Scarcity>(director_);
  if (open_doors) open_doors(*environment_);
  runtime_options.environment = environment_;
  runtime_ = std::make_unique<Runtime>(std::move(runtime_options));
  director_->take_over(*runtime_->core().blocking);
  run();
}

World::~World() { end(); }

std::size_t World::run() {
  backstage::detail::Core& core = runtime_->core();
  std::size_t turns = 0;
  for (;;) {
    core.scheduler->expire_timers();
    turns += core.scheduler->run_ready(most_turns_ - turns);
    if (turns >= most_turns_) {
      throw std::runtime_error("still busy after " + std::to_string(turns) +
                               " turns at one instant: an endless exchange of messages?");
    }
    if (!director_->run_a_job() && core.scheduler->next_timer() > now()) return turns;
  }
}

bool World::step() {
  backstage::detail::Core& core = runtime_->core();
  core.scheduler->expire_timers();
  return core.scheduler->run_ready(1) != 0;
}

Instant World::next_timer() { return runtime_->core().scheduler->next_timer(); }

void World::run_for(Duration d) {
  const Instant until = now() + d;
  run();
  for (;;) {
    const Instant next = next_timer();
    if (next > until) break;
    director_->time_passed(std::min(std::max(next, now()) + director_->lateness(), until));
    run();
  }
  if (now() < until) director_->time_passed(until);
  run();
}

void World::end() {
  if (std::exchange(ended_, true)) return;
  heal();
  backstage::detail::Core& core = runtime_->core();
  core.root->signal_command(backstage::detail::signal::stop);
  try {
    run();
  } catch (const std::runtime_error&) {
    // Somebody goes round and round, and at this instant no deadline passes: ended where it waits.
    core.root->signal_command(backstage::detail::signal::kill);
  }
  (void)runtime_->shutdown();
}

void World::inject(Faults faults) { director_->inject(std::move(faults)); }
void World::heal() { director_->heal(); }
std::uint64_t World::faults_injected() const noexcept { return director_->faults_injected(); }
std::uint64_t World::allocations() const noexcept { return director_->allocations(); }
void World::always(bool holds, std::string_view name) { director_->always(holds, name); }
void World::sometimes(bool happens, std::string_view name) { director_->sometimes(happens, name); }
void World::unreachable(std::string_view name) { director_->unreachable(name); }
const std::vector<std::string>& World::broken() const noexcept { return director_->broken(); }
const std::vector<std::pair<std::string, std::uint64_t>>& World::seen() const noexcept { return director_->seen(); }
std::string World::policy() const { return director_->order().text(); }
std::uint64_t World::hash() const noexcept { return director_->hash(); }
std::uint64_t World::events() const noexcept { return director_->events(); }
const std::vector<std::uint64_t>& World::trail() const noexcept { return director_->trail(); }
const Choices& World::choices() const noexcept { return director_->choices(); }
std::string World::diary() const { return director_->diary(); }

}  // namespace sim
}  // namespace v0
}  // namespace backstage
