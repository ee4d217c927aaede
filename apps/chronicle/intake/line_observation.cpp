#include "chronicle/intake/line_observation.hpp"

#include <limits>
#include <utility>

#include <boost/json.hpp>

#include "chronicle/intake/text.hpp"

namespace chronicle {
namespace {

namespace json = boost::json;

std::optional<json::value> try_parse(std::string_view line, json::storage_ptr memory) {
  if (line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);  // the mark that some editors put before UTF-8
  json::error_code failure;
  json::value value = json::parse({line.data(), line.size()}, failure, std::move(memory));
  if (failure) return std::nullopt;
  return value;
}

std::optional<backstage::WallTime> time_of_member(const json::value& member) {
  if (const auto* whole = member.if_int64()) return epoch_time(*whole);
  if (const auto* number = member.if_double()) return epoch_time(*number);
  const auto* text = member.if_string();
  if (text == nullptr) return std::nullopt;
  const std::string_view view(text->data(), text->size());
  if (const auto digits = to_number(view);
      digits && *digits <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return epoch_time(static_cast<std::int64_t>(*digits));
  }
  if (const auto number = to_fraction(view)) return epoch_time(*number);
  return parse_rfc3339(view);
}

std::optional<backstage::WallTime> time_of_value(const json::value& value) {
  const auto* object = value.if_object();
  if (object == nullptr) return std::nullopt;
  for (const std::string_view name : time_members) {
    const auto* member = object->if_contains({name.data(), name.size()});
    if (member == nullptr) continue;
    // A member that holds no time ("time":"soon") does not hide the next one that does.
    if (const auto time = time_of_member(*member)) return time;
  }
  return std::nullopt;
}

}  // namespace

std::optional<backstage::WallTime> time_of_json(std::string_view line) {
  json::monotonic_resource memory;
  const auto value = try_parse(line, &memory);
  return value ? time_of_value(*value) : std::nullopt;
}

Observation observe_line(std::string stream, std::string line, std::string idempotency_key) {
  json::monotonic_resource memory;  // one parse, thrown away at once: no free() for each value
  const auto value = try_parse(line, &memory);
  Observation seen;
  seen.stream = std::move(stream);
  seen.idempotency_key = std::move(idempotency_key);
  if (value) seen.source_time = time_of_value(*value);
  seen.content_type = value           ? "application/json"
                      : is_utf8(line) ? "text/plain; charset=utf-8"
                                      : "application/octet-stream";
  seen.payload = std::move(line);
  return seen;
}

}  // namespace chronicle
