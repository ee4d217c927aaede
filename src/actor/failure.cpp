// How a failure is caught, kept as plain data without allocating, and told (promise L3).
#include <algorithm>
#include <cstring>
#include <exception>
#include <string>
#include <utility>

#include <cxxabi.h>

#include "backstage/actor/detail/running.hpp"
#include "backstage/base/utf8.hpp"
#include "core.hpp"
#include "inspecting.hpp"
#include "lifecycle.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

/// What lay beneath, a line each: "std::system_error: no such file". The types' names stay as they are.
void record_causes(Failure& failure, std::exception_ptr cause) noexcept {
  constexpr int most = 8;
  std::size_t used = 0;
  const auto add = [&](std::string_view text) {
    for (const char c : cut_utf8(text, sizeof(failure.causes) - 1 - used))
      failure.causes[used++] = c == '\n' ? ' ' : c;
    failure.causes[used] = '\0';
  };
  for (int depth = 0; cause != nullptr && depth < most; ++depth) {
    if (depth != 0 && used + 1 < sizeof(failure.causes)) failure.causes[used++] = '\n';
    std::exception_ptr next;
    try {
      std::rethrow_exception(cause);
    } catch (const std::exception& error) {
      add(error.what());
      if (const auto* nested = dynamic_cast<const std::nested_exception*>(&error)) next = nested->nested_ptr();
    } catch (...) {
      add("thrown, and no std::exception");
    }
    cause = next;
  }
}

/// Turns the exception in flight into plain data. Allocates nothing of its own. Returns its type's mangled name (static
/// data: demangling would allocate), or null when the type does not matter.
const char* record_exception(Failure& failure) noexcept {
  const char* mangled = nullptr;
  try {
    throw;
  } catch (const Need& need) {
    failure.need = need.kind();
    failure.code = need.error().code();
    failure.restart_after = need.after();
    failure.origin = need.error();
    failure.has_origin = true;
    // The code is kept apart: "not_found: no scope ..." without its first word.
    std::string_view text = need.what();
    const std::string_view code = to_string(failure.code);
    if (text.substr(0, code.size()) == code && text.substr(code.size(), 2) == ": ")
      text.remove_prefix(code.size() + 2);
    copy_cut(failure.text, text);
  } catch (const std::exception& error) {
    if (const std::type_info* type = abi::__cxa_current_exception_type()) mangled = type->name();
    copy_cut(failure.type, mangled != nullptr ? mangled : "");
    copy_cut(failure.text, error.what());
    if (const auto* nested = dynamic_cast<const std::nested_exception*>(&error)) {
      record_causes(failure, nested->nested_ptr());
    }
  } catch (const std::string& text) {
    copy_cut(failure.type, "std::string");
    copy_cut(failure.text, text);
  } catch (const char* text) {
    copy_cut(failure.type, "const char*");
    copy_cut(failure.text, text != nullptr ? text : "");
  } catch (...) {
    if (const std::type_info* type = abi::__cxa_current_exception_type()) mangled = type->name();
    copy_cut(failure.type, mangled != nullptr ? mangled : "unknown");
    copy_cut(failure.text, "thrown, and no std::exception");
  }
  return mangled;
}

/// An error over those that a nested exception carried, a line each.
[[nodiscard]] Error with_causes(Errc code, std::string_view said, std::string_view causes) {
  if (causes.empty()) return {code, said};
  const std::size_t end = causes.find('\n');
  const std::string_view rest = end == std::string_view::npos ? std::string_view() : causes.substr(end + 1);
  return {code, said, with_causes(Errc::failed, causes.substr(0, end), rest)};
}

/// Puts the readable name of its type into it, if there is memory for that.
void readable_type(Failure& failure, const char* mangled) noexcept {
  if (mangled == nullptr) return;
  int status = 0;
  char* const readable = abi::__cxa_demangle(mangled, nullptr, nullptr, &status);
  if (status == 0 && readable != nullptr) copy_cut(failure.type, readable);
  std::free(readable);  // NOLINT(cppcoreguidelines-no-malloc): __cxa_demangle allocates with malloc
}

}  // namespace

