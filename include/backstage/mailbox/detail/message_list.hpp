// An intrusive queue from many senders to one owner whose tail word is also the owner's run state and the count of what
// was ever pushed.
//
// Any thread may push(), try_push() and wake(); what takes an Owned belongs to the owner, which is whoever was told to
// run it. The owner's own part stands apart, so that it can lie on a cache line that senders never touch.
//   (1) Every pushed node is taken exactly once, and nodes of one sender in the order of its pushes.
//   (2) Ownership: exactly one push() or wake() that finds the list idle returns true, and its caller must see to
//       it that the owner runs. While the list is not idle nobody else is told to run it.
//   (3) After try_idle() returned true the list was empty at that instant and the owner owns it no longer.
//   (4) A node's memory is in use until take() or try_idle() hands it back as `retired` (the push after it links
//       through it), although its payload may be destroyed as soon as it has been handled.
//   (5) try_push() never lets more than the bound wait, however many push at once. It may take a list for full that has
//       room (the limit is brought up to date only now and then; with a bound above half of `numbers` it always does):
//       depth() is exact, ask it then. So does try_push_now(), which goes by what has been taken, and so takes none for full that
//       has room; but with a bound above half of `numbers` it does when more than half of them wait.
//
// States of the tail word, and who moves it:
//
//      idle --push()/wake()--> awake / node          (the caller schedules the owner)
//      awake --push()--> node ; node --push()--> node
//      node (taken, no successor) --try_idle()--> idle ; awake --try_idle()--> idle
//
// The word: 45 bits of the node's address (48 bits, 8-aligned; 0 idle, 1 awake), then 19 bits that count the pushes. They
// make a push one compare-exchange, which sees the count as it is at that very instant: no addition beside it, and no
// bound overshot. An exchange would be a little cheaper where many push at once, but it needs a count of its own. That a node
// comes back at the same address is no harm: the word says that it is the last now, and that is all a push must know.
//
// Cost: one compare-exchange for a send, one for a turn's end. After Vyukov's MPSC queue, with the idle state folded into the
// tail as the actor runtimes of Pony and others do.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>

#include "backstage/exec/detail/atomics.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

enum class Push : std::uint8_t {
  busy,  ///< it is in; its owner runs, or will
  idle,  ///< it is in, and the caller must schedule the owner
  full,  ///< it is not in: no room, as far as the limit knows
};

/// Node: `typename Atomics::template Atomic<Node*> next;`, aligned to 8.
template <class Node, class Atomics = StdAtomics>
class MessageList {
  template <class T>
  using Atomic = typename Atomics::template Atomic<T>;

  static constexpr unsigned count_bits = 19;
  static constexpr std::uint64_t count_mask = (1U << count_bits) - 1;
  static constexpr std::uint64_t idle = 0;
  static constexpr std::uint64_t awake = 1;

 public:
  /// As bound: none.
  static constexpr std::uint32_t unlimited = INT32_MAX;
  /// Numbers of pushes are told apart as long as fewer than these lie between them.
  static constexpr std::uint32_t numbers = 1U << count_bits;

  /// How many pushes lie between number `from`, or so many taken, and the later number `to`, itself counted.
  [[nodiscard]] static constexpr std::uint32_t distance(std::uint32_t from, std::uint32_t to) noexcept {
    return (to - from) & static_cast<std::uint32_t>(count_mask);
  }

  /// The owner's part.
  struct Owned {
    Node* last = nullptr;                    // taken, not yet retired; null while the owner keeps it in mind
    Atomic<std::uint32_t> taken{0};          // the owner writes
    Atomic<std::uint32_t> bound{unlimited};  // how many may wait
  };

  MessageList() = default;
  MessageList(const MessageList&) = delete;
  MessageList& operator=(const MessageList&) = delete;

  /// Any thread, whatever the bound. True: the list was idle and the caller must schedule the owner. `position` receives
  /// the node's number, modulo `numbers` (and never 0): how many were pushed before it, and itself.
  bool push(Node* node, std::uint32_t* position = nullptr) noexcept {
    return link(node, node, 1, position, [] { return no_limit; }) == Push::idle;
  }

