// From errno to Error: "cannot open '/x': No such file or directory".
#pragma once

#include <string_view>

#include "backstage/base/error.hpp"

namespace backstage {
inline namespace v0 {
namespace files {

/// `what` names the attempt ("open"), `target` what it was tried on.
[[nodiscard]] Error os_error(int number, std::string_view what, std::string_view target);

/// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() noexcept = default;
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { close(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  int release() noexcept;
  void close() noexcept;

 private:
  int fd_ = -1;
};

}  // namespace files
}  // namespace v0
}  // namespace backstage
