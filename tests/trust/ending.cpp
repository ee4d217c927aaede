// L4 to the nanosecond: a tree of actors that chatter, wait and hang is told to stop, as a whole or in part, after any event.
//
// A book of what each actor did says afterwards when each of them had to be gone: its own part ends when its last handler
// did, or stop_within after the order if one never did; then its children, the youngest first; then terminating, which is
// cut off after its second of grace. Without failures the instants must be equal; with them the deadlines must hold.
// Some have guests, who go by themselves, in the very instant of the order, too: word of that comes from the runtime to one
// that had nothing left to do, and may keep it for ever.
#include <algorithm>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

#include "../src/actor/core.hpp"
#include "scenario.hpp"

namespace trust {
namespace {

constexpr Duration grace = 1s;
constexpr Duration for_ever = std::chrono::hours(10'000);

struct Plan {
  std::string path;
  std::string name;
  int parent = -1;
  std::vector<int> children;
  Duration stop_within{};
  bool drops = false;
  bool hangs_at_end = false;
};

class Node;
struct Leave {};

constexpr std::string_view guest_name = "guest";

/// A child that the book does not know: it goes when it is told.
struct Guest {
  void handle(Leave, Context& cx) { cx.stop(); }
  static Child<Guest> spec() { return child<Guest>(guest_name).backoff(10ms, 200ms).at_most(unlimited); }
};

/// What happened to one actor, of its last life.
struct Facts {
  Ref<Node> ref;
  Ref<Guest> guest;
  Instant last_handled{};  // ended, or was cut off
  std::optional<Instant> ended{};
  std::uint64_t ended_as = 0;  // the how many-th
  bool again = false;
  bool is_kept = false;
  Status status = Status::starting;
  bool cut = false;  // the last handler was destroyed where it waited
  bool busy = false;
};

struct Book {
  std::vector<Plan> plans;
  std::vector<Facts> facts;
  Random random{1};
  bool fails = false;
  std::uint64_t ends = 0;
  std::map<std::string, int, std::less<>> by_path;
  [[nodiscard]] bool was_begun(int which) const { return facts[static_cast<std::size_t>(which)].ref != Ref<Node>(); }
  [[nodiscard]] Duration some_time(std::int64_t most) {
    return Duration(1ms) * static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(most)));
  }
};

struct Chat {
  int left;
};
struct Hang {};
struct Alive {
  using reply = bool;
};
struct Invite {};

class Node {
 public:
  Node(Book* book, int me) : book_(book), me_(me) {}
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node() = default;
  void init(Context& cx) {
    facts().cut = false;
    facts().guest = {};
    for (const int below : book_->plans[at(me_)].children) {
      Facts& child = book_->facts[at(below)];
      const Ref<Node> ref = cx.spawn(spec(*book_, below));
      // It was over, and its supervisor begins it anew: another actor, which nobody told to end. So are all below it.
      if (facts().again || (child.ended && child.ref != ref)) {
        child.ended.reset();
        child.again = true;
      }
      child.ref = ref;
    }
  }
  Task<> handle(Chat chat, Context& cx) {
    UnderWay here(*this, cx);
    for (int i = 0; i < 2 && chat.left > 0; ++i) {
      book_->facts[book_->random.below(book_->facts.size())].ref.send(Chat{chat.left - 1});
    }
    if (book_->fails && book_->random.below(25) == 0) throw std::runtime_error("chatted too much");
    if (book_->random.below(12) == 0) co_await cx.sleep(book_->some_time(400));
    here.done();
  }
  Task<> handle(Hang, Context& cx) {
    UnderWay here(*this, cx);
    co_await cx.sleep(for_ever);
    here.done();
  }
  bool handle(Alive) const { return true; }
  void handle(Invite, Context& cx) {
    UnderWay here(*this, cx);
    if (!facts().guest) facts().guest = cx.spawn(Guest::spec().on_end(cx.self(this)));
    here.done();
  }
  /// Nobody sent it: it comes also to one that refuses all else by now.
  Task<> handle(Eol<Guest> /*end*/, Context& cx) {
    UnderWay here(*this, cx);
    facts().guest = {};
    switch (book_->random.below(3)) {
      case 0: co_await cx.sleep(for_ever); break;
      case 1: co_await cx.sleep(book_->some_time(400)); break;
      default: break;
    }
    here.done();
  }
  Task<> terminating(Context& cx) {
    if (book_->plans[at(me_)].hangs_at_end) co_await cx.sleep(for_ever);
  }