  /// Any thread, within the bound.
  [[nodiscard]] Push try_push(Node* node, std::uint32_t* position = nullptr) noexcept {
    return link(node, node, 1, position, [this] { return told_limit(); });
  }
  /// The same of one that nothing was ever linked to.
  [[nodiscard]] Push try_push_new(Node* node, std::uint32_t* position = nullptr) noexcept {
    assert(node->next.load(std::memory_order_relaxed) == nullptr);
    return link_ended(node, node, 1, position, [this] { return told_limit(); });
  }
  /// The same by what the owner has taken, not by what it has told of that: it reads the owner's line, and is for whoever had to wait
  /// or would be refused otherwise. Above half of what the word counts, by a look at the depth before the push.
  [[nodiscard]] Push try_push_now(Node* node, const Owned& owned, std::uint32_t* position = nullptr) noexcept {
    const std::uint32_t bound = owned.bound.load(std::memory_order_relaxed);
    if (bound > most_room && bound != unlimited && depth(owned) >= bound) return Push::full;
    // relaxed, as with what is told: a count that is older than the truth only lets fewer in, and one that is newer than the
    // word that was read makes the exchange fail, since that word is older still.
    return link(node, node, 1, position, [&owned] { return limit_of(owned) & ~by_depth; });
  }
  /// The same for `count` nodes that are linked already, from `first` to `last`: all of them or none.
  [[nodiscard]] Push try_push_chain(Node* first, Node* last, std::uint32_t count) noexcept {
    return link(first, last, count, nullptr, [this] { return told_limit(); });
  }

  /// Any thread. True: the list was idle and empty, it is now awake, and the caller must schedule the owner.
  bool wake() noexcept {
    // seq_cst: the second half of Dekker's pattern with try_idle(): whoever leaves word for the owner elsewhere
    // (lane, signals) and then calls wake() either finds it idle, or the owner finds the word after going idle.
    std::uint64_t word = tail_.load(std::memory_order_seq_cst);
    while (address(word) == idle) {
      if (tail_.compare_exchange_weak(word, pack(awake, word), std::memory_order_seq_cst)) return true;
    }
    return false;
  }

  /// Owner. The next node, or null (empty, or a sender stands between its exchange and its link).
  /// `retired` is the node taken before, whose memory the caller may now reuse, or null.
  Node* take(Owned& owned, Node*& retired) noexcept {
    Node* const last = owned.last;
    Node* const next = take_behind(last, owned);
    retired = next != nullptr ? last : nullptr;
    return next;
  }
  /// The same for an owner who knows which is `owned.last`, and retires it himself if there is a next one.
  Node* take_behind(Node* last, Owned& owned) noexcept {
    Node* const next = look_behind(last);
    if (next != nullptr) take_found(next, last, owned);
    return next;
  }
  /// In two steps: the next node, or null; it stays.
  [[nodiscard]] Node* look_behind(const Node* last) const noexcept {
    // acquire: pairs with the release in link().
    return (last == nullptr ? first_ : last->next).load(std::memory_order_acquire);
  }
  /// Takes what look_behind() has found.
  void take_found(Node* next, const Node* last, Owned& owned) noexcept {
    take_in_hand(last, owned);
    owned.last = next;
  }
  /// The same for an owner who keeps in mind what he took last, while `owned.last` is null, and says it there before he leaves the list
  /// to anybody else.
  void take_in_hand(const Node* last, Owned& owned) noexcept {
    // relaxed: only a push that finds the list empty writes it again, and it synchronises through tail_.
    if (last == nullptr) first_.store(nullptr, std::memory_order_relaxed);
    // relaxed: read as a hint by senders, and exactly by the first sender after an idle spell through tail_.
    const std::uint32_t taken = owned.taken.load(std::memory_order_relaxed) + 1;
    owned.taken.store(taken, std::memory_order_relaxed);
    // Now and then only: the senders read it with each message, and each store takes the line away from them.
    if (taken % news_every == 0) tell_limit(owned);
  }

