// The watch: a thread that looks every few milliseconds whether a worker is stuck in one message, and sleeps without end
// while the scheduler is idle (F2). What it finds, in the order in which it acts (F3):
//
//   stuck (two looks)     its queue, its next-in-line and its new work go to where every worker looks, also those that are
//                         never idle; somebody parked is woken for them, and those who stand aside come back
//   all are stuck         and something waits: a spare worker is begun, up to a bound; ended when a second has passed
//                         in which fewer were stuck than there are spare ones
//   stuck for 50 ms       it hogs: told once, with the stack where signals are allowed; and once more when it is over
//
// Besides, it gives memory back that a burst left: each second what was not needed in it, and all when everybody has been
// idle for so long.
#include <algorithm>
#include <array>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include <pthread.h>

#include "backstage/exec/scheduler.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

constexpr Duration watch_period = std::chrono::milliseconds(10);
constexpr unsigned watch_patience = 100;  // idle looks before the watch sleeps without end
constexpr unsigned trim_every = 100;      // looks
constexpr unsigned spare_patience = 100;  // looks for which a spare worker is kept that is not needed
constexpr unsigned rest_tries = 16;  // looks at which giving back is tried again before it is left for the next time

}  // namespace

/// What the watch remembers from look to look.
struct Scheduler::Watching {
  std::vector<HogEpisode> episodes;
  std::vector<HogEpisode::News> news;
  std::vector<std::uint32_t> progress;
  Instant last{};
  unsigned idle_looks = 0;
  unsigned calm_looks = 0;
  unsigned looks_to_trim = trim_every;
  unsigned rests_tried = 0;
  RunQueue<Runnable> taken;  // from a stuck worker, on its way
};

bool Scheduler::looks_idle() const noexcept {
  const auto all = known();
  return inject_.empty() && overflow_.empty() && spill_.empty() &&
         std::none_of(all.begin(), all.end(), [](const auto& worker) {
           return worker->busy_.load(std::memory_order_seq_cst) || !worker->back_.empty() ||
                  !worker->queue_.empty() || !worker->slot_.empty(std::memory_order_seq_cst) ||
                  worker->fresh_.size(std::memory_order_seq_cst) != 0;
         });
}

void Scheduler::watch() {
  Watching watching;
  // All there may ever be. (What is shared below takes memory, as it does when a worker shares.)
  watching.episodes.resize(most_workers());
  watching.news.resize(most_workers());
  watching.progress.resize(most_workers());
  watching.last = now();
  bool spares = false;  // some are running
  while (!stopping_.load(std::memory_order_seq_cst)) {
    const bool idle = looks_idle();
    watching.idle_looks = idle ? watching.idle_looks + 1 : 0;
    if (!idle) watching.rests_tried = 0;
    if (watching.idle_looks >= watch_patience && !spares) {
      const bool gave_all = options_.on_rest == nullptr || options_.on_rest(options_.on_hog_context);
      pool_.trim(SlabPool::Trim::all);
      if (gave_all || ++watching.rests_tried == rest_tries) {
        watching.rests_tried = 0;
        watch_sleep_.sleep_while([this] { return looks_idle() && !stopping_.load(std::memory_order_seq_cst); });
        watching.idle_looks = 0;
      }
    }
    watch_sleep_.nap(watch_period);
    if (--watching.looks_to_trim == 0) {
      watching.looks_to_trim = trim_every;
      pool_.trim(SlabPool::Trim::unneeded);
    }
    const Instant present = now();
    const Duration since_last = present - watching.last;
    watching.last = present;
    bool help = false;
    unsigned stuck = 0;
    const auto all = known();
    for (std::size_t i = 0; i < all.size(); ++i) {
      Worker& worker = *all[i];
      // relaxed, all: two looks are compared, nothing is read through them.
      const bool busy = worker.busy_.load(std::memory_order_relaxed);
      const std::uint32_t progress = worker.progress();
      const std::uint32_t further = progress - std::exchange(watching.progress[i], progress);
      // Those who stand aside are there for short messages; it may be long before this one reads the clock.
      if (busy && further * options_.limit_until < since_last && !limit_.excludes(worker.id_)) limit_.lift();
      HogEpisode& episode = watching.episodes[i];
      watching.news[i] = episode.look(busy, progress, since_last, options_.hog);
      if (!episode.is_stuck()) continue;
      ++stuck;
      worker.stuck_.store(true, std::memory_order_seq_cst);
      worker.slot_.divert(true);
      limit_.lift();
      if (options_.on_stuck != nullptr) options_.on_stuck(options_.on_hog_context, worker);
      share_of_stuck(worker, watching.taken);
      help = help || !worker.slot_.empty() || worker.fresh_.size() != 0;  // it could not be visited
    }
    help =
        help || !inject_.empty() || !overflow_.empty() || !spill_.empty() || earliest(false) + watch_period < present;
    if (help && parking_.notify_one()) help = false;
    spares = tend_spares(watching, stuck, help);
    // Last, since somebody else's code is called: everybody else has been helped.
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (watching.news[i] != HogEpisode::News::none) tell_hog(*all[i], watching.news[i], watching.progress[i]);
    }
  }
  // What was told to have begun is told to be over, as far as it is.
  for (const auto& worker : known()) {
    if (worker->hogs() && !worker->is_busy()) tell_hog(*worker, HogEpisode::News::ended, 0);
  }
}

