#include "connection.hpp"

#include <algorithm>
#include <utility>

#include "serialize.hpp"
#include "server_core.hpp"
#include "text.hpp"

namespace backstage {
inline namespace v0 {
namespace http {
namespace detail {

Connection::Connection(ServerCore& core, std::uint64_t id, std::unique_ptr<net::Stream> stream)
    : core_(core), id_(id), stream_(std::move(stream)) {}

Connection::~Connection() { forget_request(); }

void Connection::start() { await_request(core_.options().header_within); }

void Connection::await_request(Duration first_byte_within) {
  state_ = State::head;
  parser_.emplace(core_.options());
  ++number_;
  idle_ = true;
  deadline_ = core_.network().clock().now() + first_byte_within;
  advance();
}

// Takes the present request as far as the bytes at hand allow, then asks for more.
void Connection::advance() {
  while (state_ == State::head || state_ == State::body) {
    if (ahead_.empty()) return read_more(deadline_);
    if (idle_) {
      idle_ = false;
      deadline_ = core_.network().clock().now() + core_.options().header_within;
    }
    const std::size_t before = parser_->head_complete() ? parser_->request().body.size() : 0;
    const std::size_t used = parser_->feed(ahead_);
    ahead_.erase(0, used);
    if (parser_->fault()) return refuse(*parser_->fault());
    if (!parser_->head_complete()) continue;
    if (state_ == State::head) {
      judge_head();
      continue;
    }
    const std::uint64_t more = parser_->request().body.size() - before;
    if (!core_.take_body(more)) {
      return refuse(Fault{503, "unavailable", "too many bodies are being received; try again later"});
    }
    body_taken_ += more;
    if (parser_->complete()) return dispatch();
  }
}

// Before the body is read, and before a client that asks is told to send it.
void Connection::judge_head() {
  const Headers& headers = parser_->request().headers;
  head_only_ = parser_->request().method == "HEAD";
  if (const auto fault = core_.guard().check_host(parser_->authority())) return refuse(*fault);
  if (const auto fault = core_.guard().check_origin(parser_->request().method, headers)) return refuse(*fault);
  const std::string_view expectation = headers.get("Expect");
  if (headers.has("Expect") && !same_ignoring_case(expectation, "100-continue")) {
    return refuse(Fault{417, "expectation_failed", "the only Expect served here is 100-continue"});
  }
  if (parser_->complete()) return dispatch();
  state_ = State::body;
  deadline_ = core_.network().clock().now() + core_.options().body_within;
  if (headers.has("Expect") && ahead_.empty() && parser_->is_http11()) {
    state_ = State::writing;
    stream_->write("HTTP/1.1 100 Continue\r\n\r\n", core_.network().clock().now() + core_.options().write_within,
                   [this](const Result<>& result) {
                     const auto self = shared_from_this();
                     if (!result) return close();
                     state_ = State::body;
                     advance();
                   });
  }
}

void Connection::read_more(Instant deadline) {
  stream_->read(deadline, [this](const Result<std::string_view>& bytes) {
    const auto self = shared_from_this();
    have_read(bytes);
  });
}

void Connection::have_read(const Result<std::string_view>& bytes) {
  if (!bytes) return read_failed(bytes.error());
  if (bytes->empty()) {
    if (idle_) return close();
    return refuse(Fault{400, "bad_request", "the connection ended before the request did"});
  }
  ahead_.append(*bytes);
  advance();
}

void Connection::read_failed(const Error& error) {
  if (!error.is(Errc::timeout) || idle_) return close();
  refuse(Fault{408, "request_timeout",
               state_ == State::head ? "the head took too long to arrive" : "the body took too long to arrive"});
}

void Connection::dispatch() {
  state_ = State::handling;
  last_ = !parser_->keep_alive();
  if (!core_.begin_request()) {
    ++core_.counters().refused;
    return respond(unavailable_response(core_.options().retry_after, "too many requests are in flight"), last_);
  }
  counted_ = true;
  Request request = std::move(parser_->request());
  request.remote = stream_->peer();
  answer_timer_ = core_.network().start_timer(
      core_.network().clock().now() + core_.options().answer_within, [this, number = number_] {
        const auto self = shared_from_this();
        answer(number, unavailable_response(core_.options().retry_after, "the answer took too long"));
      });
  core_.handle(std::move(request), id_, number_);
}

bool Connection::answer(std::uint64_t number, Response response) {
  if (state_ != State::handling || number != number_) return false;
  respond(std::move(response), last_);
  return true;
}

// A refusal always ends the connection: after a request that was not understood or not read, nobody knows where the
// next one begins.
void Connection::refuse(const Fault& fault) {
  ++core_.counters().refused;
  Response response = error_response(fault.status, fault.code, fault.message);
  if (fault.status == 503) response = unavailable_response(core_.options().retry_after, fault.message);
  respond(std::move(response), true);
}

void Connection::respond(Response response, bool last) {
  forget_request();
  state_ = State::writing;
  last_ = last || core_.stopping() || same_ignoring_case(response.headers.get("Connection"), "close");
  stream_->write(serialize(response, core_.date(), head_only_, last_),
                 core_.network().clock().now() + core_.options().write_within, [this](const Result<>& result) {
                   const auto self = shared_from_this();
                   written(result);
                 });
}

void Connection::written(const Result<>& result) {
  if (!result) return close();
  head_only_ = false;
  // Asked again: the server may have begun to stop while this was written.
  if (last_ || core_.stopping()) return linger();
  await_request(core_.options().idle_within);
}

// To close with unread bytes in the socket would reset the connection, and the answer could be lost on its way: end
// our side, and read on for a little.
void Connection::linger() {
  state_ = State::lingering;
  parser_.reset();
  ahead_ = {};
  stream_->shutdown_write();
  linger_until_ = core_.network().clock().now() + std::chrono::seconds(1);
  linger_read();
}

void Connection::linger_read() {
  constexpr std::size_t most = std::size_t{1024} * 1024;
  stream_->read(linger_until_, [this](const Result<std::string_view>& bytes) {
    const auto self = shared_from_this();
    if (!bytes || bytes->empty()) return close();
    linger_bytes_ += bytes->size();
    if (linger_bytes_ > most || core_.network().clock().now() >= linger_until_) return close();
    linger_read();
  });
}

void Connection::wind_down() {
  if (state_ == State::head && idle_) return close();
  last_ = true;
}

void Connection::forget_request() {
  answer_timer_.reset();
  if (counted_) core_.end_request();
  counted_ = false;
  core_.give_body(std::exchange(body_taken_, 0));
}

void Connection::close() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  forget_request();
  stream_.reset();
  core_.closed(id_);  // last: usually the end of *this
}

}  // namespace detail
}  // namespace http
}  // namespace v0
}  // namespace backstage
