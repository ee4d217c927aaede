// What went wrong, as plain data: a code from a closed list, a sentence, and what caused it.
//
// An Error may be copied and sent between actors and threads. It never holds an exception.
// Stability: settling (v0).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace backstage {
inline namespace v0 {

/// The closed list of reasons. What only the application knows is `application`, told apart by its text.
enum class Errc : std::uint8_t {
  application,    ///< the user's own refusal: `return Error{"insufficient funds"};`
  timeout,        ///< the deadline passed first
  gone,           ///< the actor has ended for good, or never was (a null Ref)
  stopping,       ///< the actor (or the whole runtime) is being stopped and takes no more
  full,           ///< the mailbox is at its bound
  cycle,          ///< actors wait for each other in a circle
  failed,         ///< the actor failed while it handled this
  dropped,        ///< the Reply was destroyed unanswered, or policy dropped the message
  cancelled,      ///< the waiting side was stopped
  not_found,      ///< no such name, path, app or record
  exists,         ///< the name is taken
  invalid,        ///< an argument that cannot be meant
  unavailable,    ///< a resource outside this program (disk, socket, file) does not serve
  configuration,  ///< a setting that cannot be: who fails with it is not restarted, since it would fail again
};

/// The code's name as printed: "timeout", "gone" ...
[[nodiscard]] std::string_view to_string(Errc code) noexcept;

class Error {
 public:
  /// An application error: what a handler returns to refuse.
  Error(std::string_view text) : Error(Errc::application, text) {}    // NOLINT(google-explicit-constructor)
  Error(const char* text) : Error(Errc::application, text) {}         // NOLINT(google-explicit-constructor)
  Error(const std::string& text) : Error(Errc::application, text) {}  // NOLINT(google-explicit-constructor)
  /// A code alone: no allocation; its text is the code's name.
  explicit Error(Errc code) noexcept : code_(code) {}
  Error(Errc code, std::string_view text);
  Error(Errc code, std::string_view text, Error cause);

  [[nodiscard]] Errc code() const noexcept { return code_; }
  [[nodiscard]] bool is(Errc code) const noexcept { return code_ == code; }
  [[nodiscard]] std::string_view text() const noexcept;
  /// What lay beneath, or null.
  [[nodiscard]] const Error* cause() const noexcept;
  /// True when the request may have had its effect although no answer came (a timeout, a failure halfway).
  [[nodiscard]] bool may_have_run() const noexcept { return may_have_run_; }
  [[nodiscard]] Error and_may_have_run(bool may = true) && noexcept {
    may_have_run_ = may;
    return std::move(*this);
  }

  /// "timeout: no answer within 500ms <- gone: ..." with every cause.
  [[nodiscard]] std::string describe() const;

  friend bool operator==(const Error& a, const Error& b) noexcept {
    return a.code_ == b.code_ && a.text() == b.text();
  }

 private:
  struct Detail;
  std::shared_ptr<const Detail> detail_;
  Errc code_;
  bool may_have_run_ = false;
};

}  // namespace v0
}  // namespace backstage
