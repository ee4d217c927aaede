// The door through which all network use goes, so that it can be simulated (promise W1).
//
//     environment.open<net::Network>(net::asio_network(environment.clock()));   // real sockets
//     auto& network = environment.door<net::Network>();
//
// A Network is one loop: every callback runs on the loop, one at a time. (1) `post`, `listen` and `connect` may be
// called from any thread; everything else (Stream, Listener, Timer: their use and their destruction) happens on the
// loop, that is inside a callback or a posted function. (2) No callback runs inside the call that asked for it. (3)
// After a Stream, Listener or Timer is destroyed (on the loop) none of its callbacks is called. (4) All of them are
// destroyed before their Network.
// Stability: settling (v0).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "backstage/base/result.hpp"
#include "backstage/base/time.hpp"
#include "backstage/exec/environment.hpp"
#include "backstage/net/callback.hpp"

namespace backstage {
inline namespace v0 {
namespace net {

/// A numeric IP address ("127.0.0.1", "::1"; "localhost" stands for 127.0.0.1) and a port. Names are not looked up.
struct Address {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;

  friend bool operator==(const Address&, const Address&) = default;
};
/// "127.0.0.1:80", "[::1]:80".
[[nodiscard]] std::string to_string(const Address& address);

/// A connected pair's one end. At most one read and one write may be under way at a time.
class Stream {
 public:
  using OnRead = Callback<void(Result<std::string_view>)>;
  using OnWritten = Callback<void(Result<>)>;

  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  /// Closes.
  virtual ~Stream() = default;

  /// Some bytes (valid until the next read), at most read_chunk of them; none: the peer will send no more.
  /// Errc::timeout at the deadline (nothing is lost, one may read again), Errc::unavailable when the connection
  /// broke.
  virtual void read(Instant deadline, OnRead done) = 0;
  /// Writes all of it, or fails. After Errc::timeout part of it may have left.
  virtual void write(std::string bytes, Instant deadline, OnWritten done) = 0;
  /// Tells the peer that no more will come; reading goes on.
  virtual void shutdown_write() = 0;
  [[nodiscard]] virtual const Address& peer() const noexcept = 0;

  static constexpr std::size_t read_chunk = std::size_t{16} * 1024;
};

/// Accepts until destroyed. When the process has no descriptor left it waits a little instead of spinning.
class Listener {
 public:
  Listener() = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  virtual ~Listener() = default;
  /// What it listens on, the port filled in.
  [[nodiscard]] virtual const Address& local() const noexcept = 0;
  [[nodiscard]] std::uint16_t local_port() const noexcept { return local().port; }
  /// How often accept failed (no descriptor left, peer gone already). Any thread.
  [[nodiscard]] virtual std::uint64_t accept_failures() const noexcept = 0;
};

/// Destroyed: cancelled, exactly.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  virtual ~Timer() = default;
};

class Network {
 public:
  using OnAccept = Callback<void(std::unique_ptr<Stream>)>;
  using OnConnect = Callback<void(Result<std::unique_ptr<Stream>>)>;

  Network() = default;
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  virtual ~Network() = default;

  /// Port 0: any free one. Any thread.
  [[nodiscard]] virtual Result<std::unique_ptr<Listener>> listen(const Address& at, OnAccept accepted) = 0;
  /// Any thread; `done` comes on the loop, once.
  virtual void connect(const Address& to, Instant deadline, OnConnect done) = 0;
  /// Runs `work` on the loop. Any thread.
  virtual void post(Callback<void()> work) = 0;
  /// Runs `fire` at `at`, never early. On the loop only.
  [[nodiscard]] virtual std::unique_ptr<Timer> start_timer(Instant at, Callback<void()> fire) = 0;

  /// The time its deadlines are measured by. Any thread.
  [[nodiscard]] virtual const Clock& clock() const noexcept = 0;
  /// True when the caller is on the loop.
  [[nodiscard]] virtual bool in_loop() const noexcept = 0;

  enum class Progress : std::uint8_t {
    elsewhere,  ///< the loop has a thread of its own: wait for it
    made,       ///< something was run
    none,       ///< nothing will happen by itself
  };
  /// What somebody does who blocks on this network: one without a thread of its own runs what is due here and now.
  virtual Progress drive() = 0;
};

/// Runs `work` on the network's loop and returns when it has ended; at once when already there. Must not be called
/// from another network's loop that this one waits for.
void run_on(Network& network, Callback<void()> work);

/// Real sockets (Boost.Asio), one I/O thread of its own, joined by the destructor. `clock` must outlive it; the
/// clock of the Environment in which it is opened does.
[[nodiscard]] std::shared_ptr<Network> asio_network(const Clock& clock);

}  // namespace net
}  // namespace v0
}  // namespace backstage