  static Child<Node> spec(Book& book, int which) {
    const Plan& plan = book.plans[at(which)];
    return child<Node>(plan.name, &book, which)
        .backoff(10ms, 200ms)
        .at_most(unlimited)
        .stop_within(plan.stop_within)
        .on_stop(plan.drops ? drop : drain);
  }
  static std::size_t at(int which) { return static_cast<std::size_t>(which); }

 private:
  class UnderWay {
   public:
    UnderWay(Node& node, Context& cx) : node_(node), cx_(cx) { node_.facts().busy = true; }
    UnderWay(const UnderWay&) = delete;
    UnderWay& operator=(const UnderWay&) = delete;
    ~UnderWay() {
      node_.facts().last_handled = cx_.now();
      node_.facts().cut = !done_;
      node_.facts().busy = false;
    }
    void done() { done_ = true; }

   private:
    Node& node_;
    Context& cx_;
    bool done_ = false;
  };
  Facts& facts() { return book_->facts[at(me_)]; }
  Book* book_;
  int me_;
};

int add(Book& book, int parent, const std::string& name, int depth) {
  const int me = static_cast<int>(book.plans.size());
  Plan plan;
  plan.name = name;
  plan.path = (parent < 0 ? std::string() : book.plans[Node::at(parent)].path) + "/" + name;
  plan.parent = parent;
  plan.stop_within = book.random.below(4) == 0 ? Duration::zero() : book.some_time(3'000);
  plan.drops = book.random.below(5) == 0;
  plan.hangs_at_end = book.random.below(8) == 0;
  book.by_path.emplace(plan.path, me);
  book.plans.push_back(std::move(plan));
  book.facts.emplace_back();
  const std::uint64_t children = depth > 0 ? book.random.below(4) : 0;
  for (std::uint64_t i = 0; i < children; ++i) {
    const int below = add(book, me, std::string(1, static_cast<char>('a' + i)), depth - 1);
    book.plans[Node::at(me)].children.push_back(below);
  }
  return me;
}

/// When it had to be gone, told to stop at `from`.
Instant predicted(const Book& book, int which, Instant from) {
  if (!book.was_begun(which)) return from;
  const Plan& plan = book.plans[Node::at(which)];
  const Facts& facts = book.facts[Node::at(which)];
  // last_handled is the instant at which its last handler ended or was cut off.
  Instant now = plan.drops ? from : std::max(from, std::min(facts.last_handled, from + plan.stop_within));
  for (auto below = plan.children.rbegin(); below != plan.children.rend(); ++below) {
    now = predicted(book, *below, now);
  }
  return plan.hangs_at_end ? now + grace : now;
}

Duration deadline_of(const Book& book, int which) {
  const Plan& plan = book.plans[Node::at(which)];
  Duration sum = plan.stop_within + grace;
  for (const int below : plan.children) sum += deadline_of(book, below);
  return sum;
}

void collect(const Book& book, int which, std::vector<int>& out) {
  out.push_back(which);
  for (const int below : book.plans[Node::at(which)].children) collect(book, below, out);
}

void check_order(sim::World& world, const Book& book, int which) {
  const Plan& plan = book.plans[Node::at(which)];
  const Facts& facts = book.facts[Node::at(which)];
  std::uint64_t before = 0;
  for (auto below = plan.children.rbegin(); below != plan.children.rend(); ++below) {
    if (!book.was_begun(*below)) continue;
    const Facts& child = book.facts[Node::at(*below)];
    if (child.ended_as >= facts.ended_as) complain(world, "L4", plan.path + " ended before a child of its own");
    if (child.ended_as <= before) complain(world, "L4", "the children of " + plan.path + " ended in a wrong order");
    before = child.ended_as;
    check_order(world, book, *below);
  }
}

std::string told(Instant at, Instant from) { return to_string(at - from) + " after the order"; }

}  // namespace

void run_ending(sim::World& world, Tally& tally) {
  auto& book = world.keep<Book>();
  Census census(world);
  book.random = Random(world.random().next());
  book.fails = book.random.below(2) == 0;
  std::vector<int> tops;
  const std::uint64_t apps = 1 + book.random.below(3);
  for (std::uint64_t i = 0; i < apps; ++i) tops.push_back(add(book, -1, "app" + std::to_string(i), 3));
  std::uint64_t failures = 0;
  auto ended = world.runtime().events().subscribe([&](const Event& event) {
    if (std::holds_alternative<ActorFailed>(event)) ++failures;
    if (const auto* const change = std::get_if<StatusChanged>(&event)) {
      const auto found = book.by_path.find(change->path);
      if (found != book.by_path.end()) {
        Facts& facts = book.facts[Node::at(found->second)];
        facts.is_kept = change->to == Status::stopped;
        facts.status = change->to;
      }
    }
    if (const auto* const restart = std::get_if<Restarting>(&event)) {
      const auto found = book.by_path.find(restart->path);
      if (found != book.by_path.end()) book.facts[Node::at(found->second)].is_kept = false;
    }
    const auto* const end = std::get_if<Ended>(&event);
    if (end == nullptr) return;
    if (end->path == "/") return;
    const auto found = book.by_path.find(end->path);
    if (found == book.by_path.end()) {
      if (!end->path.ends_with(guest_name)) complain(world, "L3", end->path + " ended, and was never begun");
      return;
    }
    Facts& facts = book.facts[Node::at(found->second)];
    if (facts.ended) return complain(world, "L3", end->path + " ended twice");
    facts.ended = world.now();
    facts.ended_as = ++book.ends;
  });
  for (const int top : tops) book.facts[Node::at(top)].ref = world.spawn(Node::spec(book, top));

  // Up to any event ...
  sim::Faults faults;
  if (book.fails) {
    faults.fail_every = 40;
    faults.point_every = 60;
  }
  world.inject(faults);
  const std::uint64_t last = world.events() + world.random().below(1'500);
  while (world.events() < last) {
    const auto one = book.facts[world.random().below(book.facts.size())].ref;
    switch (world.random().below(9)) {
      case 8: one.send(Invite{}); break;
      case 0: one.send(Hang{}); break;
      case 1:
      case 2: one.send(Chat{static_cast<int>(world.random().below(5))}); break;
      case 3: world.run_for(book.some_time(100)); break;
      default:
        for (int i = 0; i < 20 && world.events() < last; ++i) {
          if (!world.step()) break;
        }
    }
  }
  world.heal();

  // ... then a stop: of any actor with all below it, of an app, or of everything.
  Instant order = world.now();
  const auto kind = world.random().below(3);
  std::vector<int> told_to_stop;
  Duration cap = for_ever;
  Duration bound{0};
  if (kind == 2) {
    for (auto top = tops.rbegin(); top != tops.rend(); ++top) {
      collect(book, *top, told_to_stop);
      bound += deadline_of(book, *top);
    }
    cap = world.random().below(2) == 0 ? book.some_time(4'000) : Duration(1min);
    world.runtime().core().root->signal_command(detail::signal::stop);
    tally.add("stops of the runtime");
  } else {
    int which = kind == 1 ? tops[world.random().below(tops.size())]
                          : static_cast<int>(world.random().below(book.plans.size()));
    // In half of the worlds the youngest below it, which is told first, has a guest, who goes in this very instant: word of
    // that may come before the order, with it, or after it. Who has something to do would hear of either later.
    if (world.random().below(2) == 0) {
      const auto youngest = [&] {
        const std::vector<int>& below = book.plans[Node::at(which)].children;
        return below.empty() ? which : below.back();
      };
      const auto is_idle = [&](int one) { return !book.facts[Node::at(one)].busy; };
      for (int tries = 0; tries < 10 && (youngest() == which || !is_idle(which) || !is_idle(youngest())); ++tries) {
        which = static_cast<int>(world.random().below(book.plans.size()));
      }
      Facts& host = book.facts[Node::at(youngest())];
      host.ref.send(Invite{});
      world.run_for(book.some_time(100));
      order = world.now();
      host.guest.send(Leave{});
      if (world.random().below(4) == 0) (void)world.step();
    }
    // A place that is kept for its supervisor's next life hears of an order when that begins, or ends. (One at the top is
    // never kept: it may have failed in this instant, and its restart be undecided.)
    const auto hears_late = [&] {
      const int above = book.plans[Node::at(which)].parent;
      if (above < 0) return false;
      const Facts& facts = book.facts[Node::at(which)];
      // One that waits for its restart is kept, without another word, when its supervisor ends.
      const bool kept_silently =
          facts.status == Status::stopped && book.facts[Node::at(above)].status != Status::running;
      return !book.was_begun(which) || facts.is_kept || kept_silently;
    };
    while (hears_late()) which = book.plans[Node::at(which)].parent;
    collect(book, which, told_to_stop);
    bound = deadline_of(book, which);
    world.runtime().stop(book.facts[Node::at(which)].ref);
    tally.add(kind == 1 ? "stops of an app" : "stops of an actor");
  }
  world.run_for(std::min(cap, bound));
  if (kind == 2 && bound > cap) {
    // What shutdown(within) does when its time is over.
    const bool was_late = world.runtime().actors() != 0 && book.ends < book.plans.size();
    world.sometimes(was_late, "a shutdown is cut short by its deadline");
    world.runtime().core().root->signal_command(detail::signal::kill);
    world.run();
  }

  // Whose supervisor was told before it had begun them never were.
  std::erase_if(told_to_stop, [&](int one) { return !book.was_begun(one); });
  bool all_gone = true;
  for (const int one : told_to_stop) {
    const Facts& facts = book.facts[Node::at(one)];
    world.sometimes(facts.ended && *facts.ended > order, "a stop takes its time");
    world.sometimes(facts.cut, "a handler is cut off by the stop deadline");
    if (facts.ended || facts.again) continue;
    all_gone = false;
    complain(
        world, "L4",
        book.plans[Node::at(one)].path + " lives on " + to_string(std::min(cap, bound)) + " after the order to stop");
  }
  if (all_gone && !book.fails) {
    for (const int one : told_to_stop) {
      const int above = book.plans[Node::at(one)].parent;
      const bool is_first = one == told_to_stop.front() || (kind == 2 && above < 0);
      // Who is killed ends at once, whoever is the youngest.
      if (is_first && (kind != 2 || bound <= cap)) check_order(world, book, one);
    }
    if (kind != 2 || bound <= cap) {
      Instant from = order;
      const auto expect = [&](int one) {
        const Instant due = predicted(book, one, from);
        const Instant at = *book.facts[Node::at(one)].ended;
        if (at != due) {
          complain(world, "L4",
                   book.plans[Node::at(one)].path + " ended " + told(at, order) + ", predicted " + told(due, order));
        }
        from = due;
      };
      if (kind == 2) {
        for (auto top = tops.rbegin(); top != tops.rend(); ++top) expect(*top);
      } else {
        expect(told_to_stop.front());
      }
    }
  }
  // Whoever was not told lives: nothing of it ended.
  if (book.ends != told_to_stop.size() && all_gone && !book.fails) {
    complain(world, "L4",
             std::to_string(book.ends) + " actors ended, " + std::to_string(told_to_stop.size()) + " were told to");
  }
  if (kind != 2) {
    for (const int top : tops) world.runtime().kill(book.facts[Node::at(top)].ref);
    world.run();
    census.expect_nothing_left();
  } else if (world.runtime().actors() > 1) {
    complain(world, "L4", std::to_string(world.runtime().actors()) + " actors outlive the runtime's end");
  }
  ended.end();
  tally.add("actors", book.plans.size());
  tally.add("failures in actors that are stopped", failures);
}

}  // namespace trust