/// What it holds goes to where every worker looks. Whoever is idle would find it where it is; the busy would not.
void Scheduler::share_of_stuck(Worker& worker, RunQueue<Runnable>& taken) noexcept {
  // It may be the one that schedules all the time: so often does half of its queue go.
  for (int i = 0; i < 16; ++i) {
    Runnable* work = taken.steal_from(worker.back_);
    if (work == nullptr) work = taken.steal_from(worker.queue_);
    if (work == nullptr) break;
    std::array<Runnable*, RunQueue<Runnable>::capacity()> all{};
    std::size_t count = 0;
    for (; work != nullptr; work = taken.pop()) all[count++] = work;
    inject_.push_batch(std::span<Runnable* const>(all.data(), count));
  }
  if (!worker.slot_.empty()) {
    if (Runnable* const next = worker.slot_.visit()) inject_.push(next);
  }
  if (worker.fresh_.size() == 0 || !worker.gate_.visit()) return;
  std::array<Runnable*, 256> fresh{};
  const std::uint32_t count = worker.fresh_.take_oldest(fresh);
  worker.gate_.depart();
  spill_.push_batch(std::span<Runnable* const>(fresh.data(), count));
}

/// `more`: work waits, and nobody is parked who could take it. True: spare workers are running.
bool Scheduler::tend_spares(Watching& watching, unsigned stuck, bool more) noexcept {
  unsigned running = 0;
  unsigned in_service = 0;
  const auto all = known();
  for (std::size_t i = 0; i < all.size(); ++i) {
    Worker& worker = *all[i];
    // acquire: what it did in its life happened before its next one.
    const bool inside = worker.inside_.load(std::memory_order_acquire);
    if (i >= regular_ && !inside && worker.thread_.joinable()) worker.thread_.join();
    if (!inside) continue;
    ++in_service;
    if (i >= regular_) ++running;
  }
  if (more && stuck >= in_service) {
    start_spare();
    watching.calm_looks = 0;
    return true;
  }
  watching.calm_looks = stuck < running ? watching.calm_looks + 1 : 0;
  if (watching.calm_looks >= spare_patience) {
    watching.calm_looks = 0;
    unsigned keep = stuck;
    for (std::size_t i = regular_; i < all.size(); ++i) {
      if (!all[i]->inside_.load(std::memory_order_relaxed)) continue;
      if (keep > 0) {
        --keep;
      } else {
        // seq_cst: pairs with the look in park().
        all[i]->retire_.store(true, std::memory_order_seq_cst);
      }
    }
    // A permit does not say whose it is, so all are woken: once a second at most, and only then. Whoever misses it sees it
    // when its nap is over.
    (void)parking_.notify_all();
    limit_.wake_all();
  }
  return running != 0;
}

void Scheduler::start_spare() noexcept {
  for (unsigned id = regular_; id < most_workers(); ++id) {
    if (id < known_workers() && workers_[id]->inside_.load(std::memory_order_acquire)) continue;
    try {
      if (id == known_workers()) {
        workers_[id] = std::make_unique<Worker>(*this, id);
        workers_[id]->turn_.context = contexts_[id];
        // release: publishes the worker to whoever goes through known().
        known_.store(id + 1, std::memory_order_release);
      }
      Worker* const worker = workers_[id].get();
      worker->retire_.store(false, std::memory_order_relaxed);
      worker->busy_.store(true, std::memory_order_seq_cst);
      worker->inside_.store(true, std::memory_order_relaxed);
      inside_.fetch_add(1,
                        std::memory_order_relaxed);  // relaxed: stop_within() has joined this thread before it looks
      try {
        worker->thread_ = std::thread([this, worker] { work(*worker); });
        pthread_setname_np(worker->thread_.native_handle(), "backstage-spare");
      } catch (...) {
        worker->inside_.store(false, std::memory_order_relaxed);
        worker->busy_.store(false, std::memory_order_seq_cst);
        inside_.fetch_sub(1, std::memory_order_relaxed);
        throw;
      }
    } catch (...) {
      // No memory or no thread to be had: tried again at the next look, if it is needed then.
    }
    return;
  }
}

/// `progress`: the worker's, when that was found. It goes on meanwhile: then nobody is blamed for what may belong to two turns.
void Scheduler::tell_hog(Worker& worker, HogEpisode::News news, std::uint32_t progress) noexcept {
  const bool over = news == HogEpisode::News::ended;
  HogNews told;
  told.worker = worker.id_;
  told.over = over;
  if (!over) {
    if (worker.progress() != progress) return;
    told.since = worker.noted_since();
    void* const cell = worker.noted_cell();
    const void* const message = worker.noted_message();
    if (cell == nullptr) return;  // between two turns: its thread is not let run, and keeps nobody's turn
    try {
      if (options_.stacks != nullptr && worker.inside_.load(std::memory_order_acquire)) {
        told.stack = options_.stacks->capture(worker.thread_.native_handle(), worker.stack_);
      }
    } catch (...) {
      // Out of memory: told without it.
    }
    if (worker.progress() != progress) return;
    told.cell = cell;
    told.message = message;
  } else if (!worker.hogs()) {
    return;  // its beginning was not told
  }
  worker.hogs_.store(!over, std::memory_order_relaxed);
  if (options_.on_hog != nullptr) options_.on_hog(options_.on_hog_context, told);
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
