// What the oracle expects of the groups that one_for_all and rest_for_one restart: who belongs to one, who leaves it, and in
// which order its members come back.
#include <algorithm>

#include "oracle.hpp"

namespace trust {

bool Oracle::is_its_turn(const Place& place) const {
  if (place.above == nullptr || world_.now() < place.above->group_not_before) return false;
  bool is_oldest = true;
  for (const Place* const other : place.above->below) {
    if (other == &place) break;
    is_oldest = is_oldest && !other->in_group;
  }
  return is_oldest && std::none_of(place.above->below.begin(), place.above->below.end(), [&](const Place* other) {
           return other != &place && other->in_group && other->state != State::rests &&
                  other->state != State::waiting;
         });
}

void Oracle::begins_with_its_group(Place& place) {
  Place& above = *place.above;
  if (world_.now() < above.group_not_before)
    wrong("L6", place.path + " is begun before its group's back-off is over");
  if (above.group_started != nullptr && above.group_started->state == State::initializing) {
    wrong("L6", place.path + " is begun before " + above.group_started->path + " runs");
  }
  bool passed = false;
  for (const Place* const other : above.below) {
    if (other == &place) {
      passed = true;
      continue;
    }
    if (!other->in_group) continue;
    if (other->state != State::rests && other->state != State::waiting) {
      wrong("L6", place.path + " is begun, and " + other->path + " of its group still lives");
    }
    if (!passed) wrong("L6", place.path + " is begun before the older " + other->path);
  }
  above.group_started = &place;
}

/// Begun with its group, it ends before it runs: the group goes on without it,
/// unless its restart brings all together again.
void Oracle::leave_while_starting(Place& place) {
  const bool starts = place.above != nullptr && place.above->group_started == &place;
  if (!starts || place.state != State::initializing) return;
  place.in_group = false;
  place.left_starting = true;
  place.above->group_started = nullptr;
}

/// It is over with the last of them.
void Oracle::leave_group(Place& above) {
  const auto is_in = [](const Place* one) { return one->in_group; };
  if (std::none_of(above.below.begin(), above.below.end(), is_in)) above.group = false;
}

void Oracle::group_begins(Place& cause) {
  Place& above = *cause.above;
  const auto next =
      std::find_if(above.below.begin(), above.below.end(), [](const Place* one) { return one->in_group; });
  if (above.group && next != above.below.end() && *next != &cause) (*next)->on_its_way = true;
  bool reached = above.strategy == Strategy::one_for_all;
  for (Place* const child : above.below) {
    if (child == &cause) {
      reached = true;
      child->in_group = true;
    } else if (above.strategy != Strategy::one_for_one && reached && child->claimed) {
      const bool rests = child->state == State::waiting || child->state == State::rests;
      if (!child->in_group && rests && (child->waits || child->restart_told)) child->on_its_way = true;
      child->in_group = true;
    }
  }
  above.group_not_before = above.group ? std::max(above.group_not_before, cause.not_before) : cause.not_before;
  above.group = true;
  above.group_started = nullptr;
  // The back-off is the group's.
  for (Place* const child : above.below) child->waits = child->waits && !child->in_group;
}

void Oracle::end_group(Place& above) {
  above.group = false;
  above.group_started = nullptr;
  for (Place* const child : above.below) child->in_group = child->may_begin_again = false;
}

}  // namespace trust
