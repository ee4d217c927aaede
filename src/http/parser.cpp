// Boost.Beast's parser, fed by hand, behind our own stricter rules (head_rules.hpp): a head reaches Beast only when
// it is complete and there is nothing in it that two readers could understand differently. Chunked bodies are
// Beast's; trailers are checked by it and then dropped, so that no trailer can pass for a header.
#include "parser.hpp"

#include <algorithm>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "text.hpp"

namespace backstage {
inline namespace v0 {
namespace http {
namespace {

namespace beast = boost::beast;
using Code = boost::system::error_code;

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

/// Beast needs a chunk's line, or the last chunk with its trailers, in one piece; more than this is refused.
constexpr std::size_t max_chunk_line = std::size_t{4} * 1024;

class BeastRequest final : public beast::http::basic_parser<true> {
 public:
  Request request;
  int version = 11;

 private:
  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target, int number,
                       Code&) override {
    request.method = view(method);
    request.target = view(target);
    version = number;
  }
  void on_response_impl(int, beast::string_view, int, Code&) override {}
  void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value, Code&) override {
    if (!is_header_done()) request.headers.add(view(name), view(value));
  }
  void on_header_impl(Code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, Code&) override {}
  std::size_t on_body_impl(beast::string_view bytes, Code&) override {
    request.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, Code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view bytes, Code&) override {
    request.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_finish_impl(Code&) override {}
};

class BeastResponse final : public beast::http::basic_parser<false> {
 public:
  Response response;

 private:
  void on_request_impl(beast::http::verb, beast::string_view, beast::string_view, int, Code&) override {}
  void on_response_impl(int status, beast::string_view, int, Code&) override { response.status = status; }
  void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value, Code&) override {
    if (!is_header_done()) response.headers.add(view(name), view(value));
  }
  void on_header_impl(Code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, Code&) override {}
  std::size_t on_body_impl(beast::string_view bytes, Code&) override {
    response.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, Code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view bytes, Code&) override {
    response.body.append(bytes.data(), bytes.size());
    return bytes.size();
  }
  void on_finish_impl(Code&) override {}
};

/// Feeds Beast until it is done, needs more, or fails. Returns what it took.
template <class Parser>
std::size_t put_all(Parser& parser, std::string_view bytes, Code& code) {
  std::size_t used = 0;
  while (!parser.is_done() && used < bytes.size()) {
    const std::size_t count = parser.put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), code);
    used += count;
    if (code || count == 0) break;
  }
  if (code == beast::http::error::need_more) code = {};
  return used;
}

}  // namespace

struct RequestParser::State {
  explicit State(const ServerOptions& the_options) : options(the_options) {
    // Beast's own limit would be 8 KiB; ours is checked before it sees anything.
    beast.header_limit(static_cast<std::uint32_t>(std::min<std::size_t>(options.max_header_bytes, UINT32_MAX / 2)) +
                       64U);
    beast.body_limit(options.max_body_bytes);
    beast.eager(true);
  }

  std::size_t feed_head(std::string_view bytes);
  void finish_head();
  void read_target();
  std::size_t feed_body(std::string_view bytes);
  void fail(const Code& code);

  const ServerOptions& options;
  BeastRequest beast;
  std::string head;
  bool head_complete = false;
  std::string pending;  // what Beast wants to see again, with more behind it
  std::optional<Fault> fault;
};

std::size_t RequestParser::State::feed_head(std::string_view bytes) {
  const std::size_t before = head.size();
  head.append(bytes.substr(0, options.max_header_bytes + 1 - std::min(before, options.max_header_bytes)));
  const std::size_t end = head.find("\r\n\r\n", before < 3 ? 0 : before - 3);
  if (end != std::string::npos) head.resize(end + 4);
  const std::size_t taken = head.size() - before;

  fault = check_bytes(std::string_view(head).substr(before), before == 0 ? '\0' : head[before - 1]);
  if (fault) return taken;
  if (head.front() == '\r') {
    fault = Fault{400, "bad_request", "an empty line before the request line"};
  } else if (head.find("\r\n") == std::string::npos && head.size() > options.max_target_bytes + 64) {
    fault = Fault{414, "uri_too_long", "the request line is longer than this server takes"};
  } else if (head.size() > options.max_header_bytes) {
    fault = Fault{431, "headers_too_large",
                  "the head is longer than " + std::to_string(options.max_header_bytes) + " bytes"};
  } else if (end != std::string::npos) {
    finish_head();
  }
  return taken;
}

void RequestParser::State::finish_head() {
  fault = check_head(head, options.max_target_bytes, options.max_headers);
  if (fault) return;
  Code code;
  const std::size_t used = put_all(beast, head, code);
  if (code) return fail(code);
  if (used != head.size() || !beast.is_header_done()) {
    fault = Fault{400, "bad_request", "the head is malformed"};
    return;
  }
  head_complete = true;
  head = {};
  read_target();
}

void RequestParser::State::read_target() {
  Request& request = beast.request;
  if (request.method == "CONNECT" || request.method == "TRACE") {
    fault = Fault{501, "not_implemented", "the method " + request.method + " is not served"};
    return;
  }
  if (request.target == "*" && request.method == "OPTIONS") {
    request.path = "*";
    return;
  }
  std::string_view target = request.target;
  if (target.starts_with("http://")) {
    target.remove_prefix(7);
    const std::size_t end = std::min(target.find_first_of("/?"), target.size());
    if (!same_ignoring_case(target.substr(0, end), request.headers.get("Host"))) {
      fault = Fault{400, "bad_request", "the target names another host than Host"};
      return;
    }
    target.remove_prefix(end);
    if (target.empty()) target = "/";
  }
  auto parsed = parse_target(target);
  if (!parsed) {
    fault = Fault{400, "bad_request", std::string(parsed.error().text())};
    return;
  }
  request.path = std::move(parsed->path);
  request.segments = std::move(parsed->segments);
  request.query = std::move(parsed->query);
}

