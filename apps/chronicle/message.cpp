#include "chronicle/message.hpp"

#include "backstage/base/utf8.hpp"
#include "chronicle/encoding.hpp"

namespace chronicle {
namespace {

Refused too_large(std::string_view what, std::size_t is, std::size_t most) {
  return Refused{Refusal::too_large,
                 Error(Errc::invalid, std::string(what) + " has " + std::to_string(is) + " bytes; at most " +
                                          std::to_string(most) + " are taken")};
}

Refused invalid(std::string_view text) { return Refused{Refusal::invalid, Error(Errc::invalid, text)}; }

bool is_printable(std::string_view text, char lowest) noexcept {
  for (const char letter : text) {
    if (letter < lowest || letter > '~') return false;
  }
  return true;
}

}  // namespace

std::string_view to_string(Identity identity) noexcept { return identity == Identity::content ? "content" : "event"; }

Result<Identity> parse_identity(std::string_view text) {
  if (text == "event") return Identity::event;
  if (text == "content") return Identity::content;
  return Error(Errc::invalid,
               "'" + std::string(backstage::cut_utf8(text, 40)) + "' is no identity: 'event' or 'content'");
}

std::size_t cost(const Draft& draft) noexcept {
  constexpr std::size_t fixed = 256;  // keys, ids, index entries and the record's own fields
  return fixed + draft.stream.size() + draft.payload.size() + draft.content_type.size();
}

std::optional<Refused> fault_of_stream_name(std::string_view name, const Limits& limits) {
  if (name.empty()) return invalid("the stream has no name; give one as \"stream\"");
  if (name.size() > limits.stream_name) return too_large("the stream's name", name.size(), limits.stream_name);
  if (!is_printable(name, '!')) {
    return invalid("a stream's name is printable ASCII without spaces (letters, digits, and marks such as . - _ /)");
  }
  for (std::string_view rest = name;;) {
    const std::size_t slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    if (segment.empty() || segment == "." || segment == "..") {
      return invalid("the stream's name '" + std::string(name) +
                     "' has an empty, '.' or '..' segment between slashes");
    }
    if (slash == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(slash + 1);
  }
}

std::optional<Refused> fault_of(const Draft& draft, const Limits& limits) {
  if (auto fault = fault_of_stream_name(draft.stream, limits)) return fault;
  if (draft.payload.size() > limits.payload) return too_large("the payload", draft.payload.size(), limits.payload);
  if (draft.content_type.size() > limits.content_type) {
    return too_large("the content type", draft.content_type.size(), limits.content_type);
  }
  if (!is_printable(draft.content_type, ' ')) return invalid("the content type is not printable ASCII");
  if (draft.key && draft.key->empty()) return invalid("the Idempotency-Key is empty; leave it out or give one");
  if (draft.key && draft.key->size() > limits.key) {
    return too_large("the Idempotency-Key", draft.key->size(), limits.key);
  }
  return std::nullopt;
}

std::optional<Identity> settle(std::optional<Identity> has, std::optional<Identity> asked) noexcept {
  if (!has) return asked.value_or(Identity::event);
  if (asked && *asked != *has) return std::nullopt;
  return has;
}

Refused identity_refused(std::string_view stream, Identity has) {
  const Identity other = has == Identity::event ? Identity::content : Identity::event;
  return Refused{
      Refusal::identity,
      Error(Errc::exists, "stream '" + std::string(stream) + "' has identity '" + std::string(to_string(has)) +
                              "' since its first message and keeps it; send '" + std::string(to_string(other)) +
                              "' messages to another stream")};
}

Result<MessageId> id_of(const Draft& draft, Identity identity) {
  if (identity == Identity::content) return content_id(draft.payload);
  if (draft.key) return event_id(draft.stream, Distinction::key, *draft.key, draft.payload);
  if (draft.source_time) {
    return event_id(draft.stream, Distinction::source_time, Writer().i64(draft.source_time->ns).text(),
                    draft.payload);
  }
  if (draft.nonce) {
    const std::string_view nonce(reinterpret_cast<const char*>(draft.nonce->data()), draft.nonce->size());
    return event_id(draft.stream, Distinction::nonce, nonce, draft.payload);
  }
  return Error(Errc::invalid, "an event without Idempotency-Key and source time needs a nonce; none was drawn");
}

}  // namespace chronicle
