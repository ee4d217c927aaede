#include "hunt.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <exception>

namespace trust {
namespace {

struct One {
  std::uint64_t hash = 0;
  std::uint64_t events = 0;
  std::uint64_t faults = 0;
  Duration simulated{};
  std::vector<std::string> broken;
  std::vector<std::pair<std::string, std::uint64_t>> seen;
  std::string policy;
  std::string diary;
};

One run_one(const Scenario& scenario, std::uint64_t seed, Tally& tally) {
  One out;
  sim::WorldOptions options;
  options.log_level = Level::off;
  sim::World world(seed, std::move(options));
  const Instant begun = world.now();
  try {
    scenario.run(world, tally);
  } catch (const std::exception& error) {
    out.broken.push_back(std::string("an exception escaped: ") + error.what());
  }
  if (!world.broken().empty()) out.diary = world.diary();
  out.simulated = world.now() - begun;
  world.end();
  for (const std::string& one : world.broken()) out.broken.push_back(one);
  out.hash = world.hash();
  out.events = world.events();
  out.faults = world.faults_injected();
  out.seen = world.seen();
  out.policy = world.policy();
  return out;
}

[[nodiscard]] std::string with_separators(std::uint64_t n) {
  std::string text = std::to_string(n);
  for (std::size_t at = text.size(); at > 3;) {
    at -= 3;
    text.insert(at, ",");
  }
  return text;
}

void add_line(std::string& out, std::string_view name, const std::string& value) {
  out += "  " + std::string(name) + std::string(name.size() < 48 ? 48 - name.size() : 1, ' ') + value + '\n';
}

}  // namespace

void run_seed(const Scenario& scenario, std::uint64_t seed, bool twice, Found& found) {
  const One one = run_one(scenario, seed, found.tally);
  ++found.runs;
  ++found.seeds;
  found.events += one.events;
  found.faults += one.faults;
  found.simulated += std::chrono::duration<double>(one.simulated).count();
  // A sum: the same in whatever order, and by however many processes, the seeds are run.
  std::uint64_t mixed = one.hash ^ seed;
  found.digest += split_mix(mixed);
  for (const auto& [name, times] : one.seen) {
    found.seen.counts[name] += times;
  }
  std::vector<std::string> broken = one.broken;
  if (twice) {
    Tally again;
    ++found.runs;
    ++found.twice;
    if (run_one(scenario, seed, again).hash != one.hash) broken.emplace_back("W3: the same seed gave another run");
  }
  if (broken.empty()) return;
  std::string text = "to reproduce: backstage-trust --scenario " + std::string(scenario.name) + " --seed " +
                     std::to_string(seed) + " (" + one.policy + ")";
  for (std::size_t i = 0; i < broken.size() && i < 10; ++i) text += "\n    " + broken[i];
  found.failures.push_back(text + "\n  the last of its decisions:\n" + one.diary);
}

// ------------------------------------------------------------------------------------------------- as text

std::string Found::text() const {
  std::string out = "sum " + std::to_string(runs) + ' ' + std::to_string(seeds) + ' ' + std::to_string(twice) + ' ' +
                    std::to_string(events) + ' ' + std::to_string(faults) + ' ' + std::to_string(simulated) + ' ' +
                    std::to_string(digest) + '\n';
  for (const auto& [name, times] : tally.counts) out += "tally " + std::to_string(times) + ' ' + name + '\n';
  for (const auto& [name, times] : seen.counts) out += "seen " + std::to_string(times) + ' ' + name + '\n';
  for (const std::string& failure : failures) {
    std::string line = failure;
    std::replace(line.begin(), line.end(), '\n', '\f');
    out += "failed " + line + '\n';
  }
  return out;
}

void Found::read(const std::string& line) {
  const std::size_t space = line.find(' ');
  if (space == std::string::npos) return;
  const std::string kind = line.substr(0, space);
  std::string rest = line.substr(space + 1);
  if (kind == "failed") {
    std::replace(rest.begin(), rest.end(), '\f', '\n');
    failures.push_back(rest);
    return;
  }
  if (kind == "sum") {
    std::uint64_t n[6] = {};
    double s = 0;
    if (std::sscanf(rest.c_str(), "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %lf %" SCNu64, &n[0],
                    &n[1], &n[2], &n[3], &n[4], &s, &n[5]) != 7) {
      failures.push_back("a process spoke nonsense: " + line);
      return;
    }
    runs += n[0];
    seeds += n[1];
    twice += n[2];
    events += n[3];
    faults += n[4];
    simulated += s;
    digest += n[5];
    return;
  }
  const std::size_t name = rest.find(' ');
  if (name == std::string::npos) return;
  const std::uint64_t times = std::strtoull(rest.c_str(), nullptr, 10);
  (kind == "seen" ? seen : tally).counts[rest.substr(name + 1)] += times;
}

std::vector<std::string> Found::never() const {
  std::vector<std::string> out;
  for (const auto& [name, times] : seen.counts) {
    if (times == 0) out.push_back(name);
  }
  return out;
}

std::string Found::report(double wall_seconds, double cpu_seconds) const {
  char text[160];
  std::string out = "seeds and events\n";
  add_line(out, "worlds (seeds of all scenarios)", with_separators(seeds));
  std::snprintf(text, sizeof text, "%s (%.1f %%), all the same", with_separators(twice).c_str(),
                seeds != 0 ? 100.0 * static_cast<double>(twice) / static_cast<double>(seeds) : 0.0);
  add_line(out, "of these, run twice and compared", text);
  add_line(out, "events", with_separators(events));
  std::snprintf(text, sizeof text, "%016" PRIx64, digest);
  add_line(out, "digest of all runs", text);
  out += "speed\n";
  std::snprintf(text, sizeof text, "%.0f s, %.0f s of processor", wall_seconds, cpu_seconds);
  add_line(out, "time", text);
  std::snprintf(text, sizeof text, "%.0f", static_cast<double>(events) / cpu_seconds);
  add_line(out, "events per second and core", text);
  std::snprintf(text, sizeof text, "%.0f", simulated / cpu_seconds);
  add_line(out, "simulated seconds per second and core", text);
  std::snprintf(text, sizeof text, "%.1f", simulated / 86'400);
  add_line(out, "simulated days", text);
  out += "what happened in them\n";
  add_line(out, "faults by the worlds", with_separators(faults));
  for (const auto& [name, times] : tally.counts) add_line(out, name, with_separators(times));
  const std::size_t hit = seen.counts.size() - never().size();
  out += "sometimes: " + std::to_string(hit) + " of " + std::to_string(seen.counts.size()) + " points hit\n";
  for (const auto& [name, times] : seen.counts) add_line(out, name, with_separators(times));
  for (const std::string& failure : failures) out += failure + '\n';
  return out;
}

}  // namespace trust
