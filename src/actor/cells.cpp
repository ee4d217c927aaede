// The memory of cells: chunks of 2 MiB whose addresses are cells' for as long as the process lives, so that a Ref may be
// compared at any time. The pages behind the last cell in use of a chunk are given back; that is all of them, where none is,
// but for one in each region of four: what a Ref looks for there first.
//
// Cells are made a few at a time, where the chunk's memory is still zero: a Runtime with ten actors touches a page or two. The
// chunks after the first are each a large page, or as many small ones, whichever comes sooner.
// What is given back reads as zeros again. A zeroed cell is a vacant one: idle, empty, of generation 0, which no
// Ref names. So whoever comes with an old Ref finds that its actor is gone, and what a late answer leaves in the lane of
// such a cell is freed in a turn, as in any other vacant place. Those that are made there later have generations above all
// that ever were in the chunk.
//
// Zeroing must not meet anybody who has looked at a gate and now pushes. So it is done at a standstill: all workers are
// parked and stay so, threads from outside wait at the door (Presence), and all lists of the chunk are idle.
#include <malloc.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "core.hpp"
#include "lifecycle.hpp"
#include "side_box.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

constexpr std::size_t made_at_once = 16;
constexpr std::uint32_t least_tail = 256;  // cells, free at the end of a chunk, that pay for giving their pages back
// A cell that comes so far is not used again, nor is a chunk: no generation ever returns.
constexpr std::uint32_t last_generation = (1U << (32 - gate_bit::bits)) - 2;

/// Addresses for a region, all of them: what Runtimes leave behind lies side by side, and is one mapping to the system.
[[nodiscard]] std::byte* map_region() {
  // Twice the size, so that an aligned region lies in it; the rest is given back.
  void* const wide =
      mmap(nullptr, 2 * region_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (wide == MAP_FAILED) throw std::bad_alloc();
  const auto start = reinterpret_cast<std::uintptr_t>(wide);
  // The highest: the system places mappings from above, so that the next one ends where this begins.
  const std::uintptr_t end = start + 2 * region_bytes;
  const std::uintptr_t aligned = (end & ~(region_bytes - 1)) - region_bytes;
  if (aligned != start) munmap(wide, aligned - start);
  if (end != aligned + region_bytes) {
    munmap(reinterpret_cast<void*>(aligned + region_bytes), end - aligned - region_bytes);
  }
  return reinterpret_cast<std::byte*>(aligned);
}

}  // namespace

void Core::add_chunk() {
  chunks_.reserve(chunks_.size() + 1);
  const bool begins_region = is_first_of_region(chunks_.size());
  std::byte* const at = begins_region ? map_region() : chunks_.back().at + chunk_bytes;
  if (!chunks_.empty()) {
    if (memory.pages().prefers_large()) {
      memory.pages().take_large(at);
    } else {
      refuse_large_pages(at, chunk_bytes);
      memory.pages().take_small(at, chunk_bytes);
    }
  }
  chunks_.push_back({.at = at});
  if (!begins_region) return;
  auto* const header = ::new (static_cast<void*>(at)) RegionHeader();
  header->first_chunk = chunks_.size() - 1;
  if (presence_ == nullptr) {
    // Behind the header of the first region, whose first page survives the Runtime; apart, since visitors write there and all read the header.
    presence_ = ::new (static_cast<void*>(at + 2 * kApart)) Presence();
    static_assert(sizeof(RegionHeader) <= 2 * kApart && 2 * kApart + sizeof(Presence) <= cells_begin);
  }
  header->presence.store(presence_, std::memory_order_release);
  // release: publishes the region to whoever gets a Ref into it.
  header->core.store(this, std::memory_order_release);
}

void Core::make_cell(Chunk& chunk) noexcept {
  Cell& place = cell_at(chunk.at, chunk.cells++);
  // In a chunk that was given back old Refs may be looking at this very moment, and late answers may lie in the lane: what
  // is zero there stays as it is.
  Cell* const cell = chunk.generation == 1 ? ::new (static_cast<void*>(&place)) Cell() : &place;
  ::new (static_cast<void*>(&cell->rest())) CellRest();
  ::new (static_cast<void*>(&cell->end_notice)) EndNotice();
  (void)cell->orders.close(chunk.generation);
  // Generations start at 1: 0 is what a Ref finds after the Runtime's end. release: as any gate that opens.
  cell->gate.store(chunk.generation << gate_bit::bits, std::memory_order_release);
  free_cells_.push_back(cell);
}

