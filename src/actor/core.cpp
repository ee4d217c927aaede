#include "core.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <string>
#include <thread>
#include <utility>

#include <unistd.h>

#include "backstage/exec/workers.hpp"
#include "side_box.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

constexpr std::size_t page_bytes = 4096;
constexpr std::size_t cells_per_chunk = (chunk_bytes - cells_begin) / sizeof(Cell);

[[nodiscard]] SchedulerOptions scheduler_options(const RuntimeOptions& options, Core& core) {
  SchedulerOptions out;
  out.spare_threads = options.spare_workers;
  out.hog.after = options.hog_after;
  out.stacks = options.stacks.get();
  out.on_hog = [](void* told, const HogNews& news) noexcept { static_cast<Core*>(told)->hear_hog(news); };
  out.on_hog_context = &core;
  out.threads = options.manual ? 0 : (options.workers != 0 ? options.workers : default_workers());
  return out;
}

[[nodiscard]] SlabOptions memory_options(const Environment& environment) {
  SlabOptions out;
  if (environment.has<Scarcity>()) out.scarcity = &environment.door<Scarcity>();
  return out;
}

/// What late senders still left in a place, of which nobody is told any more. No worker runs.
void drop_leftovers(Cell& cell) noexcept {
  for (LaneNode* node = cell.lane_rest != nullptr ? cell.lane_rest : cell.lane.take_all(); node != nullptr;) {
    LaneNode* const next = node->lane_next;
    node->run(*node, nullptr);
    node = next != nullptr ? next : cell.lane.take_all();
  }
  cell.lane_rest = nullptr;
  Envelope* retired = nullptr;
  while (Envelope* const envelope = cell.mailbox.take(cell.queue, retired)) {
    envelope->descriptor->abandon(*envelope, Errc::gone);  // its memory goes with the pool
  }
}

}  // namespace

Core::Core(RuntimeOptions given)
    : options(std::move(given)),
      environment(options.environment ? options.environment : real_environment()),
      sink(options.log_sink ? options.log_sink : std::make_shared<DescriptorSink>(STDERR_FILENO)),
      memory(memory_options(*environment)) {
  pool = &memory;
  outside = &outside_counters;
  for (Failure& failure : failures_) {
    failure.next_free = free_failure_;
    free_failure_ = &failure;
  }
  std::strcpy(lost_failure_.type, "unknown");
  std::strcpy(lost_failure_.text, "too many failures at once: this one's text was not kept");
  scheduler_owner =
      std::make_unique<Scheduler>(*environment, memory, scheduler_options(options, *this), &RunLoop::run);
  scheduler = scheduler_owner.get();
  hog_places_.resize(scheduler->most_workers());
  for (unsigned id = 0; id < scheduler->most_workers(); ++id) {
    contexts.push_back(std::make_unique<WorkerContext>());
    contexts.back()->core = this;
    scheduler->set_context(id, contexts.back().get());
  }
  blocking = std::make_unique<BlockingPool>(options.manual ? 0 : options.blocking_threads, options.blocking_queue);
}

Core::~Core() {
  for (std::byte* chunk : chunks_) {
    for (std::size_t i = 0; i < cells_per_chunk; ++i) {
      drop_leftovers(*reinterpret_cast<Cell*>(chunk + cells_begin + i * sizeof(Cell)));
    }
  }
  // Cells own what was left in them (only after an unclean end is there anything).
  for (std::byte* chunk : chunks_) {
    for (std::size_t i = 0; i < cells_per_chunk; ++i) {
      auto* const cell = reinterpret_cast<Cell*>(chunk + cells_begin + i * sizeof(Cell));
      delete cell->side.load(std::memory_order_relaxed);
      delete cell->extras;
      // The root's: nobody above it could take it back.
      if (cell->body != nullptr) cell->body->ops->release(*cell->body, memory);
      cell->~Cell();
    }
  }
  // The addresses stay reserved for good, so that a Ref that lives on reads zeros (no core, generation 0) and not
  // somebody else's memory. Only the page with the Presence keeps its memory: one page a Runtime.
  for (std::byte* chunk : chunks_) {
    const bool first = chunk == chunks_.front();
    auto& header = *reinterpret_cast<ChunkHeader*>(chunk);
    header.core.store(nullptr, std::memory_order_seq_cst);
    const std::size_t keep = first ? page_bytes : 0;
    if (first) std::memset(chunk + cells_begin, 0, page_bytes - cells_begin);
    madvise(chunk + keep, chunk_bytes - keep, MADV_DONTNEED);
  }
}

// -------------------------------------------------------------------------------------------------- cells

