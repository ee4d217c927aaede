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

[[nodiscard]] SchedulerOptions scheduler_options(const RuntimeOptions& options, Core& core) {
  SchedulerOptions out;
  out.spare_threads = options.spare_workers;
  out.hog.after = options.hog_after;
  out.stacks = options.stacks.get();
  out.on_hog = [](void* told, const HogNews& news) noexcept { static_cast<Core*>(told)->hear_hog(news); };
  out.on_hog_context = &core;
  out.on_stuck = [](void* told, Worker& worker) noexcept {
    auto& context = *static_cast<WorkerContext*>(worker.turn().context);
    empty_outbox_of_stuck(*static_cast<Core*>(told), context, worker);
    give_room_of_stuck(*static_cast<Core*>(told), context);
  };
  out.on_rest = [](void* rested) noexcept { return static_cast<Core*>(rested)->rest(); };
  out.threads = options.manual ? 0 : (options.workers != 0 ? options.workers : default_workers());
  return out;
}

[[nodiscard]] SlabOptions memory_options(const Environment& environment) {
  SlabOptions out;
  if (environment.has<Scarcity>()) out.scarcity = &environment.door<Scarcity>();
  if (environment.has<FreshPages>()) out.pages = &environment.door<FreshPages>();
  return out;
}

/// What late senders still left in a place, of which nobody is told any more. No worker runs.
void drop_leftovers(Cell& cell) noexcept {
  while (LaneItem* const item = cell.look_into_lane()) {
    cell.leave_in_lane(item->lane_next);
    run_item(*item, nullptr);
  }
  Envelope* retired = nullptr;
  while (Envelope* const envelope = cell.mailbox.take(cell.queue, retired)) {
    envelope->descriptor().abandon(*envelope, Errc::gone);  // its memory goes with the pool
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
    WorkerContext& context = *contexts.back();
    context.core = this;
    scheduler->set_context(id, &context);
    // A spare worker's are noted when it runs something.
    if (id < scheduler->known_workers()) context.note(scheduler->worker(id));
  }
  blocking = std::make_unique<BlockingPool>(options.manual ? 0 : options.blocking_threads, options.blocking_queue);
}

Core::~Core() {
  for_each_cell([](Cell& cell) { drop_leftovers(cell); });
  // Cells own what was left in them (only after an unclean end is there anything).
  for_each_cell([this](Cell& cell) {
    delete side_if_any(cell);
    delete cell.extras;
    // The root's: nobody above it could take it back.
    if (cell.body != nullptr) cell.body->ops->release(*cell.body, memory);
    cell.~Cell();
  });
  // The addresses stay reserved for good, so that a Ref that lives on reads zeros (no core, generation 0) and not
  // somebody else's memory. Only the page with the Presence keeps its memory: one page a Runtime.
  for (std::size_t i = 0; i < chunks_.size(); ++i) {
    const Chunk& chunk = chunks_[i];
    if (is_first_of_region(i)) {
      reinterpret_cast<RegionHeader*>(chunk.at)->core.store(nullptr, std::memory_order_seq_cst);
    }
    if (i == 0) {
      madvise(chunk.at + page_bytes, chunk_bytes - page_bytes, MADV_DONTNEED);
    } else {
      // Mapped anew, which does away with the advice on large pages: neighbours are one mapping to the system then.
      void* const anew = mmap(chunk.at, chunk_bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
      if (anew == MAP_FAILED) madvise(chunk.at, chunk_bytes, MADV_DONTNEED);
    }
  }
}

// ----------------------------------------------------------------------------------------------- failures

std::unique_ptr<Extras> Core::make_extras() {
  std::unique_ptr<Extras> fresh(new (memory) Extras());
  WorkerContext* const context = context_for(this);
  count_own(context != nullptr ? &context->extras : nullptr, outside_extras_, 1);
  return fresh;
}

void Core::free_extras(Extras* extras) noexcept {
  delete extras;
  WorkerContext* const context = context_for(this);
  count_own(context != nullptr ? &context->extras : nullptr, outside_extras_, -1);
}

/// But for what an actor has with its first child, timer or coroutine and keeps: whether memory is back is asked of the rest.
SlabCensus Core::census() const {
  SlabCensus all = memory.census();
  constexpr std::size_t bytes = sizeof(Extras) + sizeof(FrameHeader);
  static_assert(bytes <= slab_detail::max_pooled);
  SlabCensus::Class& its = all.classes[slab_detail::class_of(bytes)];
  std::int64_t count = outside_extras_.load(std::memory_order_relaxed);
  for (const auto& context : contexts) count += context->extras.load(std::memory_order_relaxed);
  its.live -= count;
  all.live_blocks -= count;
  all.live_bytes -= count * static_cast<std::int64_t>(its.block_bytes);
  return all;
}

Extras* Core::new_extras() {
  try {
    Extras* const fresh = make_extras().release();
    // relaxed: a hint; who misses it leaves the filling up to the next one.
    if (spares_used_.load(std::memory_order_relaxed)) {
      if_memory([this] {
        const std::lock_guard lock(spares_mutex_);
        for (std::unique_ptr<Extras>& spare : spare_extras_) {
          if (spare == nullptr) spare = make_extras();
        }
        spares_used_.store(false, std::memory_order_relaxed);
      });
    }
    return fresh;
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

void Cell::set_failure(const Failure* failure) noexcept { rest().failure = core().number_of(failure); }

std::string Cell::full_path() const {
  if (parent() == nullptr) {
    const std::string_view root_name = name();
    return root_name.empty() ? "/" : "/" + std::string(root_name);
  }
  std::string above = parent()->full_path();
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
  if (body == nullptr) return "?";  // nobody's place, which a late dead letter may still name
  return name().empty() && parent() != nullptr ? '#' + std::to_string(body->number()) : std::string(name());
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