Error Failure::error() const {
  std::string said;
  if (type[0] != '\0') said = std::string(type) + ": ";
  said += has_origin ? origin.text() : std::string_view(text);
  if (!message.empty()) said += " (in " + std::string(message) + ")";
  if (has_origin && origin.cause() != nullptr) return {code, said, *origin.cause()};
  return with_causes(code, said, causes);
}

Error Failure::own_error() const {
  if (has_origin) return origin;
  if (type[0] == '\0') return {code, text};
  return with_causes(code, std::string(type) + ": " + text, causes);
}

Error describe_current_exception(Errc code) {
  Failure failure;
  readable_type(failure, record_exception(failure));
  const std::string type = failure.type[0] != '\0' ? std::string(failure.type) + ": " : std::string();
  return Error(code, type + failure.text);
}

void Lifecycle::fail_by_exception(Cell& cell, Failure::Stage stage, std::string_view message) {
  settle_turn();  // what it sent before, before anybody hears of the failure
  Core& core = cell.core();
  Failure& failure = core.take_failure();
  if (core.is_lost(failure)) {
    // Its text is nobody's, but what the actor needs is its own.
    Failure unkept;
    (void)record_exception(unkept);
    fail(cell, failure, unkept.need == Need::Kind::stop);
    return;
  }
  failure.stage = stage;
  failure.message = message;
  if (cell.extras != nullptr && !cell.extras->failed_in.empty()) {
    failure.message = std::exchange(cell.extras->failed_in, {});
  } else if (message.empty()) {
    if (const auto* noted = static_cast<const std::string_view*>(this_turn->worker->noted_message())) {
      failure.message = *noted;
    }
  }
  readable_type(failure, record_exception(failure));
  fail(cell, failure, failure.need == Need::Kind::stop);
}

void Lifecycle::fail_from_outside(Cell& cell, Failure::Stage stage, const Error& why) {
  if (cell.phase != Phase::initializing && cell.phase != Phase::running && cell.phase != Phase::draining) return;
  Core& core = cell.core();
  Failure& failure = core.take_failure();
  if (!core.is_lost(failure)) {
    failure.stage = stage;
    failure.code = why.code();
    copy_cut(failure.text, why.text());
  }
  fail(cell, failure, false);
}

void fail_cell(Cell* cell, std::uint32_t generation, Error why) {
  if (cell == nullptr) return;
  const Visit visit(cell);
  if (visit.core() == nullptr) return;
  struct FailNode : LaneNode {
    Error why{Errc::failed};
  };
  auto node = std::make_unique<FailNode>();
  node->generation = generation;
  node->why = std::move(why);
  node->run = [](LaneNode& self, Cell* target) {
    const std::unique_ptr<FailNode> order(static_cast<FailNode*>(&self));
    if (target != nullptr) Lifecycle::fail_from_outside(*target, Failure::Stage::order, order->why);
  };
  cell->post_lane(*node.release());
}

void Lifecycle::fail(Cell& cell, Failure& failure, bool by_wish) {
  Core& core = cell.core();
  if (cell.phase == Phase::terminating) {
    // terminating() is the last that runs: what escapes from it is told, and the end goes on (A3).
    core.logger(cell.full_path()).error("terminating failed", {{"error", failure.text}, {"type", failure.type}});
    core.give_back(failure);
    drop_coroutines(cell);
    return;
  }
  if (cell.phase == Phase::ending || cell.phase == Phase::ended || cell.phase == Phase::kept ||
      cell.phase == Phase::closing) {
    core.give_back(failure);  // it is ending already, for a reason of its own
    return;
  }
  if (cell.failure() != nullptr) core.give_back(*cell.failure());
  cell.set_failure(&failure);
  cell.failed = !by_wish;
  cell.rest().by_wish = by_wish;
  if (!by_wish) {
    tell_failure(cell, failure);
    Retries::failed(cell);
  } else {
    // Under Restart::ask it may go on.
    if (cell.policy().restart != Restart::ask) {
      cell.own_end = true;
      cell.gate.fetch_or(gate_bit::refusing, std::memory_order_seq_cst);
    }
  }
  drop_coroutines(cell);
  begin_ending(cell);
}

