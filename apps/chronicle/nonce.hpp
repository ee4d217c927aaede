// What makes an event without key and source time a new one: chance from the environment.
#pragma once

#include <cstring>

#include "backstage/exec/environment.hpp"
#include "chronicle/message.hpp"

namespace chronicle {

[[nodiscard]] inline Nonce make_nonce(const backstage::Environment& environment) {
  Nonce nonce{};
  for (std::size_t at = 0; at < nonce.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t bits = environment.chance().next();
    std::memcpy(nonce.data() + at, &bits, sizeof bits);
  }
  return nonce;
}

}  // namespace chronicle
