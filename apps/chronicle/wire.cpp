#include "chronicle/wire.hpp"

#include <boost/json.hpp>
#include <utility>

#include "backstage/base/utf8.hpp"
#include "backstage/http/message.hpp"
#include "chronicle/base64.hpp"
#include "chronicle/intake/text.hpp"

namespace chronicle {

namespace json = boost::json;

namespace {

Error invalid(std::string_view text) { return Error(Errc::invalid, text); }

/// Where `text`, which begins a JSON value, ends. Precondition: the whole document was parsed without error.
std::size_t end_of_value(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\') {
        ++at;
      } else if (c == '"') {
        in_string = false;
        if (depth == 0) return at + 1;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth == 0) return at;  // the end of what the value lies in
      if (--depth == 0) return at + 1;
    } else if (depth == 0 && (c == ',' || c == ':' || c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
      return at;
    }
  }
  return text.size();
}

/// Is this name, in its quotes, the one that is looked for? Precondition: it was parsed without error.
bool is_name(std::string_view quoted, std::string_view name) {
  if (quoted.find('\\') == std::string_view::npos) return quoted.substr(1, quoted.size() - 2) == name;
  return json::parse(quoted).as_string() == name;
}

/// The member's value exactly as it was written, so that no number is written anew. Precondition: the whole was parsed
/// without error, is an object and has the member.
std::string_view written_member(std::string_view object, std::string_view name) {
  const auto skip = [&](std::string_view of) {
    object.remove_prefix(std::min(object.find_first_not_of(of), object.size()));
  };
  std::string_view found;
  skip(" \t\r\n{");
  while (!object.empty() && object.front() == '"') {
    const std::string_view key = object.substr(0, end_of_value(object));
    object.remove_prefix(key.size());
    skip(" \t\r\n:");
    const std::string_view value = object.substr(0, end_of_value(object));
    object.remove_prefix(value.size());
    // The last of equal names counts, as for the parser.
    if (is_name(key, name)) found = value;
    skip(" \t\r\n,");
  }
  return found;
}

Result<std::string> text_of(const json::value& value, std::string_view member) {
  if (const auto* text = value.if_string()) return std::string(*text);
  return invalid("\"" + std::string(member) + "\" has to be a string");
}

Result<WallTime> time_of(const json::value& value) {
  if (const auto* text = value.if_string()) return parse_time(*text);
  std::optional<WallTime> time;
  if (const auto* number = value.if_int64()) time = epoch_time(*number);
  if (const auto* number = value.if_double()) time = epoch_time(*number);
  if (!time) return invalid("\"source_time\" has to be RFC 3339 text with a zone, or a number since 1970");
  return *time;
}

json::error_code parse(std::string_view text, json::value& into) {
  json::error_code failed;
  into = json::parse(text, failed);
  return failed;
}

}  // namespace

std::string json_string(std::string_view text) { return json::serialize(json::string_view(clean_utf8(text))); }

std::string time_text(WallTime at) {
  std::string text = backstage::to_string(at);
  const auto below = static_cast<int>(((at.ns % 1'000) + 1'000) % 1'000);
  if (below == 0 || text.empty() || text.back() != 'Z') return text;
  const std::string digits = std::to_string(1'000 + below).substr(1);
  return text.insert(text.size() - 1, digits);
}

Result<WallTime> parse_time(std::string_view text) {
  std::optional<WallTime> time = parse_rfc3339(text);
  if (!time) {
    if (const auto number = to_number(text); number && *number <= INT64_MAX) {
      time = epoch_time(static_cast<std::int64_t>(*number));
    }
  }
  if (!time) {
    return invalid("'" + clean_utf8(backstage::cut_utf8(text, 64)) +
                   "' is no time: RFC 3339 with a zone, or a number of s, ms, us or ns since 1970");
  }
  return *time;
}

Result<Draft> parse_draft(std::string_view text) {
  json::value value;
  if (const auto failed = parse(text, value)) return invalid("this is no JSON: " + failed.message());
  const auto* object = value.if_object();
  if (object == nullptr) return invalid("a message is a JSON object: {\"stream\":\"...\",\"payload\":...}");
  Draft draft;
  bool has_payload = false;
  std::string_view type_of_payload;  // where none is given, wherever in the object it could have stood
  for (const auto& [name, member] : *object) {
    const std::string_view key = name;
    if (key == "source_time") {
      const auto time = time_of(member);
      if (!time) return time.error();
      draft.source_time = *time;
      continue;
    }
    if (key == "payload") {
      if (has_payload) return invalid("\"payload\" and \"payload_base64\" cannot both be given");
      has_payload = true;
      if (const auto* string = member.if_string()) {
        draft.payload = *string;
        type_of_payload = "text/plain; charset=utf-8";
      } else {
        draft.payload = written_member(text, "payload");
        type_of_payload = "application/json";
      }
      continue;
    }
    const bool is_known =
        key == "stream" || key == "payload_base64" || key == "content_type" || key == "key" || key == "identity";
    if (!is_known) return invalid("a message has no member " + json_string(backstage::cut_utf8(key, 64)));
    auto string = text_of(member, key);
    if (!string) return string.error();
    if (key == "stream") {
      draft.stream = *std::move(string);
    } else if (key == "content_type") {
      draft.content_type = *std::move(string);
    } else if (key == "key") {
      draft.key = *std::move(string);
    } else if (key == "identity") {
      const auto identity = parse_identity(*string);
      if (!identity) return identity.error();
      draft.identity = *identity;
    } else {
      if (has_payload) return invalid("\"payload\" and \"payload_base64\" cannot both be given");
      has_payload = true;
      auto bytes = from_base64(*string);
      if (!bytes) return invalid("\"payload_base64\": " + std::string(bytes.error().text()));
      draft.payload = *std::move(bytes);
    }
  }
  if (draft.stream.empty()) return invalid("the message names no \"stream\"");
  if (!has_payload) return invalid("the message has no \"payload\" (or \"payload_base64\")");
  if (draft.content_type.empty()) draft.content_type = type_of_payload;
  return draft;
}

// -------------------------------------------------------------------------------------------------------- out

std::string to_json(const Message& message) {
  std::string out = R"({"id":")" + message.id.hex() + R"(","stream":)" + json_string(message.stream) +
                    R"(,"sequence":)" + std::to_string(message.sequence) + R"(,"arrival":")" +
                    time_text(message.arrival) + '"';
  if (message.source_time) out += R"(,"source_time":")" + time_text(*message.source_time) + '"';
  if (!message.content_type.empty()) out += R"(,"content_type":)" + json_string(message.content_type);
  out += R"(,"size":)" + std::to_string(message.payload.size());
  const std::string_view type = message.content_type;
  json::value ignored;
  if (type.starts_with("application/json") && !parse(message.payload, ignored)) {
    out += R"(,"encoding":"json","payload":)" + message.payload;
  } else if ((type.starts_with("text/") || type.starts_with("application/json")) && is_utf8(message.payload)) {
    out += R"(,"encoding":"text","payload":)" + json_string(message.payload);
  } else {
    out += R"(,"encoding":"base64","payload":")" + to_base64(message.payload) + '"';
  }
  out += '}';
  return out;
}