std::size_t RequestParser::State::feed_body(std::string_view bytes) {
  Code code;
  const bool had_pending = !pending.empty();
  if (had_pending) {
    pending.append(bytes);
    // What is pending is at the start of a chunk's line, and the shortest that can be whole from there is
    // "0\r\n\r\n": Beast asserts that it is not asked again before that.
    if (pending.size() < 5) {
      fault = check_bytes(pending, '\0');
      return bytes.size();
    }
  }
  const std::string_view all = had_pending ? std::string_view(pending) : bytes;
  const std::size_t used = put_all(beast, all, code);
  if (code) {
    fail(code);
    return bytes.size();
  }
  const std::size_t rest = all.size() - used;
  if (beast.is_done()) {
    // What was pending alone did not complete it, so all of the rest is from `bytes`.
    pending.clear();
    return bytes.size() - rest;
  }
  if (had_pending) {
    pending.erase(0, used);
  } else {
    pending.assign(bytes.substr(used));
  }
  // Only lines are ever kept; a line that can never end rightly is not waited for.
  fault = check_bytes(pending, '\0');
  if (!fault && pending.size() > max_chunk_line) {
    fault = Fault{400, "bad_request", "a chunk's line or the trailers are too long"};
  }
  return bytes.size();
}

void RequestParser::State::fail(const Code& code) {
  if (code == beast::http::error::body_limit) {
    fault = Fault{413, "too_large", "the body is larger than " + std::to_string(options.max_body_bytes) + " bytes"};
  } else {
    fault = Fault{400, "bad_request", "the request is malformed: " + code.message()};
  }
}

RequestParser::RequestParser(const ServerOptions& options) : state_(std::make_unique<State>(options)) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;
RequestParser& RequestParser::operator=(RequestParser&&) noexcept = default;

std::size_t RequestParser::feed(std::string_view bytes) {
  if (bytes.empty() || state_->fault || complete()) return 0;
  return state_->head_complete ? state_->feed_body(bytes) : state_->feed_head(bytes);
}
bool RequestParser::started() const noexcept { return state_->head_complete || !state_->head.empty(); }
bool RequestParser::head_complete() const noexcept { return state_->head_complete; }
bool RequestParser::complete() const noexcept { return state_->head_complete && state_->beast.is_done(); }
const std::optional<Fault>& RequestParser::fault() const noexcept { return state_->fault; }
bool RequestParser::keep_alive() const noexcept { return is_http11() && state_->beast.keep_alive(); }
bool RequestParser::is_http11() const noexcept { return state_->head_complete && state_->beast.version == 11; }
std::string_view RequestParser::authority() const noexcept { return state_->beast.request.headers.get("Host"); }
Request& RequestParser::request() noexcept { return state_->beast.request; }

struct ResponseParser::State {
  State(bool skip_body, std::uint64_t max) : answers_head(skip_body), max_bytes(max) { start(); }
  void start() {
    beast = std::make_unique<BeastResponse>();
    beast->header_limit(64U * 1024U);
    beast->body_limit(max_bytes);
    beast->eager(true);
    beast->skip(answers_head);
  }
  bool answers_head;
  std::uint64_t max_bytes;
  std::unique_ptr<BeastResponse> beast;
  std::string pending;
};

ResponseParser::ResponseParser(bool answers_head, std::uint64_t max_bytes)
    : state_(std::make_unique<State>(answers_head, max_bytes)) {}
ResponseParser::~ResponseParser() = default;
ResponseParser::ResponseParser(ResponseParser&&) noexcept = default;
ResponseParser& ResponseParser::operator=(ResponseParser&&) noexcept = default;

Result<> ResponseParser::feed(std::string_view bytes) {
  Code code;
  if (bytes.empty()) {
    if (!state_->beast->got_some()) return Error(Errc::unavailable, "the server closed the connection unasked");
    state_->beast->put_eof(code);
    if (code == beast::http::error::partial_message) {
      return Error(Errc::unavailable, "the server closed the connection before its answer was complete");
    }
  } else {
    const bool had_pending = !state_->pending.empty();
    state_->pending.append(bytes);
    // As in a request: what is left of a chunk's line is not shown again before it can be whole.
    if (had_pending && state_->beast->chunked() && state_->pending.size() < 5) return {};
    for (bool goes_on = true; goes_on && !state_->pending.empty();) {
      const std::size_t used = put_all(*state_->beast, state_->pending, code);
      state_->pending.erase(0, used);
      // An interim response is passed over; another follows it.
      goes_on = !code && state_->beast->is_done() && state_->beast->response.status / 100 == 1;
      if (goes_on) state_->start();
    }
  }
  if (code) return Error(Errc::invalid, "the response is malformed: " + code.message());
  return {};
}
bool ResponseParser::complete() const noexcept { return state_->beast->is_done(); }
bool ResponseParser::keep_alive() const noexcept { return complete() && state_->beast->keep_alive(); }
Response& ResponseParser::response() noexcept { return state_->beast->response; }

}  // namespace http
}  // namespace v0
}  // namespace backstage
