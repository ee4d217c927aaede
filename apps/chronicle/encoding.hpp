// Bytes that mean the same on every machine: big-endian integers and length-prefixed strings.
//
// Writer appends to a string. Reader takes from a view it never trusts: a read past the end or a length that lies
// makes it fail for good (every later read gives zero or empty), and only `complete()` says that all was well.
// No I/O, no allocation in Reader; any thread, one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "backstage/base/result.hpp"

namespace chronicle {

class Writer {
 public:
  Writer& u8(std::uint8_t value) {
    out_.push_back(static_cast<char>(value));
    return *this;
  }
  Writer& u32(std::uint32_t value) { return big_endian(value, 4); }
  Writer& u64(std::uint64_t value) { return big_endian(value, 8); }
  Writer& i64(std::int64_t value) { return u64(static_cast<std::uint64_t>(value)); }
  /// Such that the order of the bytes is the order of the numbers: for keys.
  Writer& ordered_i64(std::int64_t value) {
    return u64(static_cast<std::uint64_t>(value) ^ (std::uint64_t{1} << 63));
  }
  /// As they are: the reader must know how many.
  Writer& raw(std::string_view bytes) {
    out_.append(bytes);
    return *this;
  }
  /// u32 length, then the bytes. Throws std::length_error above 4 GiB - 1: never reached behind the limits.
  Writer& bytes(std::string_view bytes);

  [[nodiscard]] const std::string& text() const& noexcept { return out_; }
  [[nodiscard]] std::string text() && noexcept { return std::move(out_); }

 private:
  Writer& big_endian(std::uint64_t value, int width) {
    for (int shift = (width - 1) * 8; shift >= 0; shift -= 8)
      out_.push_back(static_cast<char>(value >> shift & 0xff));
    return *this;
  }
  std::string out_;
};

class Reader {
 public:
  explicit Reader(std::string_view in) noexcept : rest_(in) {}

  std::uint8_t u8() noexcept { return static_cast<std::uint8_t>(big_endian(1)); }
  std::uint32_t u32() noexcept { return static_cast<std::uint32_t>(big_endian(4)); }
  std::uint64_t u64() noexcept { return big_endian(8); }
  std::int64_t i64() noexcept { return static_cast<std::int64_t>(u64()); }
  std::int64_t ordered_i64() noexcept { return static_cast<std::int64_t>(u64() ^ (std::uint64_t{1} << 63)); }
  std::string_view raw(std::size_t count) noexcept {
    if (count > rest_.size()) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  std::string_view bytes() noexcept { return raw(u32()); }

  [[nodiscard]] bool has_failed() const noexcept { return failed_; }
  /// Everything asked for was there, and nothing is left over.
  [[nodiscard]] bool complete() const noexcept { return !failed_ && rest_.empty(); }

 private:
  std::uint64_t big_endian(std::size_t width) noexcept {
    std::uint64_t value = 0;
    for (const char byte : raw(width)) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  }
  std::string_view rest_;
  bool failed_ = false;
};

/// Lower-case hex and back. `from_hex` takes lower-case digits only, an even number of them.
[[nodiscard]] std::string to_hex(std::string_view bytes);
[[nodiscard]] backstage::Result<std::string> from_hex(std::string_view hex);

}  // namespace chronicle
