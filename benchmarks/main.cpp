// backstage-bench WORKLOAD WORKERS ARGS...: runs one workload and prints one line.
//
// The line's fields are parted by tabs: name, operations, seconds, operations per second, extra. The program exits
// with 1 when a check fails and with 2 when it was called wrongly.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <exception>
#include <iostream>
#include <span>

#include "savina/savina.hpp"
#include "workload.hpp"

namespace bench {
namespace {

struct Entry {
  std::string_view name;
  std::string_view args;
  std::string_view op;
  Outcome (*run)(const Settings&);
};

constexpr std::array workloads{
    Entry{"pingpong", "N", "round trip of a number between two actors", &pingpong},
    Entry{"counting", "N", "message: N increments without waiting, then the sum is asked for", &counting},
    Entry{"fanin", "P N", "message: P producers send N each to one consumer", &fanin},
    Entry{"bounded", "P N", "message: the same into a mailbox of 1000 that makes senders wait", &bounded},
    Entry{"ring", "A H K", "hop: K tokens make H hops together through A actors", &ring},
    Entry{"skynet", "L", "actor: a tree of tens down to L leaves; sums come back up", &skynet},
    Entry{"create", "N", "actor: made by one parent, gets one message, ends", &create},
    Entry{"big", "A N", "message: A actors send N pings each, one at a time, to random ones, and get pongs", &big},
    Entry{"chameneos", "A M", "meeting of two among A creatures, 4 messages each", &chameneos},
    Entry{"ask", "N", "request, one after the other", &ask},
    Entry{"memory", "N", "actor: bytes resident per idle actor, before and after its first message", &memory},
    Entry{"fairness", "K us s", "message of one of K actors that never rest; a probe is pinged each ms", &fairness},
    Entry{"timers", "N ms", "timer: N of them, spread evenly over so many ms; the lateness of each", &timers},
    Entry{"backlog", "N", "message: N pile up for a stopped consumer; bytes resident for each", &backlog},
    Entry{"idle", "N s", "actor: N do nothing for s seconds; how often a thread woke up", &idle},
    Entry{"outside", "T N", "message: T threads that are no workers send N each to one actor", &outside},
    Entry{"payload", "B N", "message of 8, 64 or 1024 bytes, otherwise as in counting", &payload},
    Entry{"latency", "P N", "message: P pairs play ping-pong, N rounds each; from send to handler", &latency},
    Entry{"burst", "A M", "actor that comes and goes, or message that piles up; resident 5 s later", &burst},
    Entry{"lookup", "N", "resource of the parent, looked up", &lookup},
    Entry{"publish", "S N", "value published N times to S subscribers, until all have heard the last", &publish},
    Entry{"path", "N", "actor found by a path of ten steps", &path},
    Entry{"scopes", "N", "resource looked up at a random one of N scopes", &scopes},
    // After the Savina suite.
    Entry{"throughput", "A N", "message: A actors get N each in turn, with a little work", &savina::throughput},
    Entry{"philosophers", "P N", "meal: P eat N each, forks from an arbiter", &savina::philosophers},
    Entry{"smokers", "S R", "round: one of S smokers is chosen, R times", &savina::smokers},
    Entry{"dictionary", "W N", "request: W workers, N each, one in ten writes", &savina::dictionary},
    Entry{"producers", "P C N", "item: P producers make N each for C consumers, 50 at most wait", &savina::producers},
    Entry{"barber", "N R", "haircut: N customers, R chairs to wait on, one barber", &savina::barber},
    Entry{"bank", "A N", "transfer: N of them between A accounts, each confirmed", &savina::bank},
    Entry{"logistic", "S T", "term: S series of T, each asked for", &savina::logistic},
    Entry{"sieve", "N", "number: the odd ones below N through a chain of filters", &savina::sieve},
    Entry{"fibonacci", "N", "actor: one for each call of the recursion", &savina::fibonacci},
    Entry{"quicksort", "N", "number: sorted by actors that split their part", &savina::quicksort},
    Entry{"radix", "N B", "number of B bits at an actor: N through a chain of B", &savina::radix},
    Entry{"queens", "N D W", "piece of work: N queens, split down to D rows among W workers", &savina::queens},
    Entry{"grid", "N W", "cell: shortest ways in a cube of N an edge, W slices", &savina::grid},
    Entry{"bitonic", "V L", "number at a comparator: V vectors of L through a sorting network", &savina::bitonic},
    Entry{"trapezoid", "N", "strip: the area under a curve, by 100 workers", &savina::trapezoid},
};

int usage(std::ostream& out, int code) {
  out << "usage: backstage-bench WORKLOAD WORKERS ARGS...\n"
         "prints: name <tab> ops <tab> seconds <tab> ops per second <tab> extra\n"
         "Each argument may be left out. Workloads, and what is one op:\n";
  for (const Entry& entry : workloads) {
    out << "  " << entry.name << std::string(14 - entry.name.size(), ' ') << entry.args
        << std::string(8 - entry.args.size(), ' ') << entry.op << '\n';
  }
  out << "Mailboxes: unbounded() where a backlog has no bound but N (the extra field says so), bounded(1000) in "
         "bounded,\n"
         "otherwise the default.\n";
  return code;
}

bool parse(std::string_view text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

static int command(std::span<char* const> words) {
  if (words.size() > 1 && (std::string_view(words[1]) == "--help" || std::string_view(words[1]) == "-h")) {
    return usage(std::cout, 0);
  }
  if (words.size() < 3) return usage(std::cerr, 2);
  const auto entry =
      std::find_if(workloads.begin(), workloads.end(), [&](const Entry& e) { return e.name == words[1]; });
  if (entry == workloads.end()) {
    std::cerr << "backstage-bench: no workload '" << words[1] << "'\n";
    return usage(std::cerr, 2);
  }
  std::vector<std::uint64_t> numbers;
  for (char* const word : words.subspan(2)) {
    std::uint64_t number = 0;
    if (!parse(word, number)) {
      std::cerr << "backstage-bench: '" << word << "' is not a number\n";
      return 2;
    }
    numbers.push_back(number);
  }
  if (numbers.front() == 0 || numbers.front() > 1'024) {
    std::cerr << "backstage-bench: WORKERS is from 1 to 1024, not " << numbers.front() << '\n';
    return 2;
  }
  Settings settings;
  settings.workers = static_cast<unsigned>(numbers.front());
  settings.args.assign(numbers.begin() + 1, numbers.end());
  const Outcome outcome = entry->run(settings);
  std::printf("%s\t%llu\t%.6f\t%.0f\t%s\n", words[1], static_cast<unsigned long long>(outcome.ops), outcome.seconds,
              static_cast<double>(outcome.ops) / outcome.seconds, outcome.extra.c_str());
  return 0;
}

std::string percentiles(std::vector<double> latencies) {
  if (latencies.empty()) return "none";
  std::sort(latencies.begin(), latencies.end());
  const auto at = [&](double q) {
    const auto index = static_cast<std::size_t>(q * static_cast<double>(latencies.size()));
    return latencies[std::min(index, latencies.size() - 1)];
  };
  std::array<char, 96> text{};
  std::snprintf(text.data(), text.size(), "p50=%.1fus p99=%.1fus p99.9=%.1fus max=%.1fus", at(0.5), at(0.99),
                at(0.999), latencies.back());
  return text.data();
}

}  // namespace bench

int main(int argc, char** argv) {
  try {
    return bench::command(std::span<char* const>(argv, static_cast<std::size_t>(argc)));
  } catch (const std::exception& error) {
    std::cerr << "backstage-bench: " << error.what() << '\n';
    return 1;
  }
}
