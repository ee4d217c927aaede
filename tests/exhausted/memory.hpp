// Memory of a test program that can be told to fail: its operator new counts, and refuses when it is asked to. A program has
// one such operator new, so these tests have a program of their own. Sanitizers bring an operator new of their own: under
// them nothing is refused, and what needs it is left out.
#pragma once

#include <cstdint>

namespace exhausted {

#ifdef BACKSTAGE_SANITIZED
inline constexpr bool can_refuse = false;
#else
inline constexpr bool can_refuse = true;
#endif

/// From now on every allocation of this thread fails, until told otherwise.
void refuse_all(bool refuse) noexcept;
[[nodiscard]] bool refuses_all() noexcept;

/// The n-th allocation of this thread from now on fails (from 1), once; 0: none.
void refuse_at(std::uint64_t n) noexcept;
/// Whether it has.
[[nodiscard]] bool has_refused() noexcept;

/// Blocks that all threads hold.
[[nodiscard]] std::int64_t blocks_held() noexcept;

}  // namespace exhausted
