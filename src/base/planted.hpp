// Mistakes that stand in the sources on purpose, so that it is known how soon the simulated worlds find such a one.
//
// Each is a real one: somebody made it, here or elsewhere, or nearly did. Without BACKSTAGE_PLANTED, that is in every
// library that is built, planted() is the constant false and nothing of it is left. `backstage-trust-planted` compiles
// these sources once more, and chooses at run time which one lives: `--mistake eol_twice`.
// docs/explanation/trust.md says after how many seeds each was found.
// Threads: one, before anything runs. Stability: internal.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace backstage {
inline namespace v0 {
namespace detail {

enum class Mistake : std::uint8_t {
  none,
  lost_wake_up,
  restart_off_by_one,
  eol_twice,
  eol_lost,
  ask_unanswered_on_end,
  drained_although_dropped,
  forgotten_timer,
  command_behind_data,
  fifo_broken_after_restart,
  bound_off_by_one,
  drop_not_counted,
  monitor_never_told,
  link_missed,
  backoff_not_reset,
  stop_deadline_ignored,
  children_stopped_in_start_order,
  retry_without_limit,
  generation_not_checked,
  rest_forgets_the_youngest,
  significant_failure_ignored,
  expired_request_handled,
  restart_without_backoff,
  unclaimed_place_forgotten,
  interleaved_one_too_many,
  missed_ticks_made_up_for,
  late_failure_restarts_the_stopped,
  chain_reversed,
};
inline constexpr std::size_t mistakes = 28;

struct MistakeText {
  std::string_view name;
  std::string_view promise;  ///< that it breaks
  std::string_view what;
};
inline constexpr std::array<MistakeText, mistakes> mistake_texts{{
    {"none", "", ""},
    {"lost_wake_up", "M6", "the last message of a mailbox with a lock waits for the next one"},
    {"restart_off_by_one", "L6", "one restart more than the limit allows"},
    {"eol_twice", "L3", "a child stopped by Verdict is told again when it is gone"},
    {"eol_lost", "L3", "a child that was cut off at its stop deadline ends untold"},
    {"ask_unanswered_on_end", "M5", "who asked an actor that was killed waits until the deadline"},
    {"drained_although_dropped", "L4", "an actor that is to drop its queue when stopped handles it"},
    {"forgotten_timer", "L2", "timers of an incarnation that was restarted by order go on in the next"},
    {"command_behind_data", "M3", "orders wait until the mailbox is empty"},
    {"fifo_broken_after_restart", "M2", "in its second life an actor takes the latest message first"},
    {"bound_off_by_one", "M4", "a mailbox holds one message more than its bound"},
    {"drop_not_counted", "M6", "what drop_oldest drops is not counted"},
    {"monitor_never_told", "L9", "a monitor set while its target waits for its restart is forgotten"},
    {"link_missed", "L9", "who is linked with one that is killed does not hear of it"},
    {"backoff_not_reset", "L6", "a long life does not reset the back-off"},
    {"stop_deadline_ignored", "L4", "a message that is begun while draining may take for ever"},
    {"children_stopped_in_start_order", "L4", "the oldest child is stopped first"},
    {"retry_without_limit", "L2", "a message that makes its actor fail is tried again for ever"},
    {"generation_not_checked", "L2", "an order for an actor that is gone reaches the next owner of its cell"},
    {"rest_forgets_the_youngest", "L6", "rest_for_one leaves out the child that was started last"},
    {"significant_failure_ignored", "L6", "a significant child that failed for good does not end its supervisor"},
    {"expired_request_handled", "M7", "a request is handled after its deadline"},
    {"restart_without_backoff", "L6", "a child of a group is begun anew at once"},
    {"unclaimed_place_forgotten", "L2", "a place that the next incarnation does not take over stays for ever"},
    {"interleaved_one_too_many", "M8", "one interleaved handler more than the bound allows"},
    {"missed_ticks_made_up_for", "L10", "ticks that were missed come all at once"},
    {"late_failure_restarts_the_stopped", "L4", "one that is told to stop while its restart is decided lives on"},
    {"chain_reversed", "M2", "of what is sent to another in a row the latest comes first"},
}};

#ifdef BACKSTAGE_PLANTED
extern Mistake planted_mistake;  // defined by the program
[[nodiscard]] inline bool planted(Mistake mistake) noexcept { return planted_mistake == mistake; }
#else
[[nodiscard]] constexpr bool planted(Mistake /*mistake*/) noexcept { return false; }
#endif

}  // namespace detail
}  // namespace v0
}  // namespace backstage
