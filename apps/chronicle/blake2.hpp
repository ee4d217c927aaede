// BLAKE2b (RFC 7693) by libsodium, of several pieces as if they were one. Pure, any thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

namespace chronicle {

/// Fills `out` (16 to 64 bytes; the length is part of the hash). `key`: empty or 16 to 64 bytes. `personal`: empty or
/// exactly 16 bytes. Anything else is a bug of the caller and throws std::invalid_argument.
void blake2b(std::span<unsigned char> out, std::initializer_list<std::string_view> pieces, std::string_view key = {},
             std::string_view personal = {});

/// The first eight bytes (big-endian) of the personalised 16-byte hash: a checksum, not a signature.
[[nodiscard]] std::uint64_t checksum(std::string_view personal, std::initializer_list<std::string_view> pieces);

}  // namespace chronicle
