// Checks of what is to be spawned, beside those that need no more than the spec (check_name and check_policy, declared where
// specs are built). All throw Need::fail with Errc::invalid and name the value.
#pragma once

namespace backstage {
inline namespace v0 {
namespace detail {

class Cell;
struct Body;

/// Whom the policy tells: verdicts are given in the supervisor's own turn, ends and changes are told within one Runtime.
void check_targets(const Cell& parent, const Body& body);

}  // namespace detail
}  // namespace v0
}  // namespace backstage
