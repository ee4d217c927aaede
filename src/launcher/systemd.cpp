// The notification protocol: one datagram of lines to the socket that NOTIFY_SOCKET names.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "backstage/launcher/service_manager.hpp"

namespace backstage {
inline namespace v0 {
namespace {

class Systemd final : public ServiceManager {
 public:
  Systemd(int descriptor, const std::string& address, std::optional<Duration> watchdog)
      : descriptor_(descriptor), name_(address), watchdog_(watchdog) {
    address_.sun_family = AF_UNIX;
    std::memcpy(address_.sun_path, address.data(), address.size());
    // '@' stands for the zero byte of an abstract address, which ends where its length says.
    if (address.front() == '@') address_.sun_path[0] = '\0';
    const std::size_t bytes = offsetof(sockaddr_un, sun_path) + address.size() + (address.front() == '@' ? 0 : 1);
    length_ = static_cast<socklen_t>(bytes);
  }
  Systemd(const Systemd&) = delete;
  Systemd& operator=(const Systemd&) = delete;
  ~Systemd() override { close(descriptor_); }

  Result<> notify(std::string_view state) override {
    const ssize_t sent = sendto(descriptor_, state.data(), state.size(), MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&address_), length_);
    if (sent == static_cast<ssize_t>(state.size())) return {};
    return Error(Errc::unavailable, "the service manager at " + name_ + " does not listen: " + std::strerror(errno));
  }
  std::optional<Duration> watchdog() const override { return watchdog_; }

 private:
  int descriptor_;
  std::string name_;
  sockaddr_un address_{};
  socklen_t length_ = 0;
  std::optional<Duration> watchdog_;
};

/// The number in an environment variable; nothing when it is not set.
Result<std::optional<std::int64_t>> number_in(const char* variable) {
  const char* const text = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): before the first thread
  if (text == nullptr || *text == '\0') return std::optional<std::int64_t>();
  std::int64_t number = 0;
  const char* const end = text + std::strlen(text);
  const auto read = std::from_chars(text, end, number);
  if (read.ec != std::errc() || read.ptr != end || number <= 0) {
    return Error(Errc::invalid, std::string(variable) + "='" + text + "' is no positive whole number");
  }
  return std::optional<std::int64_t>(number);
}

}  // namespace

Result<std::shared_ptr<ServiceManager>> systemd(std::string address, std::optional<Duration> watchdog) {
  if (address.size() < 2 || (address.front() != '/' && address.front() != '@')) {
    return Error(Errc::invalid, "the service manager's address '" + address +
                                    "' is neither a path (/run/systemd/notify) nor abstract (@name)");
  }
  if (address.size() >= sizeof(sockaddr_un::sun_path)) {
    return Error(Errc::invalid, "the service manager's address '" + address + "' is longer than " +
                                    std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes");
  }
  const int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return Error(Errc::unavailable, std::string("no datagram socket: ") + std::strerror(errno));
  return std::shared_ptr<ServiceManager>(std::make_shared<Systemd>(descriptor, address, watchdog));
}

Result<std::shared_ptr<ServiceManager>> systemd_from_environment() {
  const char* const address = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe): before the first thread
  if (address == nullptr || *address == '\0') return std::shared_ptr<ServiceManager>();
  const auto micros = number_in("WATCHDOG_USEC");
  if (!micros) return micros.error();
  const auto pid = number_in("WATCHDOG_PID");
  if (!pid) return pid.error();
  std::optional<Duration> watchdog;
  // Inherited from a parent, the watchdog is not ours to feed.
  if (*micros && (!*pid || **pid == getpid())) watchdog = std::chrono::microseconds(**micros);
  return systemd(address, watchdog);
}

}  // namespace v0
}  // namespace backstage
