// Network over real sockets: Boost.Asio with one I/O thread.
//
// Concrete executor types everywhere: any_io_executor counts references in compiled library code that thread
// sanitizers do not see, and costs an indirection. An operation's handler holds a shared_ptr to the socket's state,
// so the buffers outlive whatever the kernel or Asio still does after the Stream is gone.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include <fcntl.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include "backstage/net/network.hpp"

namespace backstage {
inline namespace v0 {
namespace net {
namespace {

namespace asio = boost::asio;
using Code = boost::system::error_code;
using Tcp = asio::ip::tcp;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<Tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<Tcp, Executor>;
using SteadyTimer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

/// What a program starts does not inherit our connections. (Boost 1.81 opens sockets without it: whoever forks at that very
/// moment, on another thread, still may.)
void close_on_exec(int descriptor) noexcept { (void)fcntl(descriptor, F_SETFD, FD_CLOEXEC); }

Error broken(std::string_view what, const Code& code) {
  return Error(Errc::unavailable, std::string(what) + ": " + code.message());
}

Result<Tcp::endpoint> endpoint_of(const Address& address) {
  Code code;
  const auto ip = asio::ip::make_address(address.host == "localhost" ? "127.0.0.1" : address.host, code);
  if (code) {
    return Error(Errc::invalid, "'" + address.host +
                                    "' is no numeric IP address; names are not looked up, write for "
                                    "example 127.0.0.1 or ::1");
  }
  return Tcp::endpoint(ip, address.port);
}

Address address_of(const Tcp::endpoint& endpoint) { return {endpoint.address().to_string(), endpoint.port()}; }

/// One deadline that moves with every operation, while the timer beneath is set only when it must ring earlier than
/// it would anyway: a busy connection costs no timer traffic.
class Deadline : public std::enable_shared_from_this<Deadline> {
 public:
  Deadline(asio::io_context& io, const Clock& clock, Callback<void()> passed)
      : clock_(clock), timer_(io.get_executor()), passed_(std::move(passed)) {}

  void set(Instant at) {
    at_ = at;
    if (at_ < armed_) arm();
  }
  void clear() { at_ = Instant::never(); }
  void close() {
    closed_ = true;
    at_ = Instant::never();
    timer_.cancel();
    const auto passed = std::exchange(passed_, {});
  }

 private:
  void arm() {
    armed_ = at_;
    timer_.expires_after(std::max(at_ - clock_.now(), Duration::zero()));
    timer_.async_wait([self = shared_from_this()](const Code& code) { self->ring(code); });
  }
  void ring(const Code& code) {
    if (code) return;  // armed anew, or closed
    armed_ = Instant::never();
    if (at_ == Instant::never()) return;
    if (clock_.now() < at_) return arm();
    at_ = Instant::never();
    auto passed = std::exchange(passed_, {});  // it may close() us, and must not be destroyed while it runs
    passed();
    if (!closed_) passed_ = std::move(passed);
  }

  const Clock& clock_;
  SteadyTimer timer_;
  Callback<void()> passed_;
  Instant at_ = Instant::never();
  Instant armed_ = Instant::never();
  bool closed_ = false;
};

class AsioTimer final : public Timer {
 public:
  AsioTimer(asio::io_context& io, const Clock& clock, Instant at, Callback<void()> fire)
      : deadline_(std::make_shared<Deadline>(io, clock, std::move(fire))) {
    deadline_->set(at);
  }
  ~AsioTimer() override { deadline_->close(); }

 private:
  std::shared_ptr<Deadline> deadline_;
};

struct Connection : std::enable_shared_from_this<Connection> {
  Connection(asio::io_context& the_io, const Clock& the_clock)
      : io(the_io), clock(the_clock), socket(the_io.get_executor()) {}

  void open() {
    close_on_exec(socket.native_handle());
    Code ignored;  // without it only latency suffers
    socket.set_option(Tcp::no_delay(true), ignored);
    read_deadline = std::make_shared<Deadline>(io, clock, [this] {
      const auto self = shared_from_this();
      finish_read(Error(Errc::timeout, "nothing to read came before the deadline"));
    });
    write_deadline = std::make_shared<Deadline>(io, clock, [this] {
      const auto self = shared_from_this();
      finish_write(Error(Errc::timeout, "the peer did not read before the deadline"));
    });
  }
  void close() {
    Code ignored;
    socket.close(ignored);
    if (read_deadline) read_deadline->close();
    if (write_deadline) write_deadline->close();
    const auto read = std::exchange(on_read, {});
    const auto written = std::exchange(on_written, {});
  }

  // A read that missed its deadline stays with the kernel; the next read() takes over what it brings.
  void start_read() {
    if (early) {
      asio::post(io, [self = shared_from_this()] {
        if (!self->on_read || !self->early) return;
        auto result = std::move(*std::exchange(self->early, std::nullopt));
        self->finish_read(std::move(result));
      });
      return;
    }
    if (reading) return;
    reading = true;
    socket.async_read_some(asio::buffer(buffer), [self = shared_from_this()](const Code& code, std::size_t count) {
      self->reading = false;
      Result<std::string_view> result{std::string_view(self->buffer.data(), count)};
      if (code && code != asio::error::eof) result = broken("the connection broke while reading", code);
      if (self->on_read) {
        self->finish_read(std::move(result));
      } else {
        self->early = std::move(result);
      }
    });
  }
  void write_on() {
    socket.async_write_some(asio::buffer(outgoing.data() + written_bytes, outgoing.size() - written_bytes),
                            [self = shared_from_this()](const Code& code, std::size_t count) {
                              self->written_bytes += count;
                              if (!self->on_written) return;  // timed out or closed meanwhile
                              if (code) return self->finish_write(broken("the connection broke while writing", code));
                              if (self->written_bytes < self->outgoing.size()) return self->write_on();
                              self->finish_write({});
                            });
  }
  void finish_read(Result<std::string_view> result) {
    read_deadline->clear();
    if (auto done = std::exchange(on_read, {})) done(std::move(result));
  }
  void finish_write(Result<> result) {
    write_deadline->clear();
    if (auto done = std::exchange(on_written, {})) done(std::move(result));
  }

  asio::io_context& io;
  const Clock& clock;
  Socket socket;
  std::array<char, Stream::read_chunk> buffer{};
  bool reading = false;
  std::optional<Result<std::string_view>> early;
  Stream::OnRead on_read;
  std::shared_ptr<Deadline> read_deadline;
  std::string outgoing;
  std::size_t written_bytes = 0;
  Stream::OnWritten on_written;
  std::shared_ptr<Deadline> write_deadline;
};

class AsioStream final : public Stream {
 public:
  AsioStream(std::shared_ptr<Connection> connection, Address peer)
      : connection_(std::move(connection)), peer_(std::move(peer)) {}
  ~AsioStream() override { connection_->close(); }

  void read(Instant deadline, OnRead done) override {
    connection_->on_read = std::move(done);
    connection_->read_deadline->set(deadline);
    connection_->start_read();
  }
  void write(std::string bytes, Instant deadline, OnWritten done) override {
    connection_->outgoing = std::move(bytes);
    connection_->written_bytes = 0;
    connection_->on_written = std::move(done);
    connection_->write_deadline->set(deadline);
    connection_->write_on();
  }
  void shutdown_write() override {
    Code ignored;  // the peer may be gone already
    connection_->socket.shutdown(Socket::shutdown_send, ignored);
  }
  const Address& peer() const noexcept override { return peer_; }

 private:
  std::shared_ptr<Connection> connection_;
  Address peer_;
};

struct Accepting : std::enable_shared_from_this<Accepting> {
  Accepting(asio::io_context& the_io, const Clock& the_clock, Network::OnAccept callback)
      : io(the_io),
        clock(the_clock),
        acceptor(the_io.get_executor()),
        retry(the_io.get_executor()),
        accepted(std::move(callback)) {}

  void accept() {
    const auto next = std::make_shared<Connection>(io, clock);
    acceptor.async_accept(next->socket, [self = shared_from_this(), next](const Code& code) {
      if (self->closed) return;
      if (code) return self->wait_after_failure();
      Code gone;
      const auto peer = next->socket.remote_endpoint(gone);
      if (!gone) {
        next->open();
        self->accepted(std::make_unique<AsioStream>(next, address_of(peer)));
      }
      if (!self->closed) self->accept();
    });
  }
  // Above all EMFILE: the connection stays in the backlog, so accepting at once would fail at once, for ever.
  void wait_after_failure() {
    // relaxed: a statistic; nothing is read through it.
    failures.fetch_add(1, std::memory_order_relaxed);
    retry.expires_after(std::chrono::milliseconds(100));
    retry.async_wait([self = shared_from_this()](const Code& code) {
      if (!code && !self->closed) self->accept();
    });
  }

  asio::io_context& io;
  const Clock& clock;
  Acceptor acceptor;
  SteadyTimer retry;
  Network::OnAccept accepted;
  bool closed = false;
  std::atomic<std::uint64_t> failures{0};
};

class AsioListener final : public Listener {
 public:
  AsioListener(std::shared_ptr<Accepting> accepting, Address local)
      : accepting_(std::move(accepting)), local_(std::move(local)) {}
  ~AsioListener() override {
    accepting_->closed = true;
    Code ignored;
    accepting_->acceptor.close(ignored);
    accepting_->retry.cancel();
  }
  const Address& local() const noexcept override { return local_; }
  std::uint64_t accept_failures() const noexcept override {
    // relaxed: see wait_after_failure().
    return accepting_->failures.load(std::memory_order_relaxed);
  }

 private:
  std::shared_ptr<Accepting> accepting_;
  Address local_;
};

class AsioNetwork final : public Network {
 public:
  explicit AsioNetwork(const Clock& clock)
      : clock_(clock), io_(1), work_(io_.get_executor()), thread_([this] { io_.run(); }) {}
  ~AsioNetwork() override {
    io_.stop();
    thread_.join();
  }

  Result<std::unique_ptr<Listener>> listen(const Address& at, OnAccept accepted) override {
    const auto endpoint = endpoint_of(at);
    if (!endpoint) return endpoint.error();
    const auto accepting = std::make_shared<Accepting>(io_, clock_, std::move(accepted));
    Acceptor& acceptor = accepting->acceptor;
    Code code;
    acceptor.open(endpoint->protocol(), code);
    if (!code) close_on_exec(acceptor.native_handle());
    if (!code) acceptor.set_option(Acceptor::reuse_address(true), code);
    if (!code) acceptor.bind(*endpoint, code);
    if (!code) acceptor.listen(Acceptor::max_listen_connections, code);
    const auto local = code ? Tcp::endpoint() : acceptor.local_endpoint(code);
    if (code) {
      return Error(Errc::unavailable, "cannot listen on " + to_string(at) + ": " + code.message() +
                                          "; choose another address or port (port 0 takes a free one)");
    }
    asio::post(io_, [accepting] {
      if (!accepting->closed) accepting->accept();
    });
    std::unique_ptr<Listener> listener = std::make_unique<AsioListener>(accepting, address_of(local));
    return listener;
  }

  void connect(const Address& to, Instant deadline, OnConnect done) override {
    asio::post(io_, [this, to, deadline, done = std::move(done)]() mutable {
      start_connect(to, deadline, std::move(done));
    });
  }

  void post(Callback<void()> work) override {
    asio::post(io_, [work = std::move(work)]() mutable { work(); });
  }
  std::unique_ptr<Timer> start_timer(Instant at, Callback<void()> fire) override {
    return std::make_unique<AsioTimer>(io_, clock_, at, std::move(fire));
  }
  const Clock& clock() const noexcept override { return clock_; }
  bool in_loop() const noexcept override { return work_.get_executor().running_in_this_thread(); }
  Progress drive() override { return Progress::elsewhere; }

 private:
  struct Attempt {
    OnConnect done;
    std::unique_ptr<Timer> timer;
  };

  void start_connect(const Address& to, Instant deadline, OnConnect done) {
    const auto endpoint = endpoint_of(to);
    if (!endpoint) return done(endpoint.error());
    const auto connection = std::make_shared<Connection>(io_, clock_);
    const auto attempt = std::make_shared<Attempt>();
    attempt->done = std::move(done);
    if (deadline != Instant::never()) {
      attempt->timer = start_timer(deadline, [attempt = std::weak_ptr(attempt), connection, to] {
        const auto still = attempt.lock();
        if (!still || !still->done) return;
        Code ignored;
        connection->socket.close(ignored);
        auto callback = std::exchange(still->done, {});
        callback(Error(Errc::timeout, "no connection to " + to_string(to) + " before the deadline"));
      });
    }
    connection->socket.async_connect(*endpoint, [attempt, connection, to](const Code& code) {
      attempt->timer.reset();
      auto callback = std::exchange(attempt->done, {});
      if (!callback) return;
      if (code) return callback(broken("cannot connect to " + to_string(to), code));
      connection->open();
      std::unique_ptr<Stream> stream = std::make_unique<AsioStream>(connection, to);
      callback(std::move(stream));
    });
  }

  const Clock& clock_;
  asio::io_context io_;
  asio::executor_work_guard<Executor> work_;
  std::thread thread_;  // last: runs only while all above is alive
};

}  // namespace

std::shared_ptr<Network> asio_network(const Clock& clock) { return std::make_shared<AsioNetwork>(clock); }

}  // namespace net
}  // namespace v0
}  // namespace backstage
