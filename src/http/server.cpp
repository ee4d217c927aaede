#include "backstage/http/server.hpp"

#include <utility>

#include "connection.hpp"
#include "serialize.hpp"
#include "server_core.hpp"

namespace backstage {
inline namespace v0 {
namespace http {
namespace detail {

// Precondition: mutex is held, the outlet is open.
void Outlet::post(std::uint64_t connection, std::uint64_t request, Response response) {
  network->post([to = core, connection, request, response = std::move(response)]() mutable {
    if (const auto server = to.lock()) server->answer(connection, request, std::move(response));
  });
}

ServerCore::ServerCore(net::Network& network, ServerOptions options, Handler handler)
    : network_(network), options_(std::move(options)), handler_(std::make_shared<Handler>(std::move(handler))) {}

Result<net::Address> ServerCore::listen() {
  auto listener = network_.listen(options_.listen, [weak = weak_from_this()](std::unique_ptr<net::Stream> stream) {
    if (const auto self = weak.lock()) self->accepted(std::move(stream));
  });
  if (!listener) return listener.error();
  listener_ = std::move(*listener);
  guard_ = Guard(options_, listener_->local());
  outlet_->core = weak_from_this();
  const std::lock_guard lock(outlet_->mutex);
  outlet_->network = &network_;
  return listener_->local();
}

void ServerCore::accepted(std::unique_ptr<net::Stream> stream) {
  if (stopping_) return;
  if (connections_.size() >= options_.max_connections) return turn_away(std::move(stream));
  ++counters_.accepted;
  const std::uint64_t id = next_connection_++;
  const auto connection = std::make_shared<Connection>(*this, id, std::move(stream));
  connections_.emplace(id, connection);
  connection->start();
}

// Says why, if that costs nothing: beyond a few that wait for it, a connection is closed without a word.
void ServerCore::turn_away(std::unique_ptr<net::Stream> stream) {
  constexpr std::size_t most = 64;
  ++counters_.turned_away;
  if (turned_away_.size() >= most) return;
  const std::uint64_t id = next_connection_++;
  net::Stream& kept = *turned_away_.emplace(id, std::move(stream)).first->second;
  const Response response = unavailable_response(options_.retry_after, "too many connections");
  const Instant deadline = network_.clock().now() + std::chrono::seconds(1);
  kept.write(serialize(response, date(), false, true), deadline, [this, id, deadline](const Result<>& result) {
    if (!result) {
      turned_away_.erase(id);
      return;
    }
    // One read takes the request that is surely on its way, so that closing does not reset the connection.
    net::Stream& still = *turned_away_.at(id);
    still.shutdown_write();
    still.read(deadline, [this, id](const Result<std::string_view>&) { turned_away_.erase(id); });
  });
}

const std::string& ServerCore::date() {
  const WallTime now = network_.clock().wall();
  const std::int64_t second = now.ns / 1'000'000'000;
  if (second != date_second_ || date_.empty()) {
    date_ = http_date(now);
    date_second_ = second;
  }
  return date_;
}

bool ServerCore::begin_request() {
  if (counters_.in_flight >= options_.max_in_flight) return false;
  ++counters_.in_flight;
  return true;
}

bool ServerCore::take_body(std::uint64_t bytes) {
  if (bytes > options_.max_bodies_bytes - body_bytes_) return false;
  body_bytes_ += bytes;
  return true;
}

void ServerCore::handle(Request request, std::uint64_t connection, std::uint64_t number) {
  ++counters_.requests;
  const auto handler = handler_;
  try {
    (*handler)(std::move(request), Responder(outlet_, connection, number));
  } catch (...) {
    // The Responder went with the stack and answered 500. What a handler throws is no reason to end the loop.
  }
}

void ServerCore::answer(std::uint64_t connection, std::uint64_t request, Response response) {
  const auto found = connections_.find(connection);
  if (found == connections_.end() || !found->second->answer(request, std::move(response))) ++counters_.late_answers;
}

void ServerCore::closed(std::uint64_t connection) {
  connections_.erase(connection);
  check_stopped();
}

void ServerCore::stop(Duration within, net::Callback<void(std::size_t)> done) {
  if (stopping_) return done(0);
  stopping_ = true;
  stopped_ = std::move(done);
  listener_.reset();
  stop_timer_ = network_.start_timer(network_.clock().now() + within, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    const std::size_t cut = self->connections_.size();
    auto ended = std::exchange(self->stopped_, {});
    self->shut_down();
    if (ended) ended(cut);
  });
  std::vector<std::shared_ptr<Connection>> all;
  for (const auto& [id, connection] : connections_) all.push_back(connection);
  for (const auto& connection : all) connection->wind_down();
  check_stopped();
}

void ServerCore::check_stopped() {
  if (!stopping_ || !connections_.empty() || !stopped_) return;
  stop_timer_.reset();
  auto ended = std::exchange(stopped_, {});
  ended(0);
}

void ServerCore::shut_down() {
  stopping_ = true;
  {
    const std::lock_guard lock(outlet_->mutex);
    outlet_->network = nullptr;
  }
  listener_.reset();
  stop_timer_.reset();
  stopped_ = {};
  connections_.clear();
  turned_away_.clear();
}

}  // namespace detail

Responder& Responder::operator=(Responder&& other) noexcept {
  if (this != &other) {
    drop();
    outlet_ = std::move(other.outlet_);
    connection_ = other.connection_;
    request_ = other.request_;
  }
  return *this;
}

Responder::~Responder() { drop(); }

void Responder::drop() noexcept {
  if (!outlet_) return;
  try {
    answer(error_response(500, "no_answer", "the request was dropped unanswered"));
  } catch (...) {
    // Out of memory: the answer deadline answers instead.
  }
}

void Responder::answer(Response response) {
  if (const auto outlet = std::exchange(outlet_, nullptr)) outlet->send(connection_, request_, std::move(response));
}

Result<std::unique_ptr<Server>> Server::open(net::Network& network, ServerOptions options, Handler handler) {
  auto core = std::make_shared<detail::ServerCore>(network, std::move(options), std::move(handler));
  Result<net::Address> local{Error(Errc::unavailable)};
  net::run_on(network, [&] { local = core->listen(); });
  if (!local) return local.error();
  return std::unique_ptr<Server>(new Server(network, std::move(core), std::move(*local)));
}

Server::~Server() {
  net::run_on(network_, [this] {
    core_->shut_down();
    core_.reset();
  });
}

Server::Counters Server::counters() {
  Counters now;
  net::run_on(network_, [&] {
    now = core_->counters();
    now.connections = core_->open_connections();
  });
  return now;
}

void Server::stop(Duration within, net::Callback<void(std::size_t)> done) {
  network_.post([weak = std::weak_ptr(core_), within, done = std::move(done)]() mutable {
    if (const auto core = weak.lock()) core->stop(within, std::move(done));
  });
}

}  // namespace http
}  // namespace v0
}  // namespace backstage
