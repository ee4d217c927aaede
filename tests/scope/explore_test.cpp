// Publishing, subscribing, waiting, linking, withdrawing and dying in a thousand worlds. Beside each publisher's board stands
// a recorder, which hears all news as they are made; what actors hear through their mailboxes is held against it.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backstage/actor/resource.hpp"
#include "backstage/sim/explore.hpp"

namespace {

using namespace backstage;
using namespace std::chrono_literals;

struct Value {
  std::uint64_t number = 0;
};

/// What truly happened at one place, in order.
struct Recorder final : detail::Listener {
  Recorder() : Listener(&detail::type_tag<Value>) {}
  void hear(detail::BoardNews news) noexcept override {
    if (news.kind == detail::BoardNews::Kind::value) {
      log.push_back('v');
      numbers.push_back(static_cast<const Value*>(news.value.get())->number);
    } else {
      log.push_back(news.kind == detail::BoardNews::Kind::over ? 'o' : 'd');
      numbers.push_back(0);
    }
  }
  [[nodiscard]] bool is_present() const { return !log.empty() && log.back() == 'v'; }
  std::string log;
  std::vector<std::uint64_t> numbers;
};

/// One subscription: where it began in its recorder's log, and what came of it.
struct Heard {
  std::shared_ptr<Recorder> of;
  std::size_t begins = 0;  // the first of the log that it should hear of
  std::size_t every = 0;
  bool ended = false;  // cancelled, or its incarnation is over
  std::string log;
  std::vector<std::uint64_t> numbers;

  void note(char what, std::uint64_t number) {
    log.push_back(what);
    numbers.push_back(number);
  }
  /// What is wrong with it, or nothing. `rests`: all that was on the way has come.
  [[nodiscard]] std::string judge(bool rests) const {
    std::size_t at = begins;
    for (std::size_t i = 0; i < log.size(); ++i) {
      bool drop_passed = false;
      while (at < of->log.size() && !(of->log[at] == log[i] && of->numbers[at] == numbers[i])) {
        if (every == 0 && of->log[at] == 'd') drop_passed = true;
        if (every != 0) return "of every value one is missing: " + shown();
        ++at;
      }
      if (at == of->log.size()) return "what was heard did not happen, or not in that order: " + shown();
      const bool between_values = i > 0 && log[i] == 'v' && log[i - 1] == 'v';
      if (drop_passed && between_values) return "a drop between two values was hidden: " + shown();
      ++at;
    }
    if (!rests || ended) return {};
    const bool has_news = of->log.size() > begins;
    if (has_news && (log.empty() || log.back() != of->log.back() || numbers.back() != of->numbers.back())) {
      return "the last was not heard: " + shown();
    }
    if (every != 0 && log.size() != of->log.size() - begins) return "not all was heard: " + shown();
    return {};
  }
  [[nodiscard]] std::string shown() const {
    return "happened " + of->log + " from " + std::to_string(begins) + ", heard " + log;
  }
};

/// A link, until it breaks.
struct Held {
  std::shared_ptr<Recorder> of;
  std::size_t after = 0;  // index behind the value that it holds
  bool hard = false;
  bool ended = false;
  int broken = 0;

