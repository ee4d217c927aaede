#include "chronicle/store.hpp"

#include <algorithm>
#include <mutex>
#include <shared_mutex>
#include <utility>

namespace chronicle {

using namespace std::chrono_literals;
using backstage::Context;
using backstage::Interleaved;
using backstage::moved;
using backstage::Reply;
using backstage::Task;

namespace {

constexpr backstage::Duration first_reopen = 100ms;
constexpr backstage::Duration last_reopen = 30s;
// A write has no deadline of its own: nobody can take it back. Whoever waits for it has one.
constexpr backstage::Duration as_long_as_it_takes = 24h;

/// What a job on the blocking pool brings back: its own Result inside the pool's.
template <class T>
struct Done {
  Result<T> result;
};
template <class T>
Result<T> flat(Result<Done<T>> done) {
  if (!done) return done.error();
  return std::move(done.value().result);
}

}  // namespace

std::size_t payload_bytes(const Append& append) noexcept {
  std::size_t bytes = 0;
  for (const Draft& draft : append.drafts) bytes += cost(draft);
  return bytes;
}

struct Store::Shelf {
  std::unique_ptr<Storage> storage;
  std::shared_mutex in_use;    // exclusive: open and close; shared: everything else
  std::mutex one_append;       // a write that was given up may still be under way
  std::uint64_t messages = 0;  // held when it was opened, guarded by in_use
  std::uint64_t bytes = 0;
  Counters before;  // the storage's counters then

