#include "chronicle/desk.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "chronicle/intake/text.hpp"
#include "chronicle/nonce.hpp"

namespace chronicle {

using namespace std::chrono_literals;
using backstage::Context;
using backstage::Interleaved;
using backstage::moved;
using backstage::Ref;
using backstage::Task;
namespace http = backstage::http;

namespace {

constexpr backstage::Duration retry_after = 1s;
// Of a batch, one ask of the store: less than half of what a group may hold, so that others fit beside it.
constexpr std::size_t part_count = 1'000;
// Refusing must be far cheaper than storing, or an overload eats the time in which the store could be fed. A full store
// has half a second's work before it, so that it does not run dry meanwhile.
constexpr backstage::Duration shed_for = 50ms;
constexpr std::size_t part_bytes = std::size_t{1} << 20U;

http::Response response_of(Verdict verdict) {
  http::Response response = http::json_response(verdict.status, std::move(verdict.body));
  if (verdict.status == 503) response.headers.set("Retry-After", "1");
  return response;
}
http::Response invalid(std::string_view text) { return http::error_response(400, "invalid", text); }

/// The media type without its parameters, in lower case.
std::string media_type(const http::Request& request) {
  std::string_view value = request.headers.get("Content-Type");
  std::string type(trim(value.substr(0, value.find(';'))));
  std::transform(type.begin(), type.end(), type.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return type;
}

/// The first query key that the route does not know: a misspelt "form=" must not give the whole stream.
std::optional<std::string> unknown_key(const http::Request& request, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : request.query) {
    if (std::find(known.begin(), known.end(), key) == known.end()) return "no query key '" + key + "' here";
  }
  return std::nullopt;
}

Result<Draft> raw_draft(http::Request& request) {
  Draft draft;
  draft.stream = request.query_value("stream").value_or("");
  draft.content_type = request.headers.get("Content-Type");
  draft.payload = std::move(request.body);
  if (const auto identity = request.query_value("identity")) {
    const auto parsed = parse_identity(*identity);
    if (!parsed) return parsed.error();
    draft.identity = *parsed;
  }
  if (const auto time = request.query_value("source_time")) {
    const auto parsed = parse_time(*time);
    if (!parsed) return parsed.error();
    draft.source_time = *parsed;
  }
  return draft;
}

Result<Query> query_of(const http::Request& request) {
  Query query;
  query.stream = request.param("stream");
  query.cursor = request.query_value("cursor").value_or("");
  for (const auto& [key, end] : {std::pair("from", &query.from), std::pair("to", &query.to)}) {
    const auto text = request.query_value(key);
    if (!text) continue;
    const auto time = parse_time(*text);
    if (!time) return time.error();
    *end = *time;
  }
  if (const auto text = request.query_value("limit")) {
    const auto limit = to_number(*text);
    if (!limit || *limit == 0) return Error(Errc::invalid, "'limit' has to be a whole number from 1");
    query.limit = static_cast<std::size_t>(*limit);
  }
  if (const auto by = request.query_value("time")) {
    if (*by != "arrival" && *by != "source") return Error(Errc::invalid, "'time' is 'arrival' or 'source'");
    query.by = *by == "source" ? By::source : By::arrival;
  }
  return query;
}

bool wants_bytes(const http::Request& request) {
  return request.headers.get("Accept").find("application/octet-stream") != std::string_view::npos;
}

}  // namespace

Call::~Call() {
  if (!responder.is_open()) return;
  try {
    if (begun && route == Route::post) {
      responder.answer(http::error_response(504, "outcome_unknown",
                                            "whether this was stored is not known: ask with the same key again"));
      return;
    }
    responder.answer(http::unavailable_response(retry_after, "Chronicle is busy or being stopped; try again soon"));
  } catch (...) {
    // Out of memory for the words: the Responder answers 500 by itself.
  }
}

std::size_t payload_bytes(const Call& call) noexcept { return sizeof(Call) + 1'024 + call.request.body.size(); }

backstage::Child<Desk> Desk::spec(std::string_view name, std::shared_ptr<const Facts> facts, Ref<Store> store,
                                  Ref<Ingest> ingest) {
  return backstage::child<Desk>(name, std::move(facts), store, ingest)
      .interleaved(512)
      .at_most(backstage::unlimited)
      .stop_within(12s);
}

void Desk::init(Context& cx) {
  if (store_) (void)cx.watch_status(store_, cx.self(this));
}

void Desk::handle(backstage::StatusChanged change) {
  using backstage::Status;
  store_is_up_ = change.to != Status::stopped && change.to != Status::starting && change.to != Status::initializing;
}

std::optional<http::Response> Desk::store_is_down() const {
  if (store_is_up_) return std::nullopt;
  return http::unavailable_response(retry_after, "the store is being restarted; try again soon");
}

Interleaved<void> Desk::handle(Call call, Context& cx) {
  call.begun = true;
  http::Response response = co_await respond(call.route, std::move(call.request), cx);
  call.responder.answer(std::move(response));
}

Task<http::Response> Desk::respond(Route route, Request request, Context& cx) {
  switch (route) {
    case Route::post: return post(std::move(request), cx);
    case Route::get_message: return get_message(std::move(request));
    case Route::list_streams: return list_streams();
    case Route::list_messages: return list_messages(std::move(request));
    case Route::info: return info(cx);
    case Route::ready: return ready();
    case Route::service: break;
  }
  return service(cx);
}

Draft Desk::stamped(Draft draft, Context& cx) {
  draft.arrival = cx.environment().clock().wall();
  if (!draft.key && !draft.source_time) draft.nonce = make_nonce(cx.environment());
  return draft;
}

// ---------------------------------------------------------------------------------------------------- taking in

Task<http::Response> Desk::post(Request request, Context& cx) {
  if (cx.now() < shed_until_) {
    co_return http::unavailable_response(retry_after, "more is offered than can be written; try again soon");
  }
  if (auto down = store_is_down()) co_return *std::move(down);
  const std::string type = media_type(request);
  const bool is_raw = request.query_value("stream").has_value();
  if (!is_raw) {
    if (!request.query.empty()) co_return invalid("without ?stream= there are no query keys here");
    if (type == "application/x-ndjson") co_return co_await post_batch(std::move(request), cx);
    if (!type.empty() && type != "application/json") {
      co_return invalid(
          "send a message as application/json, many as application/x-ndjson, or any bytes with ?stream=NAME");
    }
  } else if (auto unknown = unknown_key(request, {"stream", "identity", "source_time"})) {
    co_return invalid(*unknown);
  }
  std::optional<Draft> draft;
  std::optional<Error> wrong;
  if (is_raw) {
    auto read = raw_draft(request);
    if (read) draft = std::move(read).value();
    if (!draft) wrong = read.error();
  } else {
    auto read = parse_draft(request.body);
    if (read) draft = std::move(read).value();
    if (!draft) wrong = read.error();
  }
  if (wrong) co_return http::error_response(*wrong);
  if (request.headers.has("Idempotency-Key")) {
    if (draft->key) co_return invalid("\"key\" and the Idempotency-Key header are the same thing: give one of them");
    draft->key = request.headers.get("Idempotency-Key");
  }
  std::vector<Draft> drafts;
  drafts.push_back(stamped(*std::move(draft), cx));
  const auto outcomes = co_await store_.ask<Append>(moved(drafts)).within(store_within);
  if (!outcomes) {
    if (outcomes.error().is(Errc::full)) shed_until_ = cx.now() + shed_for;
    co_return response_of(verdict_on(outcomes.error()));
  }
  co_return response_of(verdict_on(outcomes->front()));
}

/// A line in, a line out, in the same order. What cannot be read is refused alone; the others are stored in parts.
Task<http::Response> Desk::post_batch(Request request, Context& cx) {
  const std::string body = std::move(request.body);
  std::size_t lines = static_cast<std::size_t>(std::count(body.begin(), body.end(), '\n'));
  if (!body.empty() && body.back() != '\n') ++lines;
  if (lines == 0) co_return invalid("an empty batch");
  if (lines > most_lines) {
    co_return http::error_response(413, "too_large", "a batch has at most " + std::to_string(most_lines) + " lines");
  }
  std::vector<Verdict> verdicts(lines);
  bool took_any = false;
  bool was_refused = false;
  std::string_view rest = body;
  // One deadline for all parts, before the server's own: its 503 would say of stored lines that they are not.
  const backstage::Instant until = cx.now() + store_within;
  for (std::size_t line = 0; line < lines;) {
    std::vector<Draft> drafts;
    std::vector<std::size_t> places;
    for (std::size_t bytes = 0; line < lines && drafts.size() < part_count && bytes < part_bytes; ++line) {
      auto draft = parse_draft(take_line(rest));
      if (!draft) {
        verdicts[line] = verdict_on(draft.error());
        continue;
      }
      bytes += cost(*draft);
      drafts.push_back(stamped(std::move(draft).value(), cx));
      places.push_back(line);
    }
    if (drafts.empty()) continue;
    const backstage::Duration within = std::max<backstage::Duration>(until - cx.now(), 1ms);
    const auto outcomes = co_await store_.ask<Append>(moved(drafts)).within(within);
    for (std::size_t i = 0; i < places.size(); ++i) {
      verdicts[places[i]] = outcomes ? verdict_on((*outcomes)[i]) : verdict_on(outcomes.error());
    }
    (outcomes ? took_any : was_refused) = true;
    if (!outcomes && outcomes.error().is(Errc::full)) shed_until_ = cx.now() + shed_for;
  }
  std::string answers;
  for (const Verdict& verdict : verdicts) {
    // {"status":201,"id":...}: the body with the status in front.
    answers += R"({"status":)" + std::to_string(verdict.status) + ',' + verdict.body.substr(1) + '\n';
  }
  // A batch of which nothing could be taken is refused as a whole; one taken in part says so line by line.
  http::Response response;
  response.status = was_refused && !took_any ? 503 : 200;
  response.headers.set("Content-Type", "application/x-ndjson");
  if (was_refused) response.headers.set("Retry-After", "1");
  response.body = std::move(answers);
  co_return response;
}

// ---------------------------------------------------------------------------------------------------- giving out

Task<http::Response> Desk::get_message(Request request) {
  if (auto unknown = unknown_key(request, {})) co_return invalid(*unknown);
  const auto id = MessageId::parse(request.param("id"));
  if (!id) co_return http::error_response(id.error());
  const auto message = co_await store_.ask<GetMessage>(*id).within(store_within);
  if (!message) co_return response_of(verdict_on(message.error()));
  if (!wants_bytes(request)) co_return http::json_response(200, to_json(*message));
  http::Response response;
  response.headers.set("Content-Type", "application/octet-stream");
  // The sender's type is told, never obeyed: a page from a stream must not run as one of ours.
  response.headers.set("X-Content-Type-Options", "nosniff");
  response.body = message->payload;
  co_return response;
}

Task<http::Response> Desk::list_streams() {
  const auto streams = co_await store_.ask<ListStreams>().within(store_within);
  if (!streams) co_return response_of(verdict_on(streams.error()));
  std::string body = R"({"streams":[)";
  for (const StreamInfo& stream : *streams) {
    if (body.back() != '[') body += ',';
    body += to_json(stream);
  }
  co_return http::json_response(200, body + "]}");
}

Task<http::Response> Desk::list_messages(Request request) {
  if (auto unknown = unknown_key(request, {"from", "to", "limit", "cursor", "time"})) co_return invalid(*unknown);
  auto query = query_of(request);
  if (!query) co_return http::error_response(query.error());
  if (pages_ >= most_pages) {
    co_return http::unavailable_response(retry_after, "too many pages are being read now; try again soon");
  }
  struct Held {
    explicit Held(std::size_t& c) : count(c) { ++count; }
    ~Held() { --count; }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    std::size_t& count;
  };
  const Held held(pages_);
  const std::string stream = query->stream;
  const auto page = co_await store_.ask<GetPage>(moved(query.value())).within(store_within);
  if (!page) co_return response_of(verdict_on(page.error()));
  co_return http::json_response(200, to_json(stream, *page));
}

// ---------------------------------------------------------------------------------------------------- about itself

Task<http::Response> Desk::info(Context& cx) {
  const auto state = co_await store_.ask<GetStoreState>().within(store_within);
  if (!state) co_return response_of(verdict_on(state.error()));
  const auto number = [](std::string_view name, std::uint64_t value) {
    return ",\"" + std::string(name) + "\":" + std::to_string(value);
  };
  const Counters& counters = state->counters;
  std::string body = R"({"name":"chronicle","version":)" + json_string(facts_->version) + R"(,"started":")" +
                     time_text(facts_->started) + R"(","now":")" + time_text(cx.environment().clock().wall()) +
                     R"(","store":{"messages":)" + std::to_string(state->messages) +
                     number("streams", state->streams) + number("bytes", state->bytes) +
                     number("waiting", state->waiting) + number("stored", counters.stored) +
                     number("duplicates", counters.duplicates) + number("refused", counters.refused) +
                     number("failed", counters.failed) + number("turned_away", state->turned_away) +
                     number("groups", counters.groups);
  if (state->fault) body += R"(,"fault":)" + json_string(state->fault->describe());
  body += R"(},"sources":[)";
  if (ingest_) {
    const auto reports = co_await ingest_.ask<ListSources>().within(2s);
    if (reports) {
      for (const SourceReport& report : *reports) {
        if (body.back() != '[') body += ',';
        body += R"({"name":)" + json_string(report.source) + R"(,"doing":)" + json_string(report.doing) +
                number("stored", report.tally.stored) + number("duplicates", report.tally.duplicates) +
                number("refused", report.tally.refused) + R"(,"done":)" + (report.is_done ? "true" : "false") + '}';
      }
    }
  }
  co_return http::json_response(200, body + "]}");
}

Task<http::Response> Desk::ready() {
  if (auto down = store_is_down()) co_return *std::move(down);
  const auto state = co_await store_.ask<GetStoreState>().within(2s);
  if (!state) co_return response_of(verdict_on(state.error()));
  if (state->fault) co_return http::unavailable_response(retry_after, state->fault->text());
  co_return http::json_response(200, R"({"status":"ready"})");
}

Task<http::Response> Desk::service(Context& cx) {
  const auto tree = co_await cx.service_tree().within(1s);
  if (!tree) co_return response_of(verdict_on(tree.error()));
  co_return http::json_response(200, to_json(tree->root));
}

}  // namespace chronicle
