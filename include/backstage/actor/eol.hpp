// Eol<A>: the end of life of a child, for whoever its spec names with on_end. It comes once, in the mailbox, when the
// child is gone for good: after everything the child sent, and after its last restart. Under Restart::ask it comes at
// each end of the child, and the handler's Verdict says what comes next.
// Stability: settling (v0).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "backstage/base/result.hpp"

namespace backstage {
inline namespace v0 {

template <class A>
struct Eol {
  std::string name;           ///< the child's name
  Result<> result;            ///< how its last incarnation ended
  std::unique_ptr<A> state;   ///< the actor as it was at its end; null when A cannot be moved or never came to be
  std::uint32_t incarnation;  ///< how many lives it had
  bool asks;                  ///< under Restart::ask: the handler's Verdict decides; false: it is gone for good
};

}  // namespace v0
}  // namespace backstage
