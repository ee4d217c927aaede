#include "backstage/base/error.hpp"

#include <optional>
#include <utility>

namespace backstage {
inline namespace v0 {

struct Error::Detail {
  std::string text;
  std::optional<Error> cause;
};

std::string_view to_string(Errc code) noexcept {
  switch (code) {
    case Errc::application: return "application";
    case Errc::timeout: return "timeout";
    case Errc::gone: return "gone";
    case Errc::stopping: return "stopping";
    case Errc::full: return "full";
    case Errc::cycle: return "cycle";
    case Errc::failed: return "failed";
    case Errc::dropped: return "dropped";
    case Errc::cancelled: return "cancelled";
    case Errc::not_found: return "not_found";
    case Errc::exists: return "exists";
    case Errc::invalid: return "invalid";
    case Errc::unavailable: return "unavailable";
    case Errc::configuration: return "configuration";
  }
  return "unknown";
}

Error::Error(Errc code, std::string_view text)
    : detail_(std::make_shared<const Detail>(Detail{std::string(text), std::nullopt})), code_(code) {}

Error::Error(Errc code, std::string_view text, Error cause)
    : detail_(std::make_shared<const Detail>(Detail{std::string(text), std::move(cause)})), code_(code) {}

std::string_view Error::text() const noexcept { return detail_ ? std::string_view(detail_->text) : to_string(code_); }

const Error* Error::cause() const noexcept { return detail_ && detail_->cause ? &*detail_->cause : nullptr; }

std::string Error::describe() const {
  std::string out;
  for (const Error* error = this; error != nullptr; error = error->cause()) {
    if (!out.empty()) out += " <- ";
    out += to_string(error->code());
    if (error->detail_) {
      out += ": ";
      out += error->text();
    }
  }
  return out;
}

}  // namespace v0
}  // namespace backstage