void Core::make_cells() {
  const auto has_room = [](const Chunk& chunk) {
    return !chunk.leaves && chunk.cells < cells_per_chunk && chunk.generation < last_generation;
  };
  auto found = std::find_if(chunks_.rbegin(), chunks_.rend(), has_room);
  const std::size_t needed = cells_made_ + made_at_once;
  // Freeing a cell never allocates.
  if (free_cells_.capacity() < needed) free_cells_.reserve(std::max(needed, 2 * free_cells_.capacity()));
  if (found == chunks_.rend()) {
    add_chunk();
    found = chunks_.rbegin();
  }
  const std::size_t count = std::min<std::size_t>(made_at_once, cells_per_chunk - found->cells);
  const bool joins = found->torn && memory.pages().prefers_large();
  if (joins) {
    found->torn = false;
    ask_for_large_pages(found->at, chunk_bytes);
  }
  for (std::size_t i = 0; i < count; ++i) make_cell(*found);
  // It is in parts: its tail was given back.
  if (joins) rejoin_large_page(free_cells_.back());
  cells_made_ += count;
  // They are taken from the back: in the order of their addresses.
  std::reverse(free_cells_.end() - static_cast<std::ptrdiff_t>(count), free_cells_.end());
}

/// relaxed: a count. A worker is the only one that writes its own: a line that all write would go from core to core with each actor.
void Core::count_own(std::atomic<std::int64_t>* own, std::atomic<std::int64_t>& outside,
                     std::int64_t change) noexcept {
  if (own != nullptr) {
    own->store(own->load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
  } else {
    outside.fetch_add(change, std::memory_order_relaxed);
  }
}

std::size_t Core::live_cells() const noexcept {
  std::int64_t sum = outside_cells_.load(std::memory_order_relaxed);
  for (const auto& context : contexts) sum += context->cells.load(std::memory_order_relaxed);
  return static_cast<std::size_t>(std::max<std::int64_t>(sum, 0));
}

Cell& Core::new_cell() {
  WorkerContext* const context = context_for(this);
  Cell* cell = nullptr;
  if (context != nullptr && context->spare_count != 0) {
    cell = context->spare_cells[--context->spare_count];
  } else {
    const std::lock_guard lock(cells_mutex_);
    if (free_cells_.empty()) make_cells();
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
  count_own(context != nullptr ? &context->cells : nullptr, outside_cells_, 1);
  return *cell;
}

void Core::free_cell(Cell& cell) noexcept {
  WorkerContext* const context = context_for(this);
  count_own(context != nullptr ? &context->cells : nullptr, outside_cells_, -1);
  if (cell.generation() >= last_generation) [[unlikely]]
    return;
  // Never allocates: make_cells() reserved room for every cell there is.
  if (context != nullptr) {
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

// ------------------------------------------------------------------------------------------------ given back

/// Does it while no worker and no visitor does anything. False: somebody is there; it was not done.
/// Looked at twice: between the first look and the closing of the door a visitor may have scheduled something. Now nobody can
/// any more, and whoever was woken for it says that it is busy, or is about to find it.
template <class F>
bool Core::do_alone(F f) noexcept {
  if (!scheduler->hold_still()) return false;
  presence_->hold();
  const bool alone = presence_->is_empty() && scheduler->looks_idle();
  if (alone) f();
  presence_->go_on();
  scheduler->go_on();
  return alone;
}

void Core::take_spares_back() noexcept {
  const std::lock_guard lock(cells_mutex_);
  // There is room for every cell that was made.
  for (const auto& context : contexts) {
    const auto count = static_cast<std::ptrdiff_t>(std::exchange(context->spare_count, 0));
    free_cells_.insert(free_cells_.end(), context->spare_cells.begin(), context->spare_cells.begin() + count);
  }
}

/// What is free at the ends of chunks, and by that nobody's to give out any more.
std::vector<Core::Tail> Core::take_free_tails() {
  const std::lock_guard lock(cells_mutex_);
  std::vector<Tail> found;
  if (free_cells_.size() < least_tail) return found;
  std::vector<bool, MappedAllocator<bool>> is_free(chunks_.size() * cells_per_chunk);
  for (const Cell* cell : free_cells_) {
    const std::size_t index = chunk_of(cell);
    is_free[index * cells_per_chunk + static_cast<std::size_t>(cell - &cell_at(chunks_[index].at, 0))] = true;
  }
  std::vector<std::uint32_t> first_free(chunks_.size());
  found.reserve(chunks_.size());
  for (std::size_t i = 0; i < chunks_.size(); ++i) {
    std::uint32_t first = chunks_[i].cells;
    while (first > 0 && is_free[i * cells_per_chunk + first - 1]) --first;
    first = (first + cells_per_page - 1) / cells_per_page * cells_per_page;  // whole pages
    const bool pays = first == 0 || first + least_tail <= chunks_[i].cells;
    first_free[i] = pays ? first : chunks_[i].cells;
    if (first_free[i] < chunks_[i].cells) found.push_back({i, first});
  }
  std::erase_if(free_cells_, [&](const Cell* cell) {
    const std::size_t index = chunk_of(cell);
    return cell >= &cell_at(chunks_[index].at, first_free[index]);
  });
  for (const Tail& tail : found) chunks_[tail.chunk].leaves = true;
  return found;
}

namespace {

/// Whole pages. Refused where pages are locked: then they are zeroed by hand, since whoever makes cells there counts on it.
void give_pages_back(std::byte* begin, std::byte* end) noexcept {
  const auto bytes = static_cast<std::size_t>(end - begin);
  if (bytes != 0 && madvise(begin, bytes, MADV_DONTNEED) != 0) std::memset(begin, 0, bytes);
}

}  // namespace

/// Alone. False: something is on its way to one of its cells.
bool Core::zero(const Tail& tail) noexcept {
  const std::lock_guard lock(cells_mutex_);
  Chunk& chunk = chunks_[tail.chunk];
  for (std::size_t i = tail.first; i < chunk.cells; ++i) {
    const Cell& cell = cell_at(chunk.at, i);
    if (!cell.mailbox.is_idle() || !cell.lane.empty(std::memory_order_acquire) || cell.has_left_in_lane) return false;
  }
  for (std::size_t i = tail.first; i < chunk.cells; ++i) {
    Cell& cell = cell_at(chunk.at, i);
    chunk.generation = std::max(chunk.generation, cell.generation() + 1);
    delete static_cast<SideBox*>(cell.side.exchange(nullptr, std::memory_order_relaxed));
  }
  cells_made_ -= std::exchange(chunk.cells, tail.first) - tail.first;
  chunk.leaves = false;
  // The system joins large pages by itself, too, in the background, and would fill this one again around what stays.
  if (tail.chunk != 0) {
    refuse_large_pages(chunk.at, chunk_bytes);
    chunk.torn = true;
  }
  auto* const end = chunk.at + chunk_bytes;
  // The page before the first is nobody's, but in the first chunk of a region: so all of it goes, in one piece.
  if (tail.first == 0 && !is_first_of_region(tail.chunk)) {
    give_pages_back(chunk.at, end);
    return true;
  }
  auto* const rests = reinterpret_cast<std::byte*>(&cell_at(chunk.at, tail.first).rest());
  auto* const whole_page = rests + (-reinterpret_cast<std::uintptr_t>(rests) & (page_bytes - 1));
  std::memset(rests, 0, static_cast<std::size_t>(whole_page - rests));
  give_pages_back(whole_page, end);
  give_pages_back(reinterpret_cast<std::byte*>(&cell_at(chunk.at, tail.first)), chunk.at + rests_begin);
  return true;
}

void Core::keep(const Tail& tail) noexcept {
  const std::lock_guard lock(cells_mutex_);
  Chunk& chunk = chunks_[tail.chunk];
  chunk.leaves = false;
  // They are taken from the back: in the order of their addresses.
  for (std::size_t i = chunk.cells; i-- > tail.first;) free_cells_.push_back(&cell_at(chunk.at, i));
}

/// The list of the free cells itself is large after a burst.
void Core::shrink_list() {
  const std::lock_guard lock(cells_mutex_);
  if (free_cells_.capacity() <= 2 * cells_made_ + cells_per_chunk) return;
  CellList smaller;
  smaller.reserve(cells_made_);
  smaller.assign(free_cells_.begin(), free_cells_.end());
  free_cells_.swap(smaller);
}

bool Core::rest() noexcept {
  const std::lock_guard one_at_a_time(rest_mutex_);
  const bool together = do_alone([this] {
    // What each worker has put by for itself would hold whole chunks.
    take_spares_back();
    memory.flush_caches();
  });
  if (!together) return false;
  bool gave_back = false;
  bool gave_all = true;
  if_memory([&] {
    bool alone = true;
    // Chunk by chunk, so that whoever comes meanwhile waits for one of them at most.
    for (const Tail& tail : take_free_tails()) {
      bool gone = false;
      alone = alone && do_alone([&] { gone = zero(tail); });
      if (!gone) keep(tail);
      gave_back = gave_back || gone;
      gave_all = gave_all && gone;
    }
    shrink_list();
  });
#ifdef __GLIBC__
  // What a burst of actors had on the heap (lists of who is to run, what they keep aside) lies free between what is live.
  if (gave_back) malloc_trim(0);
#endif
  return gave_all;
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
