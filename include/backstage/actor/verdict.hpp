// Verdict: what a supervisor says of a child that has ended, under Restart::ask.
//
//     Verdict handle(Eol<Parser> end, Context&) {
//       if (end.result) return Verdict::stop();
//       return end.state ? Verdict::restart_with_state(std::move(end.state)) : Verdict::restart();
//     }
//
// A Verdict to restart is counted against the child's limits and waits for its back-off like any restart, and takes along
// whom the strategy names. If the handler throws, the supervisor fails.
// Stability: settling (v0).
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "backstage/actor/detail/body.hpp"

namespace backstage {
inline namespace v0 {

class [[nodiscard]] Verdict {
 public:
  enum class Kind : std::uint8_t { restart, restart_with_state, stop, escalate };

  /// From the arguments of its spec, as at first.
  static Verdict restart() noexcept { return Verdict(Kind::restart); }
  /// With the state that came with its Eol, looked at and mended: the next incarnation is move-constructed from it.
  template <class A>
  static Verdict restart_with_state(std::unique_ptr<A> state) noexcept {
    Verdict verdict(Kind::restart_with_state);
    verdict.type_ = &detail::type_tag<A>;
    verdict.state_ = State(state.release(), [](void* a) noexcept { delete static_cast<A*>(a); });
    return verdict;
  }
  /// For an actor that cannot be moved: with the object as the failure left it.
  static Verdict restart_with_state() noexcept { return Verdict(Kind::restart_with_state); }
  /// It is over for good. No second Eol comes.
  static Verdict stop() noexcept { return Verdict(Kind::stop); }
  /// The supervisor fails with the child's error.
  static Verdict escalate() noexcept { return Verdict(Kind::escalate); }

  [[nodiscard]] Kind kind() const noexcept { return kind_; }

  /// For the runtime.
  using State = std::unique_ptr<void, void (*)(void*) noexcept>;
  [[nodiscard]] const void* type() const noexcept { return type_; }
  [[nodiscard]] State take_state() noexcept { return std::move(state_); }

 private:
  explicit Verdict(Kind kind) noexcept : kind_(kind) {}
  Kind kind_;
  const void* type_ = nullptr;
  State state_{nullptr, [](void*) noexcept {}};
};

namespace detail {

/// Which child's end a verdict is about.
struct VerdictPort {
  Cell* child = nullptr;
  std::uint32_t generation = 0;
  std::uint32_t incarnation = 0;
};
/// In the supervisor's turn. Too late (the child was stopped meanwhile): nothing happens.
void give_verdict(Cell& supervisor, const VerdictPort& port, Verdict verdict);

/// Takes the outcome of `Verdict handle(Eol<A>, ...)`.
class VerdictSink {
 public:
  VerdictSink(Cell& supervisor, VerdictPort port) noexcept : supervisor_(&supervisor), port_(port) {}
  [[nodiscard]] Instant deadline() const noexcept { return Instant::never(); }
  void operator()(Result<Verdict> verdict) {
    give_verdict(*supervisor_, port_, verdict ? std::move(verdict).value() : Verdict::stop());
  }
  [[nodiscard]] ReplyPort release() noexcept { return {}; }

 private:
  Cell* supervisor_;
  VerdictPort port_;
};

}  // namespace detail
}  // namespace v0
}  // namespace backstage
