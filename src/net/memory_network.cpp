// The in-memory twin of the sockets: see include/backstage/net/memory.hpp.
//
// A connection is two Halves that know each other weakly. Whatever may let a Half go on (bytes came, room was made,
// the peer ended, a deadline passed) schedules its advance(); all callbacks are called from there, so never inside
// the call that asked for them.
#include "backstage/net/memory.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace backstage {
inline namespace v0 {
namespace net {
namespace {

/// What outlives the network itself: Streams and Timers hold it, so that a late destructor finds something.
struct Core {
  using Key = std::pair<std::int64_t, std::uint64_t>;

  explicit Core(const Clock& time) : clock(time), owner(std::this_thread::get_id()) {}

  void post(Callback<void()> work) {
    const std::lock_guard lock(mutex);
    ready.push_back(std::move(work));
  }

  const Clock& clock;
  const std::thread::id owner;
  std::mutex mutex;
  std::deque<Callback<void()>> ready;  // guarded by mutex; all else belongs to the owner
  std::map<Key, Callback<void()>> timers;
  std::uint64_t next_number = 0;
  std::map<std::uint16_t, Network::OnAccept*> listeners;
  std::size_t delivery = Stream::read_chunk;
  std::size_t capacity = std::size_t{64} * 1024;
};

class MemoryTimer final : public Timer {
 public:
  MemoryTimer(std::shared_ptr<Core> core, Instant at, Callback<void()> fire)
      : core_(std::move(core)), key_(at.ns, core_->next_number++) {
    core_->timers.emplace(key_, std::move(fire));
  }
  ~MemoryTimer() override { core_->timers.erase(key_); }

 private:
  std::shared_ptr<Core> core_;
  Core::Key key_;
};

struct Half : std::enable_shared_from_this<Half> {
  explicit Half(std::shared_ptr<Core> the_core) : core(std::move(the_core)) {}

  void schedule() {
    core->post([self = shared_from_this()] { self->advance(); });
  }
  void advance() {
    advance_write();
    advance_read();
  }
  void advance_write() {
    if (!on_written) return;
    const auto to = peer.lock();
    if (!to || to->closed) return finish_write(Error(Errc::unavailable, "the peer closed the connection"));
    const std::size_t room = core->capacity - std::min(core->capacity, to->incoming.size());
    const std::size_t count = std::min(room, outgoing.size());
    if (count > 0) {
      to->incoming.append(outgoing, 0, count);
      outgoing.erase(0, count);
      to->schedule();
    }
    if (outgoing.empty()) finish_write({});
  }
  void advance_read() {
    if (!on_read) return;
    if (!incoming.empty()) {
      const std::size_t count = std::min({core->delivery, Stream::read_chunk, incoming.size()});
      delivered.assign(incoming, 0, count);
      incoming.erase(0, count);
      if (const auto from = peer.lock()) from->schedule();
      finish_read(std::string_view(delivered));
    } else if (incoming_ended) {
      finish_read(std::string_view());
    }
  }
  // The callback is moved out first: it may start the next operation, or destroy the stream.
  void finish_read(Result<std::string_view> result) {
    read_timer.reset();
    auto done = std::exchange(on_read, {});
    done(std::move(result));
  }
  void finish_write(Result<> result) {
    write_timer.reset();
    outgoing.clear();
    auto done = std::exchange(on_written, {});
    done(std::move(result));
  }

  std::shared_ptr<Core> core;
  std::weak_ptr<Half> peer;
  bool closed = false;
  std::string incoming;
  bool incoming_ended = false;
  std::string delivered;
  Stream::OnRead on_read;
  std::unique_ptr<Timer> read_timer;
  std::string outgoing;
  Stream::OnWritten on_written;
  std::unique_ptr<Timer> write_timer;
};

class MemoryStream final : public Stream {
 public:
  MemoryStream(std::shared_ptr<Half> half, Address peer) : half_(std::move(half)), peer_(std::move(peer)) {}
  ~MemoryStream() override {
    half_->closed = true;
    half_->read_timer.reset();
    half_->write_timer.reset();
    half_->incoming.clear();
    end_outgoing();
    // Last: a callback may own what is being destroyed here.
    const auto read = std::exchange(half_->on_read, {});
    const auto written = std::exchange(half_->on_written, {});
  }

  void read(Instant deadline, OnRead done) override {
    half_->on_read = std::move(done);
    if (deadline != Instant::never()) {
      half_->read_timer = std::make_unique<MemoryTimer>(half_->core, deadline, [half = half_.get()] {
        half->shared_from_this()->finish_read(Error(Errc::timeout, "nothing to read came before the deadline"));
      });
    }
    half_->schedule();
  }
  void write(std::string bytes, Instant deadline, OnWritten done) override {
    half_->outgoing = std::move(bytes);
    half_->on_written = std::move(done);
    if (deadline != Instant::never()) {
      half_->write_timer = std::make_unique<MemoryTimer>(half_->core, deadline, [half = half_.get()] {
        half->shared_from_this()->finish_write(Error(Errc::timeout, "the peer did not read before the deadline"));
      });
    }
    half_->schedule();
  }
  void shutdown_write() override { end_outgoing(); }
  const Address& peer() const noexcept override { return peer_; }

 private:
  void end_outgoing() {
    if (const auto to = half_->peer.lock()) {
      to->incoming_ended = true;
      to->schedule();
    }
  }
  std::shared_ptr<Half> half_;
  Address peer_;
};

class MemoryListener final : public Listener {
 public:
  MemoryListener(std::shared_ptr<Core> core, Address at, Network::OnAccept accepted)
      : core_(std::move(core)), local_(std::move(at)), accepted_(std::move(accepted)) {
    core_->listeners[local_.port] = &accepted_;
  }
  ~MemoryListener() override { core_->listeners.erase(local_.port); }
  const Address& local() const noexcept override { return local_; }
  std::uint64_t accept_failures() const noexcept override { return 0; }

 private:
  std::shared_ptr<Core> core_;
  Address local_;
  Network::OnAccept accepted_;
};

class Memory final : public MemoryNetwork {
 public:
  explicit Memory(const Clock& clock) : core_(std::make_shared<Core>(clock)) {}
  ~Memory() override {
    // What was posted may own Halves, which own the Core: break the circle.
    while (true) {
      std::deque<Callback<void()>> ready;
      {
        const std::lock_guard lock(core_->mutex);
        ready.swap(core_->ready);
      }
      if (ready.empty()) break;
    }
  }

  Result<std::unique_ptr<Listener>> listen(const Address& at, OnAccept accepted) override {
    Address local = at;
    if (local.port == 0) {
      local.port = 49152;
      while (core_->listeners.contains(local.port)) {
        if (++local.port == 0) return Error(Errc::unavailable, "no port is free in this memory network");
      }
    } else if (core_->listeners.contains(local.port)) {
      return Error(Errc::exists,
                   "cannot listen on " + to_string(at) + ": the port is taken; port 0 takes a free one");
    }
    std::unique_ptr<Listener> listener = std::make_unique<MemoryListener>(core_, local, std::move(accepted));
    return listener;
  }

  void connect(const Address& to, Instant, OnConnect done) override {
    core_->post([core = core_, to, done = std::move(done)]() mutable {
      const auto found = core->listeners.find(to.port);
      if (found == core->listeners.end()) {
        return done(Error(Errc::unavailable, "cannot connect to " + to_string(to) + ": nobody listens there"));
      }
      const auto near = std::make_shared<Half>(core);
      const auto far = std::make_shared<Half>(core);
      near->peer = far;
      far->peer = near;
      const auto port = static_cast<std::uint16_t>(1024 + core->next_number++ % 40000);
      (*found->second)(std::make_unique<MemoryStream>(far, Address{"127.0.0.1", port}));
      std::unique_ptr<Stream> stream = std::make_unique<MemoryStream>(near, to);
      done(std::move(stream));
    });
  }

  void post(Callback<void()> work) override { core_->post(std::move(work)); }
  std::unique_ptr<Timer> start_timer(Instant at, Callback<void()> fire) override {
    return std::make_unique<MemoryTimer>(core_, at, std::move(fire));
  }
  const Clock& clock() const noexcept override { return core_->clock; }
  bool in_loop() const noexcept override { return std::this_thread::get_id() == core_->owner; }
  Progress drive() override { return pump() > 0 ? Progress::made : Progress::none; }

  std::size_t pump() override {
    constexpr std::size_t most = 1'000'000;
    std::size_t ran = 0;
    while (ran < most && (run_ready() || run_timer())) ++ran;
    return ran;
  }
  Instant next_timer() const noexcept override {
    return core_->timers.empty() ? Instant::never() : Instant{core_->timers.begin()->first.first};
  }
  void deliver_at_most(std::size_t bytes) override { core_->delivery = std::max<std::size_t>(bytes, 1); }
  void hold_at_most(std::size_t bytes) override { core_->capacity = std::max<std::size_t>(bytes, 1); }

 private:
  bool run_ready() {
    Callback<void()> work;
    {
      const std::lock_guard lock(core_->mutex);
      if (core_->ready.empty()) return false;
      work = std::move(core_->ready.front());
      core_->ready.pop_front();
    }
    work();
    return true;
  }
  bool run_timer() {
    const auto first = core_->timers.begin();
    if (first == core_->timers.end() || first->first.first > core_->clock.now().ns) return false;
    auto fire = std::move(first->second);
    core_->timers.erase(first);
    fire();
    return true;
  }

  std::shared_ptr<Core> core_;
};

}  // namespace

std::shared_ptr<MemoryNetwork> memory_network(const Clock& clock) { return std::make_shared<Memory>(clock); }

}  // namespace net
}  // namespace v0
}  // namespace backstage
