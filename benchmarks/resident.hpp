// What the kernel says of this process: resident memory, and how often its threads went to sleep.
#pragma once

#include <cstdint>

namespace bench {

/// Bytes of memory that are resident now.
[[nodiscard]] std::uint64_t resident();

/// Voluntary context switches, so far, of all threads of this process but the calling one.
[[nodiscard]] std::uint64_t sleeps_of_the_others();

/// Processor time that this process has used so far.
[[nodiscard]] double processor_seconds();

}  // namespace bench
