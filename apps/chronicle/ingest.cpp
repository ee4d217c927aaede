#include "chronicle/ingest.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "chronicle/message_id.hpp"

namespace chronicle {

using namespace std::chrono_literals;
using backstage::child;
using backstage::Context;
using backstage::Ref;
using backstage::Task;

namespace {

/// 1234567 -> "1,234,567".
std::string grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string readable_bytes(std::uint64_t bytes) {
  static constexpr std::array<const char*, 5> units{"B", "kB", "MB", "GB", "TB"};
  auto size = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; size >= 1000.0 && unit + 1 < units.size(); ++unit) size /= 1000.0;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", size, units.at(unit));
  return text.data();
}

/// A source that fails again and again is tried for ever, at a growing distance: the others must not suffer.
template <class A>
backstage::Child<A> source(backstage::Child<A> spec) {
  return std::move(spec).backoff(500ms, 30s).at_most(backstage::unlimited).stop_within(2s);
}

}  // namespace

std::string intake_line(const StoreState& state, std::uint64_t messages_before, backstage::Duration since,
                        const std::map<std::string, SourceReport>& reports) {
  const std::uint64_t more = state.messages > messages_before ? state.messages - messages_before : 0;
  const double seconds = std::max(0.001, std::chrono::duration<double>(since).count());
  std::string line = grouped(state.messages) + " messages (+" + grouped(more) + ", " +
                     grouped(static_cast<std::uint64_t>(static_cast<double>(more) / seconds + 0.5)) + "/s) in " +
                     grouped(state.streams) + " streams, " + readable_bytes(state.bytes);
  if (state.counters.duplicates > 0) line += ", " + grouped(state.counters.duplicates) + " known already";
  if (state.turned_away > 0) line += ", " + grouped(state.turned_away) + " refused";
  if (state.fault) line += " | STORE: " + std::string(state.fault->text());
  for (const auto& [name, report] : reports) {
    if (!report.is_done && report.doing != "each second") line += " | " + name + ": " + report.doing;
  }
  return line;
}

Task<Result<>> Ingest::init(Context& cx) {
  if (!store_) store_ = (co_await cx.depends_on<OpenStore>(cx.sibling("store")).within(open_within)).or_fail().store;
  const Ref<Ingest> me = cx.self(this);
  if (!settings_->no_host) cx.spawn(source(child<HostSource>("host", store_, me)));
  start_files(cx, settings_->files, LineFollower::Mode::once);
  start_files(cx, settings_->follow, LineFollower::Mode::follow);
  if (!settings_->no_apt) cx.spawn(source(child<AptSource>("packages", store_, me)));
  printed_at_ = cx.now();
  cx.send_every(1s, me, Tick{});
  co_return Result<>();
}

void Ingest::start_files(Context& cx, const std::vector<std::string>& files, LineFollower::Mode mode) {
  const bool follows = mode == LineFollower::Mode::follow;
  std::size_t number = 0;
  for (const std::string& text : files) {
    FileSource::What what;
    what.file = parse_file(text).or_fail();
    what.mode = mode;
    if (follows && !settings_->memory && !settings_->data.empty()) {
      const std::string name = content_id(what.file.stream + "\n" + what.file.path).hex().substr(0, 16);
      what.position = (std::filesystem::path(settings_->data) / ("position-" + name)).string();
    }
    ++number;
    cx.spawn(source(
        child<FileSource>((follows ? "follow-" : "file-") + std::to_string(number), what, store_, cx.self(this))));
  }
}

void Ingest::handle(SourceReport report) {
  std::string source = report.source;
  reports_.insert_or_assign(std::move(source), std::move(report));
}

std::vector<SourceReport> Ingest::handle(ListSources) const {
  std::vector<SourceReport> all;
  for (const auto& [name, report] : reports_) all.push_back(report);
  return all;
}

Task<> Ingest::handle(Tick, Context& cx) {
  ++ticks_;
  if (!settings_->print || (ticks_ > 10 && ticks_ % 5 != 0)) co_return;
  const auto state = co_await store_.ask<GetStoreState>().within(800ms);
  if (!state) {
    settings_->print("the store does not answer: " + state.error().describe());
    co_return;
  }
  if (messages_before_ == 0) messages_before_ = state->messages - state->counters.stored;
  settings_->print(intake_line(*state, messages_before_, cx.now() - printed_at_, reports_));
  messages_before_ = state->messages;
  printed_at_ = cx.now();
}

}  // namespace chronicle