namespace {

/// The path, cut at its front to fit, without allocating.
template <std::size_t N>
[[nodiscard]] std::string_view path_into(char (&into)[N], const Cell& cell) noexcept {
  std::size_t at = N;
  const auto put = [&](std::string_view step) {
    for (std::size_t i = step.size(); i > 0 && at > 0; --i) into[--at] = step[i - 1];
  };
  for (const Cell* one = &cell; one != nullptr; one = one->parent()) {
    if (one->parent() == nullptr && at != N && one->name().empty()) break;
    if (one->parent() != nullptr && one->name().empty()) {
      char digits[20];
      std::size_t first = sizeof(digits);
      std::uint64_t number = one->body->number();
      do {
        digits[--first] = static_cast<char>('0' + number % 10);
        number /= 10;
      } while (number != 0);
      put({digits + first, sizeof(digits) - first});
      put("#");
    } else {
      put(one->name());
    }
    put("/");
  }
  return {into + at, N - at};
}

/// The whole record. Throws when memory is out.
[[nodiscard]] ActorFailed crash_report(const Cell& cell, const Failure& failure) {
  ActorFailed report{cell.full_path(), cell.ops().type, cell.incarnation(), failure.error(), failure.message};
  report.state = describe_actor(cell);
  if (cell.rest().init_succeeded) {
    report.uptime = std::max(this_turn->worker->fresh_now() - cell.rest().began, Duration::zero());
  }
  report.restarts = cell.incarnation() > 1 ? cell.incarnation() - 1 : 0;
  report.mailbox = queued_in(cell);
  report.at = cell.core().environment->clock().wall();
  return report;
}

/// "disk full <- EIO": the causes of an error as text.
[[nodiscard]] std::string causes_of(const Error& error) {
  return error.cause() != nullptr ? error.cause()->describe() : std::string();
}

}  // namespace

bool find_running_actor(RunningActor& into) noexcept {
  const Cell* const running = current_cell();
  if (running == nullptr) return false;
  const Cell& cell = *running;
  if (cell.body == nullptr) return false;
  into.path_at = static_cast<std::size_t>(path_into(into.path, cell).data() - into.path);
  into.type = cell.ops().type;
  into.message = {};
  const Worker* const worker = this_turn->worker;
  if (const auto* noted =
          worker != nullptr ? static_cast<const std::string_view*>(worker->noted_message()) : nullptr) {
    into.message = *noted;
  }
  return true;
}

/// To log, tree and events. The incarnation ends also when there is no memory to say so.
void Lifecycle::tell_failure(Cell& cell, const Failure& failure) noexcept {
  Core& core = cell.core();
  try {
    const ActorFailed report = crash_report(cell, failure);
    Extras& extras = cell.need_extras();
    extras.last_error = report.error.describe();
    extras.last_error_at = report.at;
    core.logger(report.path)
        .error("actor failed", {{"error", std::string_view(failure.text)},
                                {"type", std::string_view(failure.type)},
                                {"causes", causes_of(report.error)},
                                {"message", report.message},
                                {"actor", report.actor},
                                {"incarnation", report.incarnation},
                                {"restarts", report.restarts},
                                {"uptime", to_string(report.uptime)},
                                {"waiting", report.mailbox},
                                {"state", report.state}});
    if (core.events.wanted()) core.events.emit(report);
    return;
  } catch (...) {
    // Out of memory, or of luck: what follows needs none of its own.
  }
  char path[256];
  const std::string_view where = path_into(path, cell);
  core.logger(where).error("actor failed", {{"error", std::string_view(failure.text)},
                                            {"type", std::string_view(failure.type)},
                                            {"message", failure.message},
                                            {"actor", cell.ops().type},
                                            {"incarnation", cell.incarnation()},
                                            {"shortened", true}});
  if (!core.events.wanted()) return;
  try {
    // Neither its path nor a text: both would be allocated.
    core.events.emit(ActorFailed{{}, cell.ops().type, cell.incarnation(), Error(failure.code), failure.message});
  } catch (...) {
  }
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
