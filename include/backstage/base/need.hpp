// What an actor that cannot go on asks of its supervisor. Thrown from a handler or hook (or returned from a
// hook as an Error), it ends this incarnation; the supervisor's policy then acts on it.
// Stability: settling (v0).
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

#include "backstage/base/error.hpp"
#include "backstage/base/time.hpp"

namespace backstage {
inline namespace v0 {

class Need : public std::exception {
 public:
  enum class Kind : std::uint8_t {
    fail,     ///< as any other failure: the policy decides
    restart,  ///< restart me (counted and backed off like a failure; also under Restart::never it is only an end)
    stop,     ///< I am done, in order: no failure
  };

  /// A failure with its reason.
  static Need fail(Error why) { return Need(Kind::fail, std::move(why)); }
  static Need restart(std::string_view text) { return Need(Kind::restart, Error(Errc::failed, text)); }
  static Need restart(std::string_view text, Error cause) {
    return Need(Kind::restart, Error(Errc::failed, text, std::move(cause)));
  }
  /// Restart, but not before `after`.
  static Need restart_after(Duration after, std::string_view text) {
    Need need(Kind::restart, Error(Errc::failed, text));
    need.after_ = after;
    return need;
  }
  /// An orderly end of this actor, by its own wish.
  static Need stop(std::string_view text = "done") { return Need(Kind::stop, Error(Errc::application, text)); }

  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  [[nodiscard]] const Error& error() const noexcept { return error_; }
  [[nodiscard]] Duration after() const noexcept { return after_; }
  [[nodiscard]] const char* what() const noexcept override { return what_.c_str(); }

 private:
  Need(Kind kind, Error error) : kind_(kind), error_(std::move(error)), what_(error_.describe()) {}

  Kind kind_;
  Error error_;
  Duration after_{0};
  std::string what_;
};

}  // namespace v0
}  // namespace backstage
