// Ingest: the actor above the sources. It starts one child for each, collects their reports, and says in a line for
// people, each second at first and then every five, what is taken in.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backstage/actor/actor.hpp"
#include "chronicle/settings.hpp"
#include "chronicle/sources.hpp"

namespace chronicle {

struct ListSources {};

class Ingest {
 public:
  /// Without a store: the sibling named "store", once it is open.
  explicit Ingest(std::shared_ptr<const Settings> settings, backstage::Ref<Store> store = {})
      : settings_(std::move(settings)), store_(store) {}

  backstage::Task<Result<>> init(backstage::Context& cx);
  void handle(SourceReport report);
  std::vector<SourceReport> handle(ListSources) const;
  struct Tick {};
  backstage::Task<> handle(Tick, backstage::Context& cx);

 private:
  void start_files(backstage::Context& cx, const std::vector<std::string>& files, LineFollower::Mode mode);

  const std::shared_ptr<const Settings> settings_;
  backstage::Ref<Store> store_;
  std::map<std::string, SourceReport> reports_;
  std::uint64_t ticks_ = 0;
  std::uint64_t messages_before_ = 0;  // when the last line was printed
  backstage::Instant printed_at_;
};

/// "  4,711 messages (+123, 41/s) in 12 streams, 8.1 MB | packages: 34% of 3 indexes"
[[nodiscard]] std::string intake_line(const StoreState& state, std::uint64_t messages_before,
                                      backstage::Duration since, const std::map<std::string, SourceReport>& reports);

}  // namespace chronicle
