// What is asked for when an actor is spawned, and cannot be had: it is said before anything is made. (Bad names: promise L8.)
#include "spawn_checks.hpp"
#include "backstage/base/utf8.hpp"

#include <string>

#include "core.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

void check_name(std::string_view name) {
  // "" is unnamed. The rest must be printable in a path and in a log line, and say one step only.
  if (name.size() > 120) {
    throw Need::fail(
        Error(Errc::invalid, "the name '" + std::string(cut_utf8(name, 40)) + "...' is longer than 120 bytes"));
  }
  if (name == "." || name == "..") {
    throw Need::fail(
        Error(Errc::invalid, "the name '" + std::string(name) + "' means a step of a path: choose another"));
  }
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f || c == '/') {
      throw Need::fail(
          Error(Errc::invalid, "the name '" + std::string(name) +
                                   "' holds a space, a control character or '/': names are one step of a path"));
    }
    if (c == '#') {
      throw Need::fail(
          Error(Errc::invalid, "the name '" + std::string(name) + "' holds '#', which marks unnamed actors"));
    }
  }
}

void check_policy(std::string_view name, const OwnPolicy& policy) {
  const auto refuse = [&](const std::string& what) {
    throw Need::fail(Error(Errc::invalid, "the spec of '" + std::string(name) + "': " + what));
  };
  const Duration none{0};
  if (policy.once && policy.restart != Restart::never) {
    refuse("restart: a child made by once() has one life, since its arguments are moved: leave it, or use child()");
  }
  if (policy.restart == Restart::ask && policy.end.ask == nullptr) {
    refuse("restart: Restart::ask needs on_end(cx.self(this)) and, there, Verdict handle(Eol<...>, Context&)");
  }
  if (policy.restart == Restart::always && policy.significant != Significant::no) {
    refuse("significant: under Restart::always it never ends by itself");
  }
  if (policy.backoff.first < none || policy.backoff.most < policy.backoff.first) {
    refuse("backoff: from " + to_string(policy.backoff.first) + " to " + to_string(policy.backoff.most) +
           ": the first must not be negative, and not above the most");
  }
  if (policy.intensity.window <= none) refuse("at_most: a window of " + to_string(policy.intensity.window));
  if (policy.start_within <= none) refuse("start_within: " + to_string(policy.start_within));
  if (policy.stop_within < none) refuse("stop_within: " + to_string(policy.stop_within));
  if (policy.verdict_within <= none) refuse("verdict_within: " + to_string(policy.verdict_within));
  if (policy.start_after < none) refuse("start_after: " + to_string(policy.start_after));
  if (policy.live_for < none) refuse("live_for: " + to_string(policy.live_for));
  if (policy.quarantine && policy.retry_failed == 0) refuse("quarantine: it comes after retry_failed(n), n above 0");
}

void check_targets(const Cell& parent, const Body& body) {
  if (body.has_policy == 0) return;  // names nobody
  const auto& policy = static_cast<const OwnPolicy&>(body.policy());
  std::string wrong;
  if (policy.restart == Restart::ask && policy.end.cell != &parent) {
    wrong = "on_end: under Restart::ask its target must be the supervisor itself: on_end(cx.self(this))";
  }
  for (const Cell* target : {policy.end.cell, policy.report.cell}) {
    if (target != nullptr && region_of(target).core.load(std::memory_order_acquire) != &parent.core()) {
      wrong = "on_end, report_to: the target is an actor of another Runtime";
    }
  }
  if (wrong.empty()) return;
  throw Need::fail(Error(Errc::invalid, "the spec of '" + std::string(body.name()) + "': " + wrong));
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