  /// Owner. Gives the ownership up if nothing is queued. False: something is, or is just being pushed.
  bool try_idle(Owned& owned, Node*& retired) noexcept {
    Node* const last = owned.last;
    // relaxed: a look before the costly exchange, which decides.
    const bool gave_up =
        tail_.load(std::memory_order_relaxed) == ended_by(last, owned.taken.load(std::memory_order_relaxed)) &&
        try_idle_behind(last, owned);
    retired = gave_up ? last : nullptr;
    return gave_up;
  }
  /// The same for an owner who knows which is `owned.last`, retires it himself, and does not look again and again: without the look.
  bool try_idle_behind(Node* last, Owned& owned) noexcept {
    // Cleared first: after the exchange another thread may own the list already.
    owned.last = nullptr;
    if (try_idle_in_hand(last, owned)) return true;
    owned.last = last;
    return false;
  }
  /// The same behind take_in_hand().
  bool try_idle_in_hand(Node* last, Owned& owned) noexcept {
    assert(owned.last == nullptr);
    // Of much room take() has told nearly all.
    if (owned.bound.load(std::memory_order_relaxed) < 16 * news_every) tell_limit(owned);
    const std::uint32_t taken = owned.taken.load(std::memory_order_relaxed);
    std::uint64_t expected = ended_by(last, taken);
    // seq_cst: first half of Dekker's pattern with wake(); its release part publishes the owner's state to the next owner.
    return tail_.compare_exchange_strong(expected, pack(idle, taken), std::memory_order_seq_cst);
  }

  /// Whoever decides about the place; a running owner brings the limit up to date by itself. Who sends meanwhile goes by
  /// the one bound or the other.
  void set_bound(Owned& owned, std::uint32_t bound) noexcept {
    owned.bound.store(bound, std::memory_order_relaxed);
    tell_limit(owned);
  }

  /// Any thread: whether `count` more would go in now, as far as the limit knows.
  [[nodiscard]] bool has_room(std::uint32_t count) const noexcept {
    // relaxed: a hint.
    const std::uint32_t limit = limit_.load(std::memory_order_relaxed);
    const auto room = static_cast<std::uint32_t>((limit - tail_.load(std::memory_order_relaxed)) & count_mask);
    return (limit & no_limit) != 0 || ((limit & by_depth) == 0 && room - count <= most_room - count);
  }
  /// Any thread: about how many nodes wait. Exact for the owner when nobody pushes.
  [[nodiscard]] std::uint32_t depth(const Owned& owned) const noexcept {
    // relaxed: a hint; a stale pair may look negative. Wraps are counted a moment after the word wraps.
    const auto word = static_cast<std::uint32_t>(tail_.load(std::memory_order_relaxed) & count_mask);
    const std::uint32_t pushed = (wraps_.load(std::memory_order_relaxed) << count_bits) + word;
    auto waiting = static_cast<std::int32_t>(pushed - owned.taken.load(std::memory_order_relaxed));
    if (waiting < -static_cast<std::int32_t>(numbers / 2)) waiting += static_cast<std::int32_t>(numbers);
    return waiting < 0 ? 0 : static_cast<std::uint32_t>(waiting);
  }
  /// Any thread: whether nothing waits. Exact for the owner: also what is just being pushed counts.
  [[nodiscard]] bool empty(const Owned& owned) const noexcept {
    return ((tail_.load(std::memory_order_relaxed) ^ owned.taken.load(std::memory_order_relaxed)) & count_mask) == 0;
  }
  [[nodiscard]] bool is_idle() const noexcept { return address(tail_.load(std::memory_order_seq_cst)) == idle; }

 private:
  static constexpr std::uint32_t news_every = 64;
  static constexpr std::uint32_t most_room = numbers / 2;
  static constexpr std::uint32_t no_limit = 1U << 31U;
  static constexpr std::uint32_t by_depth = 1U << 30U;  // a bound that the word cannot tell: ask depth()

