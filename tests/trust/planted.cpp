// The hunt for planted mistakes. Where none are planted there is nothing to hunt.
#include "../src/base/planted.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "hunt.hpp"

#ifdef BACKSTAGE_PLANTED
namespace backstage {
inline namespace v0 {
namespace detail {
Mistake planted_mistake = Mistake::none;
}
}  // namespace v0
}  // namespace backstage
#endif

namespace trust {

std::optional<std::uint64_t> seeds_to_find(std::uint64_t first, std::uint64_t most, std::string& what) {
  for (std::uint64_t i = 0; i < most; ++i) {
    for (const Scenario& scenario : scenarios()) {
      Found found;
      run_seed(scenario, first + i, false, found);
      if (found.failures.empty()) continue;
      const std::string& failure = found.failures.front();
      const std::size_t line = failure.find('\n');
      const std::size_t text = failure.find_first_not_of(' ', line + 1);
      what = std::string(scenario.name) + ": " + failure.substr(text, failure.find('\n', text) - text);
      return i + 1;
    }
  }
  return std::nullopt;
}

#ifdef BACKSTAGE_PLANTED

namespace {

constexpr std::uint64_t starts = 5;  // first seeds, far apart
constexpr std::uint64_t apart = 1'000'000;

/// In a process of its own, which a mistake may take down: that counts as found, too.
struct Try {
  pid_t pid = 0;
  std::FILE* from = nullptr;
};

Try begin(detail::Mistake mistake, std::uint64_t first, std::uint64_t most) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  const pid_t child = fork();
  if (child != 0) {
    close(ends[1]);
    return {child, fdopen(ends[0], "r")};
  }
  close(ends[0]);
  std::FILE* const out = fdopen(ends[1], "w");
  detail::planted_mistake = mistake;
  for (std::uint64_t i = 0; i < most; ++i) {
    // Written before it is run: whoever dies has died in this one.
    std::fprintf(out, "%llu\n", static_cast<unsigned long long>(i + 1));
    std::fflush(out);
    std::string what;
    alarm(60);  // a run that never ends is found, too
    if (!seeds_to_find(first + i, 1, what)) continue;
    std::fprintf(out, "found %s\n", what.c_str());
    std::fclose(out);
    std::_Exit(0);
  }
  std::fprintf(out, "not found\n");
  std::fclose(out);
  std::_Exit(1);
}

struct Result {
  std::uint64_t seeds = 0;  // 0: not found
  std::string what;
};

Result end(const Try& one) {
  Result out;
  char* line = nullptr;
  std::size_t room = 0;
  std::string last = "0";
  bool found = false;
  bool not_found = false;
  while (getline(&line, &room, one.from) > 0) {
    std::string text(line);
    text.pop_back();
    if (text.starts_with("found ")) {
      found = true;
      out.what = text.substr(6);
    } else if (text == "not found") {
      not_found = true;
    } else {
      last = text;
    }
  }
  std::free(line);  // NOLINT(cppcoreguidelines-no-malloc): getline's
  std::fclose(one.from);
  int status = 0;
  waitpid(one.pid, &status, 0);
  if (not_found) return out;
  out.seeds = std::strtoull(last.c_str(), nullptr, 10);
  if (!found) out.what = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "a run that never ends" : "a crash";
  return out;
}

}  // namespace

bool hunt(std::string_view wanted, std::uint64_t most, unsigned jobs) {
  bool all = true;
  bool known = false;
  std::printf("| mistake | breaks | seeds to find it: median | of five | found by |\n|---|---|---|---|---|\n");
  for (std::size_t i = 1; i < detail::mistakes; ++i) {
    const detail::MistakeText& text = detail::mistake_texts[i];
    if (!wanted.empty() && wanted != text.name) continue;
    known = true;
    std::vector<Result> results;
    for (std::uint64_t start = 0; start < starts;) {
      std::vector<Try> tries;
      for (unsigned job = 0; job < jobs && start < starts; ++job, ++start) {
        tries.push_back(begin(static_cast<detail::Mistake>(i), 1 + start * apart, most));
      }
      for (const Try& one : tries) results.push_back(end(one));
    }
    const auto rank = [](const Result& one) { return one.seeds == 0 ? UINT64_MAX : one.seeds; };
    std::sort(results.begin(), results.end(), [&](const Result& a, const Result& b) { return rank(a) < rank(b); });
    std::string of;
    for (const Result& one : results) {
      of += (of.empty() ? "" : ", ") + (one.seeds == 0 ? std::string("not") : std::to_string(one.seeds));
      all = all && one.seeds != 0;
    }
    const Result& median = results[results.size() / 2];
    std::printf("| %s: %s | %s | %s | %s | %s |\n", std::string(text.name).c_str(), std::string(text.what).c_str(),
                std::string(text.promise).c_str(), median.seeds == 0 ? "-" : std::to_string(median.seeds).c_str(),
                of.c_str(), median.what.c_str());
    std::fflush(stdout);
  }
  if (!known) {
    std::fprintf(stderr, "no mistake '%s'; there are:", std::string(wanted).c_str());
    for (std::size_t i = 1; i < detail::mistakes; ++i) {
      std::fprintf(stderr, " %s", std::string(detail::mistake_texts[i].name).c_str());
    }
    std::fprintf(stderr, "\n");
  }
  return all && known;
}

#else

bool hunt(std::string_view, std::uint64_t, unsigned) {
  std::fprintf(stderr, "no mistake is planted in this program: backstage-trust-planted has them\n");
  return false;
}

#endif

}  // namespace trust
