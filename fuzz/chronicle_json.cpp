// The HTTP API's JSON: any text gives a draft or an error that says why, and never more memory than the text.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "chronicle/wire.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto draft = chronicle::parse_draft(input); draft.has_value()) {
    if (draft.value().payload.size() > input.size()) std::abort();
  } else if (draft.error().text().empty()) {
    std::abort();
  }
  if (const auto time = chronicle::parse_time(input); !time.has_value() && time.error().text().empty()) std::abort();
  return 0;
}
