#include "backstage/sim/explorer.hpp"

#include <algorithm>
#include <cstdlib>
#include <exception>

namespace backstage {
inline namespace v0 {
namespace sim {
namespace {

[[nodiscard]] std::optional<std::uint64_t> seed_of_environment() {
  const char* const text = std::getenv("BACKSTAGE_SEED");  // NOLINT(concurrency-mt-unsafe): one thread
  if (text == nullptr || *text == '\0') return std::nullopt;
  char* end = nullptr;
  const std::uint64_t seed = std::strtoull(text, &end, 10);
  if (*end != '\0') return std::nullopt;
  return seed;
}

void add_seen(std::vector<std::pair<std::string, std::uint64_t>>& sum,
              const std::vector<std::pair<std::string, std::uint64_t>>& more) {
  for (const auto& [name, times] : more) {
    auto found = std::find_if(sum.begin(), sum.end(), [&key = name](const auto& one) { return one.first == key; });
    if (found == sum.end()) found = sum.emplace(sum.end(), name, 0);
    found->second += times;
  }
}

[[nodiscard]] std::string where_they_part(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
  std::size_t same = 0;
  while (same < a.size() && same < b.size() && a[same] == b[same]) ++same;
  return "between event " + std::to_string(same * 256) + " and " + std::to_string((same + 1) * 256);
}

void add_lines(std::string& out, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    out += "    " + text.substr(at, end - at) + '\n';
    at = end + 1;
  }
}

}  // namespace

struct Explorer::Outcome {
  std::vector<std::string> complaints;
  std::uint64_t hash = 0;
  std::uint64_t events = 0;
  std::uint64_t faults = 0;
  std::vector<std::uint64_t> trail;
  std::vector<std::pair<std::string, std::uint64_t>> seen;
  std::string policy;
  std::string diary;
  Choices choices;
};

Explorer::Outcome Explorer::run_one(std::uint64_t seed, const Body& body,
                                    const std::optional<Choices>& replay) const {
  Outcome out;
  const auto go = [&] {
    WorldOptions options = options_.world;
    if (replay) options.replay = replay;
    World world(seed, std::move(options));
    try {
      body(world);
    } catch (const std::exception& error) {
      out.complaints.push_back(std::string("an exception escaped: ") + error.what());
    } catch (...) {
      out.complaints.emplace_back("an exception escaped, and no std::exception");
    }
    // Before the end, which is not what somebody wants to read about.
    out.diary = world.diary();
    world.end();
    for (const std::string& one : world.broken()) out.complaints.push_back(one);
    out.hash = world.hash();
    out.events = world.events();
    out.faults = world.faults_injected();
    out.trail = world.trail();
    out.seen = world.seen();
    out.policy = world.policy();
    out.choices = world.choices();
  };
  if (listener_) {
    for (std::string& one : listener_(go)) out.complaints.push_back(std::move(one));
  } else {
    go();
  }
  return out;
}

Report::Failed Explorer::describe(std::uint64_t seed, Outcome&& outcome, const Body& body, bool may_shrink) const {
  Report::Failed failed{seed, std::move(outcome.policy), std::move(outcome.complaints), std::move(outcome.diary),
                        std::move(outcome.choices)};
  if (!may_shrink || options_.shrink_runs == 0) return failed;
  Outcome last;
  failed.tamest = shrink(
      failed.choices,
      [&](const Choices& choices) {
        Outcome tried = run_one(seed, body, choices);
        if (tried.complaints.empty()) return false;
        last = std::move(tried);
        return true;
      },
      options_.shrink_runs);
  failed.tamest_diary = std::move(last.diary);
  return failed;
}

Report Explorer::run(Seeds seeds, const Body& body) const {
  Report report;
  const auto only = options_.heed_environment ? seed_of_environment() : std::nullopt;
  if (only) seeds = {*only, 1};
  for (std::uint64_t i = 0; i < seeds.count; ++i) {
    const std::uint64_t seed = seeds.first + i;
    Outcome outcome = run_one(seed, body, std::nullopt);
    ++report.runs;
    report.events += outcome.events;
    report.faults += outcome.faults;
    add_seen(report.seen, outcome.seen);
    bool may_shrink = true;
    if (outcome.complaints.empty() && options_.twice_every != 0 && i % options_.twice_every == 0) {
      const Outcome again = run_one(seed, body, std::nullopt);
      ++report.runs;
      if (again.hash != outcome.hash || !again.complaints.empty()) {
        outcome.complaints.push_back(
            "the same seed gave another run, which differs " + where_they_part(outcome.trail, again.trail) +
            ": something goes past the environment (a real clock, addresses, hash order ...)");
        may_shrink = false;  // nothing can be said of a run that is another one each time
      }
    }
    if (outcome.complaints.empty()) continue;
    report.first = describe(seed, std::move(outcome), body, may_shrink);
    return report;
  }
  if (!only) {
    for (const auto& [name, times] : report.seen) {
      if (times == 0) report.never.push_back(name);
    }
  }
  return report;
}

std::string Report::text() const {
  std::string out;
  if (first) {
    out += "to reproduce: BACKSTAGE_SEED=" + std::to_string(first->seed) + " (" + first->policy + ")\n";
    for (const std::string& complaint : first->complaints) add_lines(out, complaint);
    out += "  the last of its decisions, of " + first->choices.text() + ":\n";
    add_lines(out, first->diary);
    if (first->tamest) {
      out += "  the tamest run found that fails, after " + std::to_string(first->tamest->runs) +
             " tries: " + first->tamest->choices.text() + '\n';
      add_lines(out, first->tamest_diary);
    }
  }
  for (const std::string& name : never) {
    out += "never in " + std::to_string(runs) + " runs: " + name + '\n';
  }
  if (out.empty()) {
    out = std::to_string(runs) + " runs, " + std::to_string(events) + " events, " + std::to_string(faults) +
          " faults\n";
  }
  return out;
}

}  // namespace sim
}  // namespace v0
}  // namespace backstage
