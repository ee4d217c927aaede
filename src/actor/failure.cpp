// How a failure is caught, kept as plain data without allocating, and told (promise L3).
#include <algorithm>
#include <cstring>
#include <exception>
#include <string>
#include <utility>

#include <cxxabi.h>

#include "core.hpp"
#include "lifecycle.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {
namespace {

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

/// Puts the readable name of its type into it, if there is memory for that.
void readable_type(Failure& failure, const char* mangled) noexcept {
  if (mangled == nullptr) return;
  int status = 0;
  char* const readable = abi::__cxa_demangle(mangled, nullptr, nullptr, &status);
  if (status == 0 && readable != nullptr) copy_cut(failure.type, readable);
  std::free(readable);  // NOLINT(cppcoreguidelines-no-malloc): __cxa_demangle allocates with malloc
}

}  // namespace

Error describe_current_exception(Errc code) {
  Failure failure;
  readable_type(failure, record_exception(failure));
  const std::string type = failure.type[0] != '\0' ? std::string(failure.type) + ": " : std::string();
  return Error(code, type + failure.text);
}

void Lifecycle::fail_by_exception(Cell& cell, Failure::Stage stage, std::string_view message) {
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
  if (cell.failure != nullptr) core.give_back(*cell.failure);
  cell.failure = &failure;
  cell.failed = !by_wish;
  cell.by_wish = by_wish;
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

/// To log, tree and events. The incarnation ends also when there is no memory to say so.
void Lifecycle::tell_failure(Cell& cell, const Failure& failure) noexcept {
  Core& core = cell.core();
  try {
    const Error error = failure.error();
    const std::string path = cell.full_path();
    cell.need_extras().last_error = error.describe();
    core.logger(path).error("actor failed", {{"error", std::string_view(failure.text)},
                                             {"type", std::string_view(failure.type)},
                                             {"message", failure.message},
                                             {"incarnation", cell.incarnation}});
    if (core.events.wanted()) core.events.emit(ActorFailed{path, cell.ops().type, cell.incarnation, error});
  } catch (...) {
    // Out of memory: untold, not undone.
  }
}

}  // namespace detail
}  // namespace v0
}  // namespace backstage