  static std::uint64_t pack(const Node* node, std::uint64_t count) noexcept {
    const auto bits = reinterpret_cast<std::uintptr_t>(node);
    assert(bits % 8 == 0 && bits >> 48U == 0 && "a node's address fits into the tail word");
    return bits << (count_bits - 3) | (count & count_mask);
  }
  /// The tail when nothing was pushed behind what has been taken.
  static std::uint64_t ended_by(const Node* last, std::uint32_t taken) noexcept {
    return last != nullptr ? pack(last, taken) : pack(awake, taken);
  }
  static std::uint64_t address(std::uint64_t word) noexcept { return word >> count_bits; }
  static std::uint64_t pack(std::uint64_t address, std::uint64_t count) noexcept {
    return address << count_bits | (count & count_mask);
  }

  /// The number of the push that finds it full, by what has been taken.
  [[nodiscard]] static std::uint32_t limit_of(const Owned& owned) noexcept {
    const std::uint32_t bound = owned.bound.load(std::memory_order_relaxed);
    const std::uint32_t until = owned.taken.load(std::memory_order_relaxed) + std::min(bound, most_room);
    return (until & static_cast<std::uint32_t>(count_mask)) | (bound == unlimited  ? no_limit
                                                               : bound > most_room ? by_depth
                                                                                   : 0);
  }
  void tell_limit(const Owned& owned) noexcept {
    // relaxed: a count. One that is older than the truth only lets fewer in: what was taken is never given back.
    limit_.store(limit_of(owned), std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint32_t told_limit() const noexcept { return limit_.load(std::memory_order_relaxed); }

  /// The same value, in a register of its own. What follows an exchange that has succeeded goes by what was read before it, and not, as the
  /// compiler would have it, by what the exchange returned: a branch that was foretold wrongly shows without waiting for the lock.
  static std::uint64_t read_before(std::uint64_t word) noexcept {
    asm("" : "+r"(word));
    return word;
  }

  template <class LimitNow>
  Push link(Node* first, Node* last, std::uint32_t count, std::uint32_t* position, LimitNow limit_now) noexcept {
    // relaxed, as the links before it: published by the exchange and by whoever links `first`, in link_ended().
    last->next.store(nullptr, std::memory_order_relaxed);
    return link_ended(first, last, count, position, limit_now);
  }

  template <class LimitNow>
  Push link_ended(Node* first, Node* last, std::uint32_t count, std::uint32_t* position,
                  LimitNow limit_now) noexcept {
    // relaxed: a guess, confirmed by the exchange.
    std::uint64_t before = tail_.load(std::memory_order_relaxed);
    std::uint64_t after = 0;
    std::uint64_t found = 0;  // what the exchange has found, but known before
    do {
      found = read_before(before);
      const std::uint32_t limit = limit_now();
      // The room left, modulo: too little, or more than a bound can be (which is less than none).
      const auto room = static_cast<std::uint32_t>((limit - before) & count_mask);
      if ((limit & no_limit) == 0 && (room - count > most_room - count || (limit & by_depth) != 0)) [[unlikely]]
        return Push::full;
      after = pack(last, before + count);
      // acq_rel: release publishes the payload to whoever links behind us; acquire orders us behind the owner's going
      // idle. The owner itself gets the payload through next or first_.
    } while (!tail_.compare_exchange_weak(before, after, std::memory_order_acq_rel, std::memory_order_relaxed));
    // The count began anew in between. relaxed: for depth() only.
    if ((after & count_mask) < count) wraps_.fetch_add(1, std::memory_order_relaxed);
    if (position != nullptr) *position = static_cast<std::uint32_t>(after & count_mask) | numbers;
    // release, here and below: publishes the payload; pairs with the acquire in look_behind().
    if (found <= count_mask) {  // its address is `idle`
      first_.store(first, std::memory_order_release);
      return Push::idle;
    }
    if (address(found) == awake) {
      first_.store(first, std::memory_order_release);
      return Push::busy;
    }
    // The predecessor lives until its successor is linked (promise 4).
    reinterpret_cast<Node*>(address(found) << 3U)->next.store(first, std::memory_order_release);
    return Push::busy;
  }

  Atomic<std::uint64_t> tail_{idle};       // written by everybody
  Atomic<Node*> first_{nullptr};           // written by the push that found the list empty, cleared by the owner
  Atomic<std::uint32_t> limit_{no_limit};  // the owner writes: the number of the push that finds it full
  Atomic<std::uint32_t> wraps_{0};         // of the count in the tail
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