  [[nodiscard]] std::string judge(bool rests) const {
    const std::string since = of->log.substr(std::min(after, of->log.size()));
    const bool breaks = hard ? !since.empty() : since.find_first_of("do") != std::string::npos;
    if (broken > 1) return "a link broke twice";
    if (broken == 1 && !breaks) return "a link broke for nothing: " + of->log;
    if (rests && !ended && breaks && broken == 0) return "a link did not break: " + of->log;
    return {};
  }
};

struct Book {
  std::map<std::string, std::shared_ptr<Recorder>> now;  // of the place that has the name
  std::vector<std::shared_ptr<Recorder>> all;
  std::vector<std::shared_ptr<Heard>> heard;
  std::vector<std::shared_ptr<Held>> held;
  std::vector<std::string> wrong;
  std::uint64_t last_number = 0;
  std::map<std::uint64_t, Instant> published_at;  // by number
  std::uint64_t suspensions = 0;
};

/// Over all worlds: what an oracle says of nothing is worth nothing.
struct Census {
  std::uint64_t waited = 0;  // for a value that came later
  std::uint64_t drops = 0;
  std::uint64_t broken = 0;
  std::uint64_t replaced = 0;
};
Census census;

struct Publish {};
struct Withdraw {};
class Publisher {
 public:
  explicit Publisher(Book* book) : book_(book) {}
  void init(Context& cx) {
    if (cx.incarnation() % 2 == 0) handle(Publish{}, cx);
  }
  void handle(Publish, Context& cx) {
    book_->published_at[book_->last_number + 1] = cx.now();
    cx.publish(Value{++book_->last_number});
  }
  void handle(Withdraw, Context& cx) { (void)cx.withdraw<Value>(); }

 private:
  Book* book_;
};

struct Subscribe {
  std::string where;
  std::size_t every;
};
struct CancelOne {};
struct WaitFor {
  std::string where;
  Duration within;
};
struct LinkWith {
  std::string where;
  bool hard;
};
class Subscriber {
 public:
  explicit Subscriber(Book* book) : book_(book) {}
  ~Subscriber() {
    for (auto& [id, mine] : heard_) mine->ended = true;
    for (const auto& mine : held_) mine->ended = true;
  }
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;

  void handle(const Subscribe& how, Context& cx) {
    const auto of = book_->now[how.where];
    if (of == nullptr || !cx.find<Publisher>(how.where)) return;
    auto mine = std::make_shared<Heard>();
    mine->of = of;
    // The present value is the first that it should hear of.
    mine->begins = of->is_present() ? of->log.size() - 1 : of->log.size();
    mine->every = how.every;
    try {
      const Subscription set = cx.subscribe<Value>(how.where, cx.self(this), every_value(how.every));
      subscriptions_.push_back(set);
      heard_[set.id()] = mine;
      book_->heard.push_back(mine);
    } catch (const Need&) {
      // It has ended just now.
    }
  }
  void handle(CancelOne) {
    if (subscriptions_.empty()) return;
    heard_[subscriptions_.back().id()]->ended = true;
    (void)subscriptions_.back().cancel();
    subscriptions_.pop_back();
  }
  void handle(const Published<Value>& news) { note(news.subscription, 'v', news->number); }
  void handle(Dropped<Value> news) { note(news.subscription, news.over ? 'o' : 'd', 0); }

  Interleaved<> handle(WaitFor wait, Context& cx) {
    const auto began = book_->last_number;
    const auto suspensions = book_->suspensions;
    const auto of = book_->now[wait.where];
    const bool was_there = of != nullptr && of->is_present();
    const auto found = co_await cx.depends_on<Value>(wait.where).within(wait.within);
    if (found) {
      if (found->number > began && suspensions == book_->suspensions) {
        // Not at its deadline, nor when something else made it look: when it was published.
        ++census.waited;
        if (cx.now() != book_->published_at[found->number]) book_->wrong.push_back("a wait is answered too late");
      }
      if (found->number <= began && !was_there) book_->wrong.push_back("a wait yields what was gone before it began");
    } else if (was_there && book_->now[wait.where] == of && of->is_present() &&
               of->log.find_first_of("do") == std::string::npos) {
      book_->wrong.push_back("a wait for what was there all the time yields: " + found.error().describe());
    }
  }
  Interleaved<> handle(LinkWith how, Context& cx) {
    auto order = cx.link<Value>(how.where).soft().tell(cx.self(this));
    if (how.hard) order = std::move(order).hard();
    const auto held = co_await std::move(order).within(2s);
    if (!held) co_return;
    // Of whichever place it came: numbers are unique.
    for (const auto& of : book_->all) {
      const auto at = std::find(of->numbers.begin(), of->numbers.end(), held->number);
      if (at == of->numbers.end()) continue;
      auto mine = std::make_shared<Held>();
      mine->of = of;
      mine->after = static_cast<std::size_t>(at - of->numbers.begin()) + 1;
      mine->hard = how.hard;
      // A link that is made again takes the place of the former.
      for (const auto& former : held_) {
        if (former->of == of) former->ended = true;
      }
      held_.push_back(mine);
      book_->held.push_back(mine);
      in_order_.push_back({how.where + (how.hard ? "h" : "s"), mine});
    }
  }
  void handle(const LinkBroken<Value>& news) {
    // Which of ours: the oldest of that place and kind that has to break and has not yet.
    const std::string text(news.why.text());
    if (!note_broken(news, text, false) && !note_broken(news, text, true)) {
      book_->wrong.push_back("a link that broke was none: " + text);
    }
  }

