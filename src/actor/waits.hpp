// What waiting for resources needs of boards.
#pragma once

#include <memory>

#include "backstage/actor/resource.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// Who listens for a Service makes its place publish it.
void listens_to_service(const FoundPlace& place, const std::shared_ptr<Board>& board, const Wanted& wanted);

}  // namespace detail
}  // namespace v0
}  // namespace backstage