  Result<> open() {
    const std::unique_lock lock(in_use);
    auto opened = storage->open();
    if (!opened) return opened;
    messages = 0;
    bytes = 0;
    const auto streams = storage->streams();
    if (!streams) return streams.error();
    for (const StreamInfo& stream : *streams) {
      messages += stream.count;
      bytes += stream.bytes;
    }
    before = storage->counters();
    return {};
  }
  void close() {
    const std::unique_lock lock(in_use);
    storage->close();
  }
};

Store::Store(std::shared_ptr<const Settings> settings, StoreBounds bounds)
    : settings_(std::move(settings)), bounds_(bounds) {}

backstage::Child<Store> Store::spec(std::string_view name, std::shared_ptr<const Settings> settings) {
  // The mailbox is emptied into `waiting_` as fast as turns go; its bounds are for bursts between two turns.
  return backstage::child<Store>(name, std::move(settings))
      .mailbox(backstage::bounded(8'192).bytes(std::size_t{16} << 20U))
      .interleaved(128)
      .stop_within(20s);
}

Task<Result<>> Store::init(Context& cx) {
  shelf_ = std::make_shared<Shelf>();
  auto open = [shelf = shelf_, settings = settings_] {
    shelf->storage = settings->make_storage ? settings->make_storage(*settings) : make_storage(*settings);
    return Done<void>{shelf->open()};
  };
  auto opened = flat(co_await cx.blocking(moved(open)).within(as_long_as_it_takes));
  if (!opened) co_return opened.error();
  cx.log().info("the store is open", {{"messages", shelf_->messages}, {"bytes", shelf_->bytes}});
  cx.publish(OpenStore{cx.self(this)});
  co_return Result<>();
}

Task<> Store::terminating(Context& cx) {
  co_await write_all(cx);
  refuse_waiting(Error(Errc::stopping, "the store is being stopped"));
  auto close = [shelf = shelf_] { shelf->close(); };
  (void)co_await cx.blocking(moved(close)).within(as_long_as_it_takes);
}

// ---------------------------------------------------------------------------------------------------- writing

void Store::handle(Append append, Reply<Outcomes> reply, Context& cx) {
  const std::size_t count = append.drafts.size();
  if (fault_) {
    turned_away_ += count;
    std::move(reply)(*fault_);
    return;
  }
  if (count == 0) {
    std::move(reply)(Outcomes());
    return;
  }
  const std::size_t bytes = payload_bytes(append);
  // Alone, any append may wait: it is for the storage to say that it is too large.
  if (!waiting_.empty() && (waiting_count_ + count > bounds_.count || waiting_bytes_ + bytes > bounds_.bytes)) {
    turned_away_ += count;
    std::move(reply)(Error(Errc::full, "the store has " + std::to_string(waiting_count_) +
                                           " messages waiting to be written; try again soon"));
    return;
  }
  waiting_.push_back({std::move(append.drafts), std::move(reply), bytes, cx.now()});
  waiting_count_ += count;
  waiting_bytes_ += bytes;
  if (is_writing_) return;
  is_writing_ = true;
  // Behind what is in the mailbox already: all of that makes the first group. A full (or closing) mailbox takes no
  // more, but a timer's message goes past it.
  const auto me = cx.self(this);
  if (!me.try_send(Write{})) cx.send_after(0ns, me, Write{});
}

Interleaved<void> Store::handle(Write, Context& cx) {
  co_await write_all(cx);
  is_writing_ = false;
}

Task<> Store::write_all(Context& cx) {
  while (!waiting_.empty() && !fault_) {
    Group group = take_group(cx.now());
    if (group.drafts.empty()) continue;  // all of it had waited for too long
    auto write = [shelf = shelf_, drafts = std::move(group.drafts)] {
      const std::shared_lock lock(shelf->in_use);
      const std::lock_guard alone(shelf->one_append);
      return Done<Outcomes>{shelf->storage->append(drafts)};
    };
    auto outcomes = flat(co_await cx.blocking(moved(write)).within(as_long_as_it_takes));
    const bool is_broken = !outcomes && outcomes.error().is(Errc::unavailable);
    std::optional<Error> why;
    if (is_broken) why = outcomes.error();
    settle(group, std::move(outcomes));
    if (why) out_of_service(cx, *std::move(why));
  }
}

/// As many appends, from the front, as one group may hold; at least one, if any may still be written.
Store::Group Store::take_group(backstage::Instant now) {
  const Limits& limits = shelf_->storage->limits();
  Group group;
  std::size_t bytes = 0;
  while (!waiting_.empty()) {
    Waiting& next = waiting_.front();
    if (now - next.since >= most_wait || next.reply.deadline() <= now) {
      turned_away_ += next.drafts.size();
      waiting_bytes_ -= next.bytes;
      waiting_count_ -= next.drafts.size();
      std::move(next.reply)(
          Error(Errc::full, "the store could not write it within " + backstage::to_string(most_wait)));
      waiting_.pop_front();
      continue;
    }
    const bool fits =
        group.drafts.size() + next.drafts.size() <= limits.group_count && bytes + next.bytes <= limits.group_bytes;
    if (!group.tickets.empty() && !fits) break;
    bytes += next.bytes;
    waiting_bytes_ -= next.bytes;
    waiting_count_ -= next.drafts.size();
    group.tickets.push_back({std::move(next.reply), next.drafts.size()});
    if (group.drafts.empty()) {
      group.drafts = std::move(next.drafts);
    } else {
      std::move(next.drafts.begin(), next.drafts.end(), std::back_inserter(group.drafts));
    }
    waiting_.pop_front();
  }
  return group;
}

void Store::settle(Group& group, Result<Outcomes> outcomes) {
  if (!outcomes) {
    // Never begun (the pool was full), so the storage did not count them.
    if (outcomes.error().is(Errc::full)) {
      for (const Ticket& ticket : group.tickets) turned_away_ += ticket.drafts;
    }
    for (Ticket& ticket : group.tickets) std::move(ticket.reply)(outcomes.error());
    return;
  }
  auto next = outcomes.value().begin();
  for (Ticket& ticket : group.tickets) {
    const auto end = next + static_cast<std::ptrdiff_t>(ticket.drafts);
    std::move(ticket.reply)(Outcomes(std::make_move_iterator(next), std::make_move_iterator(end)));
    next = end;
  }
}

void Store::refuse_waiting(const Error& why) {
  turned_away_ += waiting_count_;
  for (Waiting& waiting : std::exchange(waiting_, {})) std::move(waiting.reply)(why);
  waiting_count_ = 0;
  waiting_bytes_ = 0;
}

// ------------------------------------------------------------------------------------------------ out of service

void Store::out_of_service(Context& cx, Error why) {
  cx.log().error("the store is out of service", {{"error", why.describe()}});
  fault_ = Error(Errc::unavailable, "the store is out of service and is being opened anew", std::move(why));
  cx.status(backstage::Status::outage);
  refuse_waiting(*fault_);
  reopen_after_ = first_reopen;
  cx.send_after(reopen_after_, cx.self(this), Reopen{});
}

Interleaved<void> Store::handle(Reopen, Context& cx) {
  auto open = [shelf = shelf_] { return Done<void>{shelf->open()}; };
  const auto opened = flat(co_await cx.blocking(moved(open)).within(as_long_as_it_takes));
  if (!opened) {
    reopen_after_ = std::min(reopen_after_ * 2, last_reopen);
    cx.log().warn("the store cannot be opened anew yet",
                  {{"error", opened.error().describe()}, {"next_try", backstage::to_string(reopen_after_)}});
    cx.send_after(reopen_after_, cx.self(this), Reopen{});
    co_return;
  }
  fault_.reset();
  cx.status(backstage::Status::running);
  cx.log().info("the store is back", {{"messages", shelf_->messages}});
}

// ---------------------------------------------------------------------------------------------------- reading

Interleaved<Result<Message>> Store::handle(GetMessage get, Context& cx) {
  auto read = [shelf = shelf_, get] {
    const std::shared_lock lock(shelf->in_use);
    return Done<Message>{shelf->storage->get(get.id)};
  };
  co_return flat(co_await cx.blocking(moved(read)).within(30s));
}

Interleaved<Result<Page>> Store::handle(GetPage get, Context& cx) {
  auto read = [shelf = shelf_, query = std::move(get.query)] {
    const std::shared_lock lock(shelf->in_use);
    return Done<Page>{shelf->storage->query(query)};
  };
  co_return flat(co_await cx.blocking(moved(read)).within(30s));
}

Interleaved<Result<std::vector<StreamInfo>>> Store::handle(ListStreams, Context& cx) {
  auto read = [shelf = shelf_] {
    const std::shared_lock lock(shelf->in_use);
    return Done<std::vector<StreamInfo>>{shelf->storage->streams()};
  };
  co_return flat(co_await cx.blocking(moved(read)).within(30s));
}

StoreState Store::handle(GetStoreState) const {
  StoreState state;
  state.turned_away = turned_away_;
  state.waiting = waiting_count_;
  state.fault = fault_;
  // Never wait here: while it is opened anew the numbers are unknown, and the fault says so.
  const std::shared_lock lock(shelf_->in_use, std::try_to_lock);
  if (!lock.owns_lock()) return state;
  state.counters = shelf_->storage->counters();
  state.messages = shelf_->messages + state.counters.stored - shelf_->before.stored;
  state.bytes = shelf_->bytes + state.counters.bytes - shelf_->before.bytes;
  if (const auto streams = shelf_->storage->streams()) state.streams = streams->size();
  return state;
}

}  // namespace chronicle
