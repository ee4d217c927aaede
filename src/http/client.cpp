#include "backstage/http/client.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "parser.hpp"

namespace backstage {
inline namespace v0 {
namespace http {

/// One request's way there and back. Lives on the loop, but for what the mutex guards.
struct Client::Exchange : std::enable_shared_from_this<Client::Exchange> {
  explicit Exchange(net::Network& the_network) : network(the_network) {}

  void run(const net::Address& server, std::string request, bool head, Instant at) {
    bytes = std::move(request);
    deadline = at;
    parser.emplace(head, max_response_bytes);
    if (stream) return write();
    network.connect(server, deadline, [self = shared_from_this()](Result<std::unique_ptr<net::Stream>> connected) {
      if (!connected) return self->finish(connected.error());
      self->stream = std::move(*connected);
      self->write();
    });
  }
  void write() {
    has_left = true;
    stream->write(std::move(bytes), deadline, [self = weak_from_this()](const Result<>& result) {
      const auto alive = self.lock();
      // A server that refuses may answer and close before it has read everything: look for its answer anyway.
      if (alive && (result || result.error().is(Errc::unavailable))) return alive->read();
      if (alive) alive->finish(result.error());
    });
  }
  void read() {
    stream->read(deadline, [self = weak_from_this()](const Result<std::string_view>& result) {
      const auto alive = self.lock();
      if (!alive) return;
      if (!result) return alive->finish(result.error());
      const auto fed = alive->parser->feed(*result);
      if (!fed) return alive->finish(fed.error());
      if (alive->parser->complete()) return alive->finish(std::move(alive->parser->response()));
      alive->read();
    });
  }
  void finish(Result<Response> result) {
    if (!result || !parser->keep_alive()) stream.reset();
    if (!result && has_left) result = Error(result.error()).and_may_have_run();
    const std::lock_guard lock(mutex);
    outcome = std::move(result);
    changed.notify_all();
  }

  net::Network& network;
  std::unique_ptr<net::Stream> stream;
  std::string bytes;
  Instant deadline;
  bool has_left = false;
  std::optional<ResponseParser> parser;

  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Result<Response>> outcome;  // guarded by mutex
};

Client::Client(net::Network& network, net::Address server)
    : network_(network), server_(std::move(server)), exchange_(std::make_shared<Exchange>(network)) {}

Client::~Client() {
  net::run_on(network_, [this] {
    exchange_->stream.reset();
    exchange_.reset();
  });
}

Result<Response> Client::send(const Request& request, Duration within) {
  std::string bytes = request.method + " " + request.target + " HTTP/1.1\r\n";
  if (!request.headers.has("Host")) bytes += "Host: " + net::to_string(server_) + "\r\n";
  for (const auto& field : request.headers) bytes += field.name + ": " + field.value + "\r\n";
  const bool has_framing = request.headers.has("Content-Length") || request.headers.has("Transfer-Encoding");
  if (!has_framing && (!request.body.empty() || request.method == "POST" || request.method == "PUT")) {
    bytes += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  bytes += "\r\n" + request.body;

  const Instant deadline = network_.clock().now() + within;
  Exchange& exchange = *exchange_;
  net::run_on(network_, [&] {
    exchange.has_left = false;
    {
      const std::lock_guard lock(exchange.mutex);
      exchange.outcome.reset();
    }
    exchange.run(server_, std::move(bytes), request.method == "HEAD", deadline);
  });

  while (true) {
    {
      const std::lock_guard lock(exchange.mutex);
      if (exchange.outcome) break;
    }
    const auto progress = network_.drive();
    if (progress == net::Network::Progress::none) {
      net::run_on(network_, [&] {
        exchange.stream.reset();
        exchange.finish(Error(Errc::timeout, "no answer, and nothing more would happen on this network by itself"));
      });
    } else if (progress == net::Network::Progress::elsewhere) {
      // The loop's own deadlines end this wait.
      std::unique_lock lock(exchange.mutex);
      exchange.changed.wait(lock, [&] { return exchange.outcome.has_value(); });
    }
  }
  const std::lock_guard lock(exchange.mutex);
  return std::move(*std::exchange(exchange.outcome, std::nullopt));
}

Result<Response> Client::get(std::string target, Duration within) {
  Request request;
  request.target = std::move(target);
  return send(request, within);
}

Result<Response> Client::post(std::string target, std::string body, std::string_view content_type, Duration within) {
  Request request;
  request.method = "POST";
  request.target = std::move(target);
  request.body = std::move(body);
  request.headers.set("Content-Type", content_type);
  return send(request, within);
}

}  // namespace http
}  // namespace v0
}  // namespace backstage
