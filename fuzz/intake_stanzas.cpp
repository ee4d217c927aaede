// Debian control data. Whatever the bytes, stanzas are never empty, never over the limit, and the same however they are
// fed; the fields of a stanza, written anew, are the same fields; and of a package all fields are told.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "chronicle/intake/apt_index.hpp"
#include "chronicle/intake/text.hpp"
#include "phrases.hpp"

namespace {

constexpr std::size_t limit = 64;

constexpr std::array<std::string_view, 10> phrases{"Package: a\n",
                                                   "Version: 1:2\n",
                                                   "Architecture: all\n",
                                                   "Description: d\n",
                                                   " more\n",
                                                   " .\n",
                                                   "\n\n",
                                                   ":",
                                                   "package:",
                                                   "\r\n"};

void require(bool holds) {
  if (!holds) std::abort();
}

struct Split {
  std::vector<std::string> stanzas;
  std::uint64_t skipped = 0;
  friend bool operator==(const Split&, const Split&) = default;
};

Split split(std::string_view input, std::size_t chunk) {
  chronicle::StanzaSplitter splitter(limit);
  Split out;
  while (!input.empty()) {
    splitter.feed(input.substr(0, chunk));
    input.remove_prefix(input.size() < chunk ? input.size() : chunk);
    while (auto stanza = splitter.next()) out.stanzas.push_back(std::move(*stanza));
  }
  if (auto stanza = splitter.finish()) out.stanzas.push_back(std::move(*stanza));
  out.skipped = splitter.skipped();
  return out;
}

std::string written(const chronicle::Fields& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    out += name + ":";
    for (const char c : value) out += c == '\n' ? std::string("\n ") : std::string(1, c);
    out += '\n';
  }
  return out;
}

void tells_all_fields(std::string_view stanza) {
  const chronicle::Fields fields = chronicle::fields_of(stanza);
  require(chronicle::fields_of(written(fields)) == fields);
  const auto seen = chronicle::observe_package("debian/packages", stanza);
  const std::string* package = chronicle::find_field(fields, "pACKAGE");
  require(seen.has_value() == (package != nullptr && !package->empty()));
  if (!seen) return;
  require(seen->idempotency_key.starts_with(*package + "/"));
  const boost::json::value payload = boost::json::parse(seen->payload);
  for (const auto& [name, value] : fields) {
    require(payload.as_object().contains(chronicle::clean_utf8(name)));
  }
  require(payload.as_object().size() <= fields.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string text = backstage_fuzz::with_phrases({reinterpret_cast<const char*>(data) + 1, size - 1}, phrases);
  const std::string_view input = text;
  const Split whole = split(input, input.size());
  require(split(input, data[0] % 16U + 1) == whole);
  for (const std::string& stanza : whole.stanzas) {
    require(!stanza.empty() && stanza.size() <= limit);
    tells_all_fields(stanza);
  }
  tells_all_fields(input);
  return 0;
}
