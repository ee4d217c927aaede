#include "os_error.hpp"

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <unistd.h>

namespace backstage {
inline namespace v0 {
namespace files {
namespace {

Errc code_of(int number) noexcept {
  switch (number) {
    case ENOENT:
    case ENOTDIR:
    case ESRCH:  // a process that ended while its /proc entry was being read
      return Errc::not_found;
    case EEXIST: return Errc::exists;
    case EINVAL:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case ESPIPE:
    case E2BIG: return Errc::invalid;
    default: return Errc::unavailable;
  }
}

}  // namespace

Error os_error(int number, std::string_view what, std::string_view target) {
  std::string text = "cannot ";
  text.append(what).append(" '").append(target).append("': ").append(std::generic_category().message(number));
  return Error(code_of(number), text);
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = other.release();
  }
  return *this;
}

int Descriptor::release() noexcept { return std::exchange(fd_, -1); }

void Descriptor::close() noexcept {
  // No retry on EINTR: Linux has given the descriptor back by then, and another thread may own its number already.
  if (fd_ >= 0) ::close(release());
}

}  // namespace files
}  // namespace v0
}  // namespace backstage
