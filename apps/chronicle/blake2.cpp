#include "chronicle/blake2.hpp"

#include <sodium.h>

#include <array>
#include <stdexcept>

namespace chronicle {
namespace {

const unsigned char* as_bytes(std::string_view text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// The library chooses the fastest code for this CPU once; before that it would only be slower, never wrong.
bool choose_implementation() noexcept { return sodium_init() >= 0; }

}  // namespace

void blake2b(std::span<unsigned char> out, std::initializer_list<std::string_view> pieces, std::string_view key,
             std::string_view personal) {
  static const bool ready = choose_implementation();
  if (!ready) throw std::runtime_error("libsodium could not be set up");
  const bool key_fits = key.empty() || (key.size() >= crypto_generichash_blake2b_KEYBYTES_MIN &&
                                        key.size() <= crypto_generichash_blake2b_KEYBYTES_MAX);
  const bool out_fits =
      out.size() >= crypto_generichash_blake2b_BYTES_MIN && out.size() <= crypto_generichash_blake2b_BYTES_MAX;
  if (!key_fits || !out_fits || (!personal.empty() && personal.size() != crypto_generichash_blake2b_PERSONALBYTES)) {
    throw std::invalid_argument("blake2b: output and key take 16 to 64 bytes, a personalisation exactly 16");
  }
  crypto_generichash_blake2b_state state;
  crypto_generichash_blake2b_init_salt_personal(&state, key.empty() ? nullptr : as_bytes(key), key.size(), out.size(),
                                                nullptr, personal.empty() ? nullptr : as_bytes(personal));
  for (const std::string_view piece : pieces) {
    if (!piece.empty()) crypto_generichash_blake2b_update(&state, as_bytes(piece), piece.size());
  }
  crypto_generichash_blake2b_final(&state, out.data(), out.size());
}

std::uint64_t checksum(std::string_view personal, std::initializer_list<std::string_view> pieces) {
  std::array<unsigned char, 16> digest{};
  blake2b(digest, pieces, {}, personal);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < 8; ++i) sum = (sum << 8) | digest[i];
  return sum;
}

}  // namespace chronicle
