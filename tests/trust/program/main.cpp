// backstage-trust: the big run. Every scenario in a world for each seed, on as many processes as there are cores, and the
// figures that docs/explanation/trust.md publishes.
//
//     backstage-trust                          5,000 seeds of each scenario
//     backstage-trust --seeds 500 --scenario family
//     backstage-trust --seed 42 --scenario family      that one, with its diary when it fails
//     backstage-trust-planted --mistake eol_twice      how many seeds it takes to find it, from several first seeds on
//     backstage-trust-planted --all                    the same for each of them
//
// The digest is the sum over the hashes of all runs: the same seeds give the same one in every build, by every compiler.
// Exit code: 0 all held; 1 a promise was broken, or a sometimes() never was; 2 usage.
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "../hunt.hpp"

namespace {

using namespace trust;

struct Options {
  std::uint64_t seeds = 5'000;
  std::uint64_t first = 1;
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
  std::string scenario;
  std::string mistake;
  bool all_mistakes = false;
  std::uint64_t twice_every = 10;
  std::uint64_t most_failures = 3;  // of a process, which then stops
  bool alone = false;               // one seed, in this process
};

int usage() {
  std::fprintf(stderr,
               "usage: backstage-trust [--seeds N] [--first N] [--jobs N] [--scenario NAME] [--twice-every N]\n"
               "                       [--most-failures N]\n"
               "       backstage-trust --seed N [--scenario NAME]\n"
               "       backstage-trust-planted --mistake NAME | --all [--seeds N]\n"
               "scenarios: family market ending\n");
  return 2;
}

bool parse(int argc, char** argv, Options& out) {
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--all") {
      out.all_mistakes = true;
      continue;
    }
    if (i + 1 >= argc) return false;
    const std::string value = argv[++i];
    const auto number = [&] { return std::strtoull(value.c_str(), nullptr, 10); };
    if (name == "--seeds") {
      out.seeds = number();
    } else if (name == "--first") {
      out.first = number();
    } else if (name == "--jobs") {
      out.jobs = std::max(1U, static_cast<unsigned>(number()));
    } else if (name == "--twice-every") {
      out.twice_every = number();
    } else if (name == "--most-failures") {
      out.most_failures = number();
    } else if (name == "--scenario") {
      out.scenario = value;
    } else if (name == "--mistake") {
      out.mistake = value;
    } else if (name == "--seed") {
      out.first = number();
      out.seeds = 1;
      out.alone = true;
    } else {
      return false;
    }
  }
  if (out.scenario.empty()) return true;
  return std::any_of(scenarios().begin(), scenarios().end(),
                     [&](const Scenario& one) { return one.name == out.scenario; });
}

[[nodiscard]] std::vector<Scenario> chosen(const Options& options) {
  std::vector<Scenario> out;
  for (const Scenario& one : scenarios()) {
    if (options.scenario.empty() || one.name == options.scenario) out.push_back(one);
  }
  return out;
}

[[nodiscard]] double seconds(std::chrono::steady_clock::duration d) {
  return std::chrono::duration<double>(d).count();
}

/// What a process is at, where its parent can read it after a crash.
struct At {
  std::uint64_t seed;
  char scenario[16];
};

