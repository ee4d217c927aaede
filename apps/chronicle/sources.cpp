#include "chronicle/sources.hpp"

#include <algorithm>
#include <utility>

#include "chronicle/ingest.hpp"
#include "chronicle/intake/line_observation.hpp"
#include "chronicle/intake/text.hpp"
#include "chronicle/nonce.hpp"

namespace chronicle {

using namespace std::chrono_literals;
using backstage::Context;
using backstage::moved;
using backstage::Need;
using backstage::Task;
namespace files = backstage::files;

namespace {

constexpr std::size_t batch_lines = 1'000;
constexpr std::size_t batch_bytes = std::size_t{1} << 20U;
constexpr std::size_t batch_packages = 500;

Draft draft_of(Observation observation, const backstage::Environment& environment) {
  Draft draft;
  draft.stream = std::move(observation.stream);
  draft.payload = std::move(observation.payload);
  draft.content_type = std::move(observation.content_type);
  draft.source_time = observation.source_time;
  if (!observation.idempotency_key.empty()) draft.key = std::move(observation.idempotency_key);
  if (!draft.key && !draft.source_time) draft.nonce = make_nonce(environment);
  draft.arrival = environment.clock().wall();
  return draft;
}

}  // namespace

Task<Result<Tally>> deliver(Context& cx, backstage::Ref<Store> store, std::vector<Observation> observations) {
  std::vector<Draft> drafts;
  drafts.reserve(observations.size());
  for (Observation& observation : observations) drafts.push_back(draft_of(std::move(observation), cx.environment()));
  const std::stop_token stop = cx.stop_token();
  backstage::Duration wait = 100ms;
  bool has_told = false;
  for (;;) {
    std::vector<Draft> offered = drafts;  // kept, to be offered again
    const auto outcomes = co_await store.ask<Append>(moved(offered)).within(store_within);
    if (outcomes) {
      Tally tally;
      for (const Outcome& outcome : *outcomes) {
        tally.stored += outcome.is_stored() ? 1U : 0U;
        tally.duplicates += outcome.is_duplicate() ? 1U : 0U;
        tally.refused += outcome.is_refused() ? 1U : 0U;
        if (outcome.is_refused()) {
          cx.log().warn("refused by the store",
                        {{"stream", outcome.stream}, {"why", outcome.refused->error.describe()}});
        }
      }
      co_return tally;
    }
    if (outcomes.error().is(Errc::invalid)) co_return outcomes.error();
    if (stop.stop_requested()) co_return Error(Errc::stopping, "told to stop while the store took nothing");
    if (!has_told) {
      cx.log().warn("the store takes nothing now; waiting", {{"why", outcomes.error().describe()}});
      has_told = true;
    }
    co_await cx.sleep(wait);
    wait = std::min<backstage::Duration>(wait * 2, 2s);
  }
}

// ------------------------------------------------------------------------------------------------------- host

void HostSource::init(Context& cx) {
  host_ = std::make_shared<HostTelemetry>(cx.environment().door<files::Files>());
  cx.send_after(0ns, cx.self(this), Tick{});
  cx.send_every(1s, cx.self(this), Tick{});
}

Task<> HostSource::handle(Tick, Context& cx) {
  auto look = [host = host_, now = cx.now(), wall = cx.environment().clock().wall()] {
    return host->sample(now, wall);
  };
  auto sample = co_await cx.blocking(moved(look)).within(30s);
  // The job may still run and use host_: only a new incarnation, with a new one, may go on.
  if (!sample) throw Need::restart("the machine could not be looked at", sample.error());
  for (const std::string& problem : sample->problems) cx.log().warn("left out", {{"why", problem}});
  const auto tally = co_await deliver(cx, store_, std::move(sample.value().observations));
  if (!tally) co_return;
  tally_.add(*tally);
  ingest_.send<SourceReport>(std::string(cx.name()), "each second", tally_, false);
}

// ------------------------------------------------------------------------------------------------------- file

Task<> FileSource::init(Context& cx) {
  auto& door = cx.environment().door<files::Files>();
  std::optional<Checkpoint> resume_at;
  if (!what_.position.empty()) {
    auto load = [&door, path = what_.position] { return door.read_whole(path, 4'096).value_or(std::string()); };
    const auto text = co_await cx.blocking(moved(load)).within(30s);
    if (text && !text->empty()) {
      const auto checkpoint = parse_checkpoint(trim(*text));
      if (checkpoint) resume_at = *checkpoint;
    }
  }
  kept_ = resume_at;
  kept_at_ = cx.now();
  LineFollower::Options options;
  options.mode = what_.mode;
  options.lines.max_line = chronicle_limits().payload;
  follower_ = std::make_shared<LineFollower>(door, what_.file.path, options, resume_at);
  cx.send_after(0ns, cx.self(this), Read{});
}

Task<> FileSource::handle(Read, Context& cx) {
  auto poll = [follower = follower_] { return follower->poll(batch_lines, batch_bytes).or_fail(); };
  auto polled = co_await cx.blocking(moved(poll)).within(5min);
  if (!polled) {
    // The follower stays as it was; but after a timeout the job may still use it, so a new incarnation goes on.
    if (polled.error().is(Errc::timeout) || what_.mode == LineFollower::Mode::once) {
      throw Need::restart("cannot read " + what_.file.path, polled.error());
    }
    cx.log().warn("cannot read now", {{"path", what_.file.path}, {"why", polled.error().describe()}});
    cx.send_after(5s, cx.self(this), Read{});
    co_return;
  }
  LineFollower::Batch batch = std::move(polled).value();
  std::vector<Observation> observations;
  observations.reserve(batch.lines.size());
  for (LineFollower::Line& line : batch.lines) {
    std::string key = batch.key(line);
    observations.push_back(observe_line(what_.file.stream, std::move(line.bytes), std::move(key)));
  }
  if (!observations.empty()) {
    const auto tally = co_await deliver(cx, store_, std::move(observations));
    if (!tally) throw Need::restart("the lines of " + what_.file.path + " were not stored", tally.error());
    tally_.add(*tally);
  }
  tell(cx, batch);
  co_await keep_position(cx, batch.checkpoint, batch.is_caught_up);
  if (batch.end_of_input) {
    cx.log().info("read to its end", {{"path", what_.file.path}, {"lines", tally_.sum()}, {"new", tally_.stored}});
    cx.stop();
    co_return;
  }
  cx.send_after(batch.is_caught_up ? backstage::Duration(500ms) : backstage::Duration(0), cx.self(this), Read{});
}

void FileSource::tell(Context& cx, const LineFollower::Batch& batch) {
  using Kind = LineFollower::Event::Kind;
  for (const LineFollower::Event& event : batch.events) {
    switch (event.kind) {
      case Kind::absent: cx.log().info("no such file yet", {{"path", what_.file.path}}); break;
      case Kind::rotated: cx.log().info("rotated: reading the new file", {{"path", what_.file.path}}); break;
      case Kind::truncated:
        cx.log().warn("truncated: reading from the beginning", {{"path", what_.file.path}, {"lost", event.bytes}});
        break;
      case Kind::skipped:
        cx.log().warn("part of a line that is too long was left out",
                      {{"path", what_.file.path}, {"offset", event.offset}, {"bytes", event.bytes}});
        break;
      case Kind::lost:
        cx.log().warn("the file that was followed is gone, with what was unread", {{"path", what_.file.path}});
        break;
    }
  }
  std::string doing = batch.end_of_input ? "done" : batch.is_caught_up ? "follows" : "";
  if (doing.empty()) {
    const double size = static_cast<double>(std::max<std::uint64_t>(batch.progress.size, 1));
    doing = std::to_string(static_cast<int>(100.0 * static_cast<double>(batch.progress.offset) / size)) + "%";
  }
  ingest_.send<SourceReport>(std::string(cx.name()), std::move(doing), tally_, batch.end_of_input);
}

/// At most once a second while there is more to read: a write is synced.
Task<> FileSource::keep_position(Context& cx, Checkpoint checkpoint, bool at_once) {
  if (what_.position.empty() || kept_ == checkpoint) co_return;
  if (!at_once && cx.now() - kept_at_ < 1s) co_return;
  auto& door = cx.environment().door<files::Files>();
  auto save = [&door, path = what_.position, text = to_string(checkpoint)] { return door.write_whole(path, text); };
  const auto saved = co_await cx.blocking(moved(save)).within(30s);
  kept_at_ = cx.now();
  if (saved && saved->has_value()) {
    kept_ = checkpoint;
    co_return;
  }
  cx.log().debug("the position was not kept; after a restart known lines are recognised by their keys");
}

// -------------------------------------------------------------------------------------------------------- apt

void AptSource::init(Context& cx) { cx.send_after(0ns, cx.self(this), Find{}); }

Task<> AptSource::handle(Find, Context& cx) {
  auto& commands = cx.environment().door<files::Commands>();
  auto find = [&commands] { return std::make_shared<AptIndex>(AptIndex::find(commands).or_fail()); };
  const auto found = co_await cx.blocking(moved(find)).within(2min);
  if (!found) {
    cx.log().info("no package index on this machine; going on without", {{"why", found.error().describe()}});
    ingest_.send<SourceReport>(std::string(cx.name()), "absent", tally_, true);
    cx.stop();
    co_return;
  }
  index_ = *found;
  cx.send_after(0ns, cx.self(this), Read{});
}

Task<> AptSource::handle(Read, Context& cx) {
  auto read = [index = index_] { return index->next(batch_packages, batch_bytes); };
  auto batch = co_await cx.blocking(moved(read)).within(2min);
  if (!batch) throw Need::restart("the package index could not be read", batch.error());
  for (const Error& problem : batch->problems) {
    cx.log().warn("left out of the package index", {{"why", problem.describe()}});
  }
  if (!batch->packages.empty()) {
    const auto tally = co_await deliver(cx, store_, std::move(batch.value().packages));
    if (!tally) throw Need::restart("packages were not stored", tally.error());
    tally_.add(*tally);
  }
  const AptIndex::Progress& progress = batch->progress;
  std::string doing = std::to_string(tally_.sum()) + " packages";
  if (!batch->end_of_input) {
    doing += ", index " + std::to_string(progress.index) + " of " + std::to_string(progress.indexes);
  }
  ingest_.send<SourceReport>(std::string(cx.name()), std::move(doing), tally_, batch->end_of_input);
  if (batch->end_of_input) {
    cx.log().info("the package index is read", {{"packages", tally_.sum()}, {"new", tally_.stored}});
    cx.stop();
    co_return;
  }
  cx.send_after(0ns, cx.self(this), Read{});
}

}  // namespace chronicle
