// An HTTP/1.1 server over the network door.
//
//     auto server = http::Server::open(network, {.listen = {"127.0.0.1", 8080}}, [](http::Request request,
//                                                                                  http::Responder responder) {
//       responder.answer(http::json_response(200, R"({"hello":true})"));     // now, or later from any thread
//     }).or_fail();
//
// (1) Every request that reaches the handler is answered exactly once: by the Responder; with 500 when it is dropped
// or the handler throws; with 503 when the answer deadline passes (a later answer is dropped). (2) Requests of one
// connection are handled one after the other, so answers come in order; what is pipelined waits unread. (3) What is
// malformed or ambiguous is answered with 4xx and the connection closed; it never reaches the handler. (4) All memory
// is bounded by the options. The handler runs on the network's loop and must not block.
// Stability: settling (v0).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "backstage/base/result.hpp"
#include "backstage/base/time.hpp"
#include "backstage/http/message.hpp"
#include "backstage/net/callback.hpp"
#include "backstage/net/network.hpp"

namespace backstage {
inline namespace v0 {
namespace http {

namespace detail {
class ServerCore;
struct Outlet;
}  // namespace detail

struct ServerOptions {
  net::Address listen{"127.0.0.1", 0};

  // What may be asked. Names beside localhost, 127.0.0.1, [::1] and the listen address by which this server may be
  // called: "name" (with the server's own port) or "name:port"; "*" allows any, for a server whose proxy checks.
  std::vector<std::string> allowed_hosts = {};
  /// Origins beside the server's own ("http://" + host) whose pages may send what changes something:
  /// "https://a.example".
  std::vector<std::string> allowed_origins = {};

  // Sizes.
  std::size_t max_header_bytes = std::size_t{16} * 1024;             ///< request line and fields: 431
  std::size_t max_headers = 100;                                     ///< 431
  std::size_t max_target_bytes = std::size_t{8} * 1024;              ///< 414
  std::uint64_t max_body_bytes = std::uint64_t{4} * 1024 * 1024;     ///< 413
  std::uint64_t max_bodies_bytes = std::uint64_t{64} * 1024 * 1024;  ///< of all requests together: 503
  std::size_t max_connections = 1024;                                ///< 503
  std::size_t max_in_flight = 1024;                                  ///< requests unanswered, all connections: 503

  // Deadlines.
  Duration header_within = std::chrono::seconds(10);  ///< from the first byte (or connecting) to the head's end: 408
  Duration body_within = std::chrono::seconds(30);    ///< from the head to the last byte: 408
  Duration idle_within = std::chrono::seconds(60);    ///< between requests: closed
  Duration answer_within = std::chrono::seconds(30);  ///< by the handler: 503
  Duration write_within = std::chrono::seconds(30);   ///< for the client to take the answer: closed
  Duration retry_after = std::chrono::seconds(1);     ///< what a 503 advises
};

/// Answers one request, once, from any thread. May outlive the server: its answer then goes nowhere.
class Responder {
 public:
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&& other) noexcept;
  /// Unanswered: 500.
  ~Responder();

  /// A second answer is ignored.
  void answer(Response response);
  /// False when answered, or moved from.
  [[nodiscard]] bool is_open() const noexcept { return outlet_ != nullptr; }

 private:
  friend class detail::ServerCore;
  Responder(std::shared_ptr<detail::Outlet> outlet, std::uint64_t connection, std::uint64_t request)
      : outlet_(std::move(outlet)), connection_(connection), request_(request) {}
  void drop() noexcept;

  std::shared_ptr<detail::Outlet> outlet_;
  std::uint64_t connection_ = 0;
  std::uint64_t request_ = 0;
};

using Handler = net::Callback<void(Request, Responder)>;

class Server {
 public:
  struct Counters {
    std::uint64_t accepted = 0;      ///< connections
    std::uint64_t turned_away = 0;   ///< connections beyond max_connections
    std::uint64_t connections = 0;   ///< open now
    std::uint64_t requests = 0;      ///< that reached the handler
    std::uint64_t in_flight = 0;     ///< unanswered now
    std::uint64_t refused = 0;       ///< answered with an error by the server itself, before the handler
    std::uint64_t late_answers = 0;  ///< dropped, because the deadline had answered or the client was gone
  };

  /// Listens. Any thread but another network's loop.
  [[nodiscard]] static Result<std::unique_ptr<Server>> open(net::Network& network, ServerOptions options,
                                                            Handler handler);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  /// Closes everything at once. Must not run inside the handler.
  ~Server();

  [[nodiscard]] const net::Address& local() const noexcept { return local_; }
  [[nodiscard]] std::uint16_t local_port() const noexcept { return local_.port; }
  [[nodiscard]] Counters counters();

  /// Accepts no more, closes what is idle, lets requests in flight end until the deadline, then closes the rest.
  /// `done` is called on the loop with the number of connections that had to be cut. Any thread.
  void stop(Duration within, net::Callback<void(std::size_t)> done);

 private:
  Server(net::Network& network, std::shared_ptr<detail::ServerCore> core, net::Address local)
      : network_(network), core_(std::move(core)), local_(std::move(local)) {}

  net::Network& network_;
  std::shared_ptr<detail::ServerCore> core_;
  net::Address local_;
};

}  // namespace http
}  // namespace v0
}  // namespace backstage
