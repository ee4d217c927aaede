// What a Server, its Connections and its Responders share.
//
//   Server --owns--> ServerCore --owns--> Connection (one per stream)
//   Responder --owns--> Outlet --weak--> ServerCore
//
// Everything here lives on the network's loop, the Outlet's post() excepted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "backstage/http/server.hpp"
#include "guard.hpp"

namespace backstage {
inline namespace v0 {
namespace http {
namespace detail {

class Connection;

/// The way from a Responder, on any thread, back to the loop; closed when the server goes, which a Responder may
/// outlive.
struct Outlet {
  std::mutex mutex;
  net::Network* network = nullptr;  // null: closed
  std::weak_ptr<ServerCore> core;   // locked on the loop only

  void send(std::uint64_t connection, std::uint64_t request, Response response) {
    const std::lock_guard lock(mutex);
    if (network != nullptr) post(connection, request, std::move(response));
  }

 private:
  void post(std::uint64_t connection, std::uint64_t request, Response response);
};

class ServerCore : public std::enable_shared_from_this<ServerCore> {
 public:
  ServerCore(net::Network& network, ServerOptions options, Handler handler);

  Result<net::Address> listen();
  void stop(Duration within, net::Callback<void(std::size_t)> done);
  /// Closes everything now; nothing is called afterwards.
  void shut_down();

  // What a Connection asks of its server.
  [[nodiscard]] net::Network& network() const noexcept { return network_; }
  [[nodiscard]] const ServerOptions& options() const noexcept { return options_; }
  [[nodiscard]] const Guard& guard() const noexcept { return guard_; }
  [[nodiscard]] bool stopping() const noexcept { return stopping_; }
  /// The Date field's value, made once per second.
  [[nodiscard]] const std::string& date();
  /// False: no more requests can be taken in now.
  [[nodiscard]] bool begin_request();
  void end_request() { --counters_.in_flight; }
  /// False: the bodies of all requests together would be too large.
  [[nodiscard]] bool take_body(std::uint64_t bytes);
  void give_body(std::uint64_t bytes) { body_bytes_ -= bytes; }
  void handle(Request request, std::uint64_t connection, std::uint64_t number);
  void closed(std::uint64_t connection);
  [[nodiscard]] std::size_t open_connections() const noexcept { return connections_.size(); }
  [[nodiscard]] Server::Counters& counters() noexcept { return counters_; }

  void answer(std::uint64_t connection, std::uint64_t request, Response response);

 private:
  void accepted(std::unique_ptr<net::Stream> stream);
  void turn_away(std::unique_ptr<net::Stream> stream);
  void check_stopped();

  net::Network& network_;
  ServerOptions options_;
  // Shared: a handler may stop the server it is called by.
  std::shared_ptr<Handler> handler_;
  Guard guard_;
  std::shared_ptr<Outlet> outlet_ = std::make_shared<Outlet>();
  std::unique_ptr<net::Listener> listener_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> connections_;
  std::unordered_map<std::uint64_t, std::unique_ptr<net::Stream>> turned_away_;
  std::uint64_t next_connection_ = 0;
  std::uint64_t body_bytes_ = 0;
  Server::Counters counters_;
  std::string date_;
  std::int64_t date_second_ = -1;
  bool stopping_ = false;
  std::unique_ptr<net::Timer> stop_timer_;
  net::Callback<void(std::size_t)> stopped_;
};

}  // namespace detail
}  // namespace http
}  // namespace v0
}  // namespace backstage
