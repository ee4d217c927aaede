// A seeded generator of random numbers: the same seed gives the same numbers on every machine and in every version.
//
// xoshiro256** (Blackman and Vigna, "Scrambled Linear Pseudorandom Number Generators", 2018), its state filled by
// SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014); written from the papers.
// Not for secrets: whoever sees a few numbers knows the rest.
// Threads: one at a time; give each its own by split().
// Stability: settling (v0).
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace backstage {
inline namespace v0 {

/// One step of SplitMix64: advances `state` and gives 64 well-mixed bits. Good for seeds and for hashing an index.
constexpr std::uint64_t split_mix(std::uint64_t& state) noexcept {
  state += 0x9E3779B97F4A7C15U;
  std::uint64_t z = state;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31U);
}

/// Also a UniformRandomBitGenerator, for std::shuffle and the like (whose results are the library's, not ours).
class Random {
 public:
  using result_type = std::uint64_t;
  using State = std::array<std::uint64_t, 4>;

  constexpr explicit Random(std::uint64_t seed) noexcept {
    for (std::uint64_t& word : state_) word = split_mix(seed);
  }
  /// Precondition: not all words are zero.
  constexpr explicit Random(const State& state) noexcept : state_(state) {}

  constexpr std::uint64_t next() noexcept {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17U;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// Each of 0 .. n-1 equally often. Of n = 0, 0.
  constexpr std::uint64_t below(std::uint64_t n) noexcept {
    if (n <= 1) return 0;
    // The lowest 2^64 mod n values are drawn again: what is left divides evenly.
    const std::uint64_t uneven = (0 - n) % n;
    std::uint64_t drawn = next();
    while (drawn < uneven) drawn = next();
    return drawn % n;
  }
  /// In [0, 1), in steps of 2^-53.
  constexpr double unit() noexcept { return static_cast<double>(next() >> 11U) * 0x1p-53; }
  /// True with probability p; never for p <= 0, always for p >= 1.
  constexpr bool chance(double p) noexcept { return unit() < p; }
  /// A generator whose numbers have nothing to do with what this one will give.
  [[nodiscard]] constexpr Random split() noexcept { return Random(next()); }

  static constexpr std::uint64_t min() noexcept { return 0; }
  static constexpr std::uint64_t max() noexcept { return UINT64_MAX; }
  constexpr std::uint64_t operator()() noexcept { return next(); }

 private:
  State state_{};
};

}  // namespace v0
}  // namespace backstage
