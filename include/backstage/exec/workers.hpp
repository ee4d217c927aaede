// How many worker threads this process may keep busy.
#pragma once

namespace backstage {
inline namespace v0 {

/// What the CPU affinity and the cgroup's quota (v1 or v2) allow; at least 1.
[[nodiscard]] unsigned default_workers() noexcept;

}  // namespace v0
}  // namespace backstage
