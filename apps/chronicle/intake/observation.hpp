// One thing that an intake source has seen: what the store is asked to keep.
#pragma once

#include <optional>
#include <string>

#include "backstage/base/time.hpp"

namespace chronicle {

struct Observation {
  std::string stream;
  std::optional<backstage::WallTime> source_time;  ///< when it happened, if the source says so
  std::string idempotency_key;  ///< the same observation has the same key; empty: the source has none
  std::string payload;
  std::string content_type;
};

}  // namespace chronicle