At* shared_places(unsigned count) {
  void* const memory = mmap(nullptr, sizeof(At) * count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<At*>(memory);
}

/// One process, a part of the seeds: what it found goes through the pipe when it is done, and a dot now and then.
void work(const Options& options, unsigned job, int to, At& at) {
  std::FILE* const out = fdopen(to, "w");
  Found found;
  std::uint64_t done = 0;
  for (std::uint64_t i = job; i < options.seeds; i += options.jobs) {
    for (const Scenario& scenario : chosen(options)) {
      const bool twice = options.twice_every != 0 && (i / options.jobs) % options.twice_every == 0;
      for (std::uint64_t n = 0; n < scenario.worlds; ++n) {
        at.seed = options.first + i * scenario.worlds + n;
        at.scenario[scenario.name.copy(at.scenario, sizeof at.scenario - 1)] = '\0';
        run_seed(scenario, at.seed, twice, found);
      }
    }
    if (++done % 50 == 0) {
      std::fprintf(out, "done %d\n", 50);
      std::fflush(out);
    }
    if (found.failures.size() >= options.most_failures) break;
  }
  const std::string text = found.text();
  std::fwrite(text.data(), 1, text.size(), out);
  std::fclose(out);
}

int run_all(const Options& options) {
  const auto begun = std::chrono::steady_clock::now();
  At* const at = shared_places(options.jobs);
  if (at == nullptr) return 2;
  std::vector<std::pair<pid_t, std::FILE*>> children;
  for (unsigned job = 0; job < options.jobs; ++job) {
    int ends[2];
    if (pipe(ends) != 0) return 2;
    const pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      work(options, job, ends[1], at[job]);
      std::_Exit(0);
    }
    close(ends[1]);
    children.emplace_back(child, fdopen(ends[0], "r"));
  }
  Found sum;
  std::uint64_t done = 0;
  char* line = nullptr;
  std::size_t room = 0;
  const bool terminal = isatty(2) != 0;
  // In turn, a line each, so that progress is seen; the long text comes at the end.
  std::vector<bool> open(children.size(), true);
  for (std::size_t left = children.size(); left > 0;) {
    for (std::size_t i = 0; i < children.size(); ++i) {
      if (!open[i]) continue;
      const ssize_t size = getline(&line, &room, children[i].second);
      if (size < 0) {
        open[i] = false;
        --left;
        continue;
      }
      const std::string text(line, static_cast<std::size_t>(size) - 1);
      if (!text.starts_with("done ")) {
        sum.read(text);
        continue;
      }
      done += 50;
      if (terminal || done % 500 == 0) {
        std::fprintf(stderr, "%s%" PRIu64 " of %" PRIu64 " seeds, %.0f s%s", terminal ? "\r" : "", done,
                     options.seeds, seconds(std::chrono::steady_clock::now() - begun), terminal ? "" : "\n");
      }
    }
  }
  std::free(line);  // NOLINT(cppcoreguidelines-no-malloc): getline's
  if (terminal) std::fprintf(stderr, "\n");
  for (std::size_t i = 0; i < children.size(); ++i) {
    int status = 0;
    waitpid(children[i].first, &status, 0);
    std::fclose(children[i].second);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
    sum.failures.push_back("to reproduce: backstage-trust --scenario " + std::string(at[i].scenario) + " --seed " +
                           std::to_string(at[i].seed) + "\n    the process died of " +
                           (WIFSIGNALED(status) ? std::string("signal ") + strsignal(WTERMSIG(status))
                                                : "exit code " + std::to_string(WEXITSTATUS(status))));
  }
  rusage usage{};
  getrusage(RUSAGE_CHILDREN, &usage);
  const double cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                     static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  std::printf("%s", sum.report(seconds(std::chrono::steady_clock::now() - begun), cpu).c_str());
  const bool whole = options.seeds >= 200;
  const bool held = sum.failures.empty() && (!whole || sum.never().empty());
  std::printf("%s\n", held ? "all held" : "NOT ALL HELD");
  return held ? 0 : 1;
}

int run_alone(const Options& options) {
  Found found;
  for (const Scenario& scenario : chosen(options)) run_seed(scenario, options.first, true, found);
  for (const std::string& one : found.failures) std::printf("%s\n", one.c_str());
  std::printf("events %" PRIu64 ", digest %016" PRIx64 "\n", found.events, found.digest);
  return found.failures.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) return usage();
  if (options.all_mistakes || !options.mistake.empty()) {
    return hunt(options.mistake, options.seeds, options.jobs) ? 0 : 1;
  }
  return options.alone ? run_alone(options) : run_all(options);
}