void Core::add_chunk() {
  // Twice the size, so that an aligned chunk lies in it; the rest is given back.
  void* const wide =
      mmap(nullptr, 2 * chunk_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (wide == MAP_FAILED) throw std::bad_alloc();
  const auto start = reinterpret_cast<std::uintptr_t>(wide);
  const std::uintptr_t aligned = (start + chunk_bytes - 1) & ~(chunk_bytes - 1);
  if (aligned != start) munmap(wide, aligned - start);
  munmap(reinterpret_cast<void*>(aligned + chunk_bytes), start + chunk_bytes - aligned);

  auto* const chunk = reinterpret_cast<std::byte*>(aligned);
  chunks_.push_back(chunk);
  auto* const header = ::new (static_cast<void*>(chunk)) ChunkHeader();
  if (presence_ == nullptr) {
    // Behind the header of the first chunk, whose first page survives the Runtime.
    presence_ = ::new (static_cast<void*>(chunk + sizeof(ChunkHeader))) Presence();
    static_assert(sizeof(ChunkHeader) + sizeof(Presence) <= cells_begin);
  }
  free_cells_.reserve(chunks_.size() * cells_per_chunk);
  for (std::size_t i = cells_per_chunk; i-- > 0;) {
    std::byte* const place = chunk + cells_begin + i * sizeof(Cell);
    auto* const cell = ::new (static_cast<void*>(place)) Cell();
    // Generations start at 1: 0 is what a Ref finds after the Runtime's end.
    cell->gate.store(1U << gate_bit::bits, std::memory_order_relaxed);
    (void)cell->orders.close(1);
    free_cells_.push_back(cell);
  }
  header->presence.store(presence_, std::memory_order_release);
  // release: publishes the chunk to whoever gets a Ref into it.
  header->core.store(this, std::memory_order_release);
}

Cell& Core::new_cell() {
  WorkerContext* const context = context_for(this);
  Cell* cell = nullptr;
  if (context != nullptr && context->spare_count != 0) {
    cell = context->spare_cells[--context->spare_count];
  } else {
    const std::lock_guard lock(cells_mutex_);
    if (free_cells_.empty()) add_chunk();
    cell = free_cells_.back();
    free_cells_.pop_back();
    if (context != nullptr) {
      const std::size_t more = std::min(free_cells_.size(), context->spare_cells.size() / 2);
      // From the back, so that they are handed out in the order of their addresses.
      std::copy(free_cells_.end() - static_cast<std::ptrdiff_t>(more), free_cells_.end(),
                context->spare_cells.begin());
      free_cells_.resize(free_cells_.size() - more);
      context->spare_count = static_cast<std::uint32_t>(more);
    }
  }
  live_cells_.fetch_add(1, std::memory_order_relaxed);
  return *cell;
}

void Core::free_cell(Cell& cell) noexcept {
  live_cells_.fetch_sub(1, std::memory_order_relaxed);
  // Never allocates: add_chunk() reserved room for every cell there is.
  if (WorkerContext* const context = context_for(this)) {
    auto& spare = context->spare_cells;
    if (context->spare_count == spare.size()) {
      const std::lock_guard lock(cells_mutex_);
      const auto half = static_cast<std::ptrdiff_t>(spare.size() / 2);
      free_cells_.insert(free_cells_.end(), spare.begin(), spare.begin() + half);
      std::copy(spare.begin() + half, spare.end(), spare.begin());
      context->spare_count -= static_cast<std::uint32_t>(half);
    }
    spare[context->spare_count++] = &cell;
    return;
  }
  const std::lock_guard lock(cells_mutex_);
  free_cells_.push_back(&cell);
}

// ----------------------------------------------------------------------------------------------- failures

Extras* Core::new_extras() {
  try {
    auto fresh = std::make_unique<Extras>();
    // relaxed: a hint; who misses it leaves the filling up to the next one.
    if (spares_used_.load(std::memory_order_relaxed)) {
      const std::lock_guard lock(spares_mutex_);
      for (std::unique_ptr<Extras>& spare : spare_extras_) {
        if (spare == nullptr) spare = std::make_unique<Extras>();
      }
      spares_used_.store(false, std::memory_order_relaxed);
    }
    return fresh.release();
  } catch (const std::bad_alloc&) {
    const std::lock_guard lock(spares_mutex_);
    spares_used_.store(true, std::memory_order_relaxed);
    for (std::unique_ptr<Extras>& spare : spare_extras_) {
      if (spare != nullptr) return spare.release();
    }
    throw;
  }
}

Failure& Core::take_failure() noexcept {
  const std::lock_guard lock(failures_mutex_);
  if (free_failure_ == nullptr) return lost_failure_;
  Failure& failure = *free_failure_;
  free_failure_ = failure.next_free;
  failure.next_free = nullptr;
  failure.stage = Failure::Stage::handler;
  failure.need = Need::Kind::fail;
  failure.code = Errc::failed;
  failure.restart_after = Duration::zero();
  failure.message = {};
  failure.type[0] = '\0';
  failure.text[0] = '\0';
  failure.causes[0] = '\0';
  return failure;
}

void Core::give_back(Failure& failure) noexcept {
  if (&failure == &lost_failure_) return;
  failure.origin = Error(Errc::failed);
  failure.has_origin = false;
  const std::lock_guard lock(failures_mutex_);
  failure.next_free = free_failure_;
  free_failure_ = &failure;
}

// ------------------------------------------------------------------------------------- counting and telling

void Core::count(WorkerContext* context, Undelivered why) noexcept {
  const auto kind = static_cast<std::size_t>(why);
  if (context != nullptr) {
    MessageCounters::bump(context->counters.undelivered[kind]);
  } else {
    outside_counters.undelivered[kind].fetch_add(1, std::memory_order_relaxed);
  }
}

void Core::count_handled(WorkerContext* context) noexcept {
  if (context != nullptr) {
    MessageCounters::bump(context->counters.handled);
  } else {
    outside_counters.handled.fetch_add(1, std::memory_order_relaxed);
  }
}

MessageCounts Core::counts() const noexcept {
  MessageCounts sum;
  outside_counters.add_to(sum);
  for (const auto& context : contexts) context->counters.add_to(sum);
  return sum;
}

Logger Core::logger(std::string_view where) const noexcept {
  const LogTime time{&environment->clock(),
                     [](const void* clock) noexcept { return static_cast<const Clock*>(clock)->wall(); }};
  return Logger(sink.get(), time, options.log_level, where);
}

void Core::report_dead_letter(Undelivered why, const MessageDescriptor& descriptor, std::string path) noexcept {
  if (descriptor.kind == SendKind::system) {
    // The end of a child, for a parent that is ending itself: nobody's mistake, so it is not logged.
    if_memory([&] {
      if (events.wanted()) events.emit(DeadLetter{why, descriptor.message, descriptor.actor, std::move(path)});
    });
    return;
  }
  // Sampled: the first eight, then each power of two. A storm must not become a storm of log lines.
  const std::uint64_t n = dead_letters_logged.fetch_add(1, std::memory_order_relaxed) + 1;
  if (n <= 8 || (n & (n - 1)) == 0) {
    logger("/").warn("dead letter", {{"why", to_string(why)},
                                     {"message", descriptor.message},
                                     {"to", path.empty() ? descriptor.actor : std::string_view(path)},
                                     {"count", n}});
  }
  if_memory([&] {
    if (events.wanted()) events.emit(DeadLetter{why, descriptor.message, descriptor.actor, std::move(path)});
  });
}

// -------------------------------------------------------------------------------------------------- the end

void Core::root_stopped() noexcept {
  const std::lock_guard lock(root_mutex);
  root_ended = true;
  ended.notify_all();
}

bool Core::wait_for_end(Instant deadline) {
  if (scheduler->is_manual()) {
    for (;;) {
      scheduler->expire_timers();
      scheduler->run_ready(SIZE_MAX);
      if (blocking->run_all() > 0) continue;
      const std::lock_guard lock(root_mutex);
      return root_ended;
    }
  }
  std::unique_lock lock(root_mutex);
  while (!root_ended) {
    const Duration left = deadline - environment->clock().now();
    if (left <= Duration::zero()) return false;
    ended.wait_for(lock, left);
  }
  return true;
}

void Core::stop_workers() noexcept { scheduler->stop(); }

void Core::close_doors() noexcept {
  if (presence_ == nullptr) return;
  presence_->close();
  // Whoever is inside is in the middle of one send: it leaves within instructions, not within a wait.
  while (!presence_->is_empty()) std::this_thread::yield();
}

Core& Cell::core() const noexcept { return Core::of(*chunk_of(this).core.load(std::memory_order_relaxed)); }

Extras& Cell::need_extras() {
  if (extras == nullptr) {
    extras = core().new_extras();
    extras->await_clock.owner = this;
    extras->restart_timer.owner = this;
    extras->stop_timer.owner = this;
    extras->life_timer.owner = this;
    extras->verdict_clock.child = this;
  }
  return *extras;
}

std::string Cell::full_path() const {
  if (parent == nullptr) {
    const std::string_view root_name = name();
    return root_name.empty() ? "/" : "/" + std::string(root_name);
  }
  std::string above = parent->full_path();
  if (above.back() != '/') above += '/';
  return above + step();
}

std::string path_if_memory(const Cell& cell) noexcept {
  try {
    return cell.full_path();
  } catch (...) {
    return {};
  }
}

std::string name_if_memory(const Cell& child) noexcept {
  try {
    return child.step();
  } catch (...) {
    return {};
  }
}

std::string Cell::step() const {
  return name().empty() && parent != nullptr ? '#' + std::to_string(unnamed_number) : std::string(name());
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
