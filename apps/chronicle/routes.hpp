// Which request goes where. What needs no waiting is answered on the network's loop; the rest becomes a Call.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "backstage/http/router.hpp"
#include "chronicle/desk.hpp"

namespace chronicle {

/// The desks as the network's loop sees them: takes the next one that has room.
class Reception {
 public:
  explicit Reception(std::vector<backstage::Ref<Desk>> desks) : desks_(std::move(desks)) {}
  /// Never blocks. No room anywhere: 503 with Retry-After.
  void take(Call call);

 private:
  const std::vector<backstage::Ref<Desk>> desks_;
  std::size_t next_ = 0;  // on the loop only
};

[[nodiscard]] backstage::http::Router make_routes(std::shared_ptr<Reception> reception);

}  // namespace chronicle