 private:
  /// `ended`: one that another took the place of when its news was on the way already.
  bool note_broken(const LinkBroken<Value>& news, const std::string& text, bool ended) {
    for (const auto& [where, mine] : in_order_) {
      if (mine->ended != ended || mine->broken != 0 ||
          text.find("'" + where.substr(0, where.size() - 1) + "'") == std::string::npos)
        continue;
      const std::string since = mine->of->log.substr(mine->after);
      const bool breaks = mine->hard ? !since.empty() : since.find_first_of("do") != std::string::npos;
      if (!breaks || (news.replaced && !mine->hard)) continue;
      ++mine->broken;
      ++census.broken;
      if (news.replaced) ++census.replaced;
      return true;
    }
    return false;
  }
  void note(std::uint64_t id, char what, std::uint64_t number) {
    const auto found = heard_.find(id);
    if (found == heard_.end()) {
      // Before subscribe() has returned nothing can be handled.
      book_->wrong.push_back("news of a subscription that nobody has");
      return;
    }
    if (found->second->ended) book_->wrong.push_back("news after the end of a subscription");
    found->second->note(what, number);
    if (what == 'd') ++census.drops;
  }

  Book* book_;
  std::map<std::uint64_t, std::shared_ptr<Heard>> heard_;
  std::vector<std::shared_ptr<Held>> held_;
  std::vector<std::pair<std::string, std::shared_ptr<Held>>> in_order_;
  std::vector<Subscription> subscriptions_;
};

/// Spawns the publisher again if it is gone, with a recorder before anybody else listens.
void need_publisher(sim::World& world, Book& book, const std::string& name) {
  if (world.runtime().find<Publisher>("/" + name)) return;
  (void)world.spawn(child<Publisher>(name, &book).backoff(1ms, 10ms).at_most(unlimited));
  const auto recorder = std::make_shared<Recorder>();
  const detail::FoundPlace place = detail::ScopeAccess::place(world.runtime().scope("/" + name).value());
  ASSERT_EQ(detail::need_board(place.cell, place.generation)->listen(recorder),
            detail::Board::Listening::nothing_yet);
  book.now["/" + name] = recorder;
  book.all.push_back(recorder);
}

void judge(sim::World& world, const Book& book, bool rests) {
  for (const auto& wrong : book.wrong) ADD_FAILURE() << wrong;
  for (const auto& one : book.heard) {
    const std::string wrong = one->judge(rests);
    EXPECT_EQ(wrong, "") << world.seed();
  }
  for (const auto& one : book.held) {
    const std::string wrong = one->judge(rests);
    EXPECT_EQ(wrong, "") << world.seed();
  }
}

void storm(sim::World& world) {
  Book& book = world.keep<Book>();
  const std::vector<std::string> names{"p0", "p1", "p2"};
  for (const std::string& name : names) need_publisher(world, book, name);
  std::vector<Ref<Subscriber>> subscribers;
  for (int i = 0; i < 4; ++i) {
    subscribers.push_back(
        world.spawn(child<Subscriber>("s" + std::to_string(i), &book).backoff(1ms, 10ms).at_most(unlimited)));
  }
  Random& random = world.random();
  for (int step = 0; step < 150; ++step) {
    const std::string name = names[random.below(names.size())];
    const std::string where = "/" + name;
    const Ref<Subscriber> subscriber = subscribers[random.below(subscribers.size())];
    const auto publisher = world.runtime().find<Publisher>(where);
    switch (random.below(16)) {
      case 0:
      case 1:
      case 2:
      case 3:
        if (publisher) publisher->send(Publish{});
        break;
      case 4:
        if (publisher) publisher->send(Withdraw{});
        break;
      case 5:
        if (publisher) world.runtime().restart(*publisher);
        break;
      case 6:
        if (publisher) world.runtime().fail(*publisher, Error("struck"));
        break;
      case 7:
        if (publisher) world.runtime().kill(*publisher);
        break;
      case 8:
        if (publisher) world.runtime().stop(*publisher);
        break;
      case 9:
      case 10: subscriber.send(Subscribe{where, random.below(3) == 0 ? std::size_t{1'000} : 0}); break;
      case 11: subscriber.send(CancelOne{}); break;
      case 12: subscriber.send(WaitFor{where, std::chrono::milliseconds(random.below(500))}); break;
      case 13: subscriber.send(LinkWith{where, random.below(2) == 0}); break;
      case 14: world.runtime().restart(subscriber); break;
      case 15:
        ++book.suspensions;
        random.below(2) == 0 ? world.runtime().suspend(subscriber) : world.runtime().resume(subscriber);
        break;
      default: break;
    }
    // Some of it, none, or all.
    for (auto turns = random.below(12); turns > 0 && world.step(); --turns) {
    }
    if (random.below(10) == 0) world.run_for(std::chrono::milliseconds(random.below(50)));
    need_publisher(world, book, names[random.below(names.size())]);
    if (step % 30 == 0) judge(world, book, false);
  }
  for (const auto& subscriber : subscribers) world.runtime().resume(subscriber);
  world.run_for(10s);
  judge(world, book, true);
  // And at the end, nobody listens.
  for (const std::string& name : names) need_publisher(world, book, name);
  for (const auto& subscriber : subscribers) world.runtime().stop(subscriber);
  world.run_for(10s);
  for (const std::string& name : names) {
    const Scope scope = world.runtime().scope("/" + name).value();
    EXPECT_EQ(detail::ScopeAccess::board(scope)->listeners(), 1U) << "the recorder alone";
  }
}

TEST(Scopes, R2_everybody_hears_what_happened_in_order_in_1000_worlds) {
  census = Census();
  (void)sim::explore(sim::seeds(1'000), storm);
  EXPECT_GT(census.waited, 1'000U);
  EXPECT_GT(census.drops, 1'000U);
  EXPECT_GT(census.broken, 1'000U);
  EXPECT_GT(census.replaced, 100U);
}

// The oracle itself: it finds what is missing, out of order, hidden.
TEST(Scopes, the_oracle_finds_what_is_wrong) {
  const auto of = std::make_shared<Recorder>();
  of->log = "vvdvo";
  of->numbers = {1, 2, 0, 3, 0};
  const auto judged = [&](std::string log, std::vector<std::uint64_t> numbers, std::size_t every = 0) {
    Heard heard;
    heard.of = of;
    heard.every = every;
    heard.log = std::move(log);
    heard.numbers = std::move(numbers);
    return heard.judge(true);
  };
  EXPECT_EQ(judged("vvdvo", {1, 2, 0, 3, 0}), "");
  EXPECT_EQ(judged("vdvo", {2, 0, 3, 0}), "");
  EXPECT_EQ(judged("o", {0}), "");
  EXPECT_NE(judged("vvo", {2, 3, 0}), "") << "hidden drop";
  EXPECT_NE(judged("vv", {2, 1}), "") << "order";
  EXPECT_NE(judged("vdv", {2, 0, 3}), "") << "the end is missing";
  EXPECT_NE(judged("", {}), "") << "nothing was heard";
  EXPECT_NE(judged("vdvo", {2, 0, 3, 0}, 10), "") << "every value";
}

}  // namespace