std::string to_json(const StreamInfo& stream) {
  return R"({"name":)" + json_string(stream.name) + R"(,"identity":")" + std::string(to_string(stream.identity)) +
         R"(","count":)" + std::to_string(stream.count) + R"(,"bytes":)" + std::to_string(stream.bytes) +
         R"(,"first_arrival":")" + time_text(stream.first_arrival) + R"(","last_arrival":")" +
         time_text(stream.last_arrival) + R"("})";
}

std::string to_json(std::string_view stream, const Page& page) {
  std::string out = R"({"stream":)" + json_string(stream) + R"(,"messages":[)";
  for (const Message& message : page.messages) {
    if (out.back() != '[') out += ',';
    out += to_json(message);
  }
  out += R"(],"cursor":")" + page.cursor + R"(","more":)" + (page.more ? "true" : "false") + '}';
  return out;
}

std::string to_json(const backstage::Service& service) {
  std::string out = R"({"name":)" + json_string(service.name) + R"(,"type":)" + json_string(service.type) +
                    R"(,"status":")" + std::string(to_string(service.status)) + R"(","rolled_up":")" +
                    std::string(to_string(service.rolled_up)) + R"(","incarnation":)" +
                    std::to_string(service.incarnation) + R"(,"uptime_ms":)" +
                    std::to_string(service.uptime.count() / 1'000'000) + R"(,"mailbox":)" +
                    std::to_string(service.mailbox) + R"(,"handled":)" + std::to_string(service.handled) +
                    R"(,"responding":)" + (service.responding ? "true" : "false");
  if (!service.last_error.empty()) out += R"(,"last_error":)" + json_string(service.last_error);
  out += R"(,"children":[)";
  for (const backstage::Service& child : service.children) {
    if (out.back() != '[') out += ',';
    out += to_json(child);
  }
  return out + "]}";
}

namespace {

Verdict error_verdict(int status, std::string code, std::string_view message) {
  Verdict verdict;
  verdict.status = status;
  verdict.body = R"({"error":{"code":)" + json_string(code) + R"(,"message":)" + json_string(message) + "}}";
  verdict.code = std::move(code);
  verdict.message = message;
  return verdict;
}

}  // namespace

Verdict verdict_on(const Outcome& outcome) {
  if (outcome.is_refused()) {
    const std::string_view text = outcome.refused->error.text();
    switch (outcome.refused->why) {
      case Refusal::invalid: return error_verdict(400, "invalid", text);
      case Refusal::too_large: return error_verdict(413, "too_large", text);
      case Refusal::identity: return error_verdict(409, "identity_conflict", text);
      case Refusal::full: return error_verdict(507, "full", text);
      case Refusal::unavailable: return error_verdict(503, "unavailable", text);
    }
  }
  Verdict verdict;
  verdict.status = outcome.is_duplicate() ? 200 : 201;
  verdict.body = R"({"id":")" + outcome.id.hex() + R"(","stream":)" + json_string(outcome.stream) +
                 R"(,"sequence":)" + std::to_string(outcome.sequence) +
                 (outcome.is_duplicate() ? R"(,"duplicate":true})" : "}");
  return verdict;
}

Verdict verdict_on(const Error& error) {
  switch (error.code()) {
    case Errc::invalid: return error_verdict(400, "invalid", error.text());
    case Errc::not_found: return error_verdict(404, "not_found", error.text());
    default: break;
  }
  // No answer came, so it may be stored or not: not a refusal. A retry under the same key tells.
  if (error.is(Errc::timeout) && error.may_have_run()) {
    return error_verdict(504, std::string(to_string(error.code())), error.text());
  }
  // Everything else that an ask may end in means: not now, not here, and not stored.
  return error_verdict(503, std::string(to_string(error.code())), error.text());
}

}  // namespace chronicle
