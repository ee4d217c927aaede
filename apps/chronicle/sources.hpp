// The actors that take in what comes from this machine: one for each source, children of Ingest.
//
// Promises
//  (1) Backpressure: a source hands over one batch, waits until the store has it, and only then reads on. While the
//      store refuses or does not answer, the batch is kept and offered again (its messages have keys or times, so
//      nothing is stored twice), and nothing more is read.
//  (2) Whatever blocks (reading /proc, files, apt) runs on the blocking pool.
//  (3) What is wrong with a source is logged and shown in its report; the others go on. A source that fails is
//      restarted; one that has read all there is ends in order.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backstage/actor/actor.hpp"
#include "chronicle/intake/apt_index.hpp"
#include "chronicle/intake/host_telemetry.hpp"
#include "chronicle/intake/line_follower.hpp"
#include "chronicle/settings.hpp"
#include "chronicle/store.hpp"

namespace chronicle {

class Ingest;

/// What became of the observations of a source.
struct Tally {
  std::uint64_t stored = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t refused = 0;

  void add(const Tally& more) noexcept {
    stored += more.stored;
    duplicates += more.duplicates;
    refused += more.refused;
  }
  [[nodiscard]] std::uint64_t sum() const noexcept { return stored + duplicates + refused; }
};

/// Sent to Ingest after each batch: how far a source has come.
struct SourceReport {
  std::string source;  ///< the actor's name
  std::string doing;   ///< "34% of 3 indexes", "follows", "done" ...
  Tally tally;         ///< since the source started
  bool is_done = false;
};

/// Stores the observations, offering them again as long as the store cannot take them. Errc::stopping when the actor
/// is told to stop first.
[[nodiscard]] backstage::Task<Result<Tally>> deliver(backstage::Context& cx, backstage::Ref<Store> store,
                                                     std::vector<Observation> observations);

/// The state of this machine, each second. Ticks that pass while the store is slow are skipped, not queued.
class HostSource {
 public:
  HostSource(backstage::Ref<Store> store, backstage::Ref<Ingest> ingest) : store_(store), ingest_(ingest) {}
  void init(backstage::Context& cx);
  struct Tick {};
  backstage::Task<> handle(Tick, backstage::Context& cx);

 private:
  backstage::Ref<Store> store_;
  backstage::Ref<Ingest> ingest_;
  std::shared_ptr<HostTelemetry> host_;  // shared with the job on the blocking pool
  Tally tally_;
};

/// The lines of a file, read once or followed. Where a followed file was left is kept in `position`, a file beside
/// the store (none: reading begins anew, and what is known already is recognised by its keys).
class FileSource {
 public:
  struct What {
    FileToRead file;
    LineFollower::Mode mode = LineFollower::Mode::once;
    std::string position = {};
  };
  FileSource(What what, backstage::Ref<Store> store, backstage::Ref<Ingest> ingest)
      : what_(std::move(what)), store_(store), ingest_(ingest) {}
  backstage::Task<> init(backstage::Context& cx);
  struct Read {};
  backstage::Task<> handle(Read, backstage::Context& cx);

 private:
  void tell(backstage::Context& cx, const LineFollower::Batch& batch);
  backstage::Task<> keep_position(backstage::Context& cx, Checkpoint checkpoint, bool at_once);

  What what_;
  backstage::Ref<Store> store_;
  backstage::Ref<Ingest> ingest_;
  std::shared_ptr<LineFollower> follower_;
  std::optional<Checkpoint> kept_;
  backstage::Instant kept_at_;
  Tally tally_;
};

/// Debian's package index of this machine, once. Absent: says so and ends.
class AptSource {
 public:
  AptSource(backstage::Ref<Store> store, backstage::Ref<Ingest> ingest) : store_(store), ingest_(ingest) {}
  void init(backstage::Context& cx);
  struct Find {};
  struct Read {};
  backstage::Task<> handle(Find, backstage::Context& cx);
  backstage::Task<> handle(Read, backstage::Context& cx);

 private:
  backstage::Ref<Store> store_;
  backstage::Ref<Ingest> ingest_;
  std::shared_ptr<AptIndex> index_;
  Tally tally_;
};

}  // namespace chronicle
