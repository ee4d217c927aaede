#include "oracle.hpp"

#include <algorithm>

namespace trust {

namespace {

[[nodiscard]] std::size_t within(const std::deque<Instant>& restarts, Duration window, Instant now) {
  return static_cast<std::size_t>(
      std::count_if(restarts.begin(), restarts.end(), [&](Instant at) { return at + window > now; }));
}

[[nodiscard]] std::string_view kind_of(const ActorFailed& failure) {
  const std::string_view text = failure.error.text();
  if (text.find("escalates") != std::string_view::npos) return "escalated by a Verdict";
  if (text.find("failed more often than") != std::string_view::npos) return "too many failures below";
  if (text.find("a fault of the simulated world") != std::string_view::npos) return "ordered by the world";
  if (text.find("did not end within") != std::string_view::npos) return "a late init";
  for (const std::string_view hook : {"constructor", "init", "event_loop"}) {
    if (failure.message == hook) return hook;
  }
  return "handler";
}

}  // namespace

Oracle::Place* Oracle::find(std::string_view path) {
  const auto found = latest_.find(path);
  return found != latest_.end() ? found->second : nullptr;
}

// ---------------------------------------------------------------------------------
// what the actors say

void Oracle::begun(const std::string& above, const std::shared_ptr<const Deal>& deal, bool starts) {
  const std::string path = above + "/" + deal->name;
  Place* place = find(path);
  if (place == nullptr || place->state == State::over) {
    auto& made = places_.emplace_back(std::make_unique<Place>());
    made->id = places_.size();
    made->path = path;
    made->above = find(above);
    if (made->above != nullptr) made->above->below.push_back(made.get());
    latest_[path] = made.get();
    place = made.get();
  } else {
    // Taken over: last in the order of starts, its past forgotten.
    if (place->claimed) wrong("L8", path + " was spawned while it lives");
    if (place->above != nullptr) {
      std::erase(place->above->below, place);
      place->above->below.push_back(place);
    }
    place->history.clear();
    place->in_a_row = 0;
    place->in_group = false;
    place->decided = false;
    place->verdict.reset();
    place->asked_in = 0;
  }
  place->deal = deal;
  place->claimed = true;
  place->starts = starts;
  place->waits = true;
  place->not_before = world_.now() + deal->start_after;
}

void Oracle::not_begun(const std::string& path) {
  Place* const place = find(path);
  if (place == nullptr) return;
  if (place->life != 0) wrong("L2", path + " was refused and begun");
  if (place->above != nullptr) std::erase(place->above->below, place);
  place->state = State::over;
  place->told = true;
}

void Oracle::strategy(const std::string& path, Strategy strategy) {
  if (Place* const place = find(path)) place->strategy = strategy;
}
void Oracle::budget(const std::string& path, std::uint32_t restarts) {
  if (Place* const place = find(path)) place->budget = restarts;
}
void Oracle::wishes_to_end(const std::string& path) {
  Place* const place = find(path);
  if (place == nullptr) return;
  // Also when it was told in this instant to begin anew, which it may have
  // heard of in its former life.
  leave_while_starting(*place);
  // Its children end with it. About itself its supervisor may be asked, and
  // want it to go on.
  place->may_end = true;
  if (place->deal->restart != Restart::ask) place->end_wished = true;
}
void Oracle::told_to_end(const std::string& path) {
  if (Place* const place = find(path)) place->end_told = true;
}
void Oracle::told_to_restart(const std::string& path) {
  if (Place* const place = find(path)) place->restart_told = world_.now();
}
void Oracle::given_verdict(const std::string& path, std::uint32_t life, Verdict::Kind kind) {
  Place* const place = find(path);
  // Too late: it was begun anew, or is over, or another life of its supervisor
  // has it.
  if (place == nullptr || place->life != life || place->state != State::rests) return;
  if (place->above == nullptr || place->asked_in != place->above->life) return;
  place->verdict = kind;
  // Drawn into a group before the Verdict is heard, it is dealt with like any
  // other.
  if (kind == Verdict::Kind::stop && place->above != nullptr && place->above->group) ++unsure_[path];
}

void Oracle::eol(const std::string& above, std::string_view name) {
  const std::string path = above + "/" + std::string(name);
  const Place* const told = find(above);
  for (const auto& place : places_) {
    if (place->path != path || place->above != told || place->state != State::over || place->told) continue;
    place->told = true;
    return;
  }
  if (unsure_[path] > 0) {
    --unsure_[path];
    return;
  }
  wrong("L3", "the end of " + path + " was told once too often");
}

std::uint64_t Oracle::place_at(const std::string& path) {
  const Place* const place = find(path);
  return place != nullptr ? place->id : 0;
}

void Oracle::said(std::uint64_t id, std::uint64_t number) {
  if (id == 0 || id > places_.size()) return;
  Place& place = *places_[id - 1];
  const bool eol_came = place.told && place.state == State::over && place.deal->told;
  if (eol_came) wrong("M2", place.path + " was heard after its end had been told");
  if (number <= place.last_said) wrong("M2", place.path + " was heard in a wrong order");
  place.last_said = number;
}

// ---------------------------------------------------------------------------------------
// what happens

void Oracle::heard(const Event& event) {
  if (const auto* const change = std::get_if<StatusChanged>(&event)) {
    status_changed(*change);
  } else if (const auto* const failure = std::get_if<ActorFailed>(&event)) {
    failed(*failure);
  } else if (const auto* const restart = std::get_if<Restarting>(&event)) {
    restarting(*restart);
  } else if (const auto* const end = std::get_if<Ended>(&event)) {
    ended(*end);
  } else if (const auto* const given_up = std::get_if<GaveUp>(&event)) {
    gave_up(*given_up);
  }
}

void Oracle::status_changed(const StatusChanged& change) {
  Place* const place = find(change.path);
  if (place == nullptr) return;
  if (place->state == State::over) return wrong("L3", place->path + " changes its status, and is over");
  switch (change.to) {
    case Status::starting:
    case Status::initializing:
      if (change.incarnation != place->life || place->state == State::rests) life_begins(*place, change.incarnation);
      break;
    case Status::running:
      place->state = State::up;
      if (place->above != nullptr && place->above->group_started == place) {
        place->in_group = false;
        place->ran_with_group = world_.now();
        leave_group(*place->above);
      }
      place->began = world_.now();
      // What the former life had, and this one does not take over, is over.
      for (Place* const child : place->below) {
        if (!child->claimed) child->left_out = true;
      }
      break;
    case Status::stopping:
      // Told to begin anew, it stays in its group.
      if (!place->restart_told) leave_while_starting(*place);
      place->state = State::stopping;
      break;
    case Status::stopped:
      for (const Place* const child : place->below) {
        const bool rests =
            child->state == State::waiting || child->state == State::rests || child->state == State::over;
        if (!rests) wrong("L4", place->path + " rests, and its child " + child->path + " does not");
      }
      place->state = State::rests;
      if (place->above != nullptr) place->asked_in = place->above->life;
      end_group(*place);
      break;
    default: break;
  }
}

void Oracle::life_begins(Place& place, std::uint32_t life) {
  const std::string what = place.path + " begins its life " + std::to_string(life);
  if (life != place.life + 1) wrong("L2", what + " after " + std::to_string(place.life));
  if (place.state != State::waiting && place.state != State::rests)
    wrong("L2", what + ", and the former is not over");
  if (place.waits && world_.now() < place.not_before) {
    wrong("L6", what + " " + to_string(place.not_before - world_.now()) + " too early");
  }
  // Of its group still, or begun by itself before: which of the two only the runtime knows, so its turn is not held against it.
  const bool may_begin = std::exchange(place.may_begin_again, false);
  const bool wanted = place.waits || place.decided || place.in_group || place.restart_told.has_value() || may_begin;
  if (!wanted) wrong("L2", what + ", and nobody decided that");
  const bool was_on_its_way = std::exchange(place.on_its_way, false);
  const bool by_itself = was_on_its_way && !is_its_turn(place);
  place.may_begin_again = was_on_its_way && !by_itself;
  if (place.in_group && !by_itself) begins_with_its_group(place);
  place.life = life;
  place.state = State::initializing;
  place.began = world_.now();
  place.failed = false;
  place.left_starting = false;
  place.decided = false;
  // Told in this instant, it may hear of it in this life.
  if (place.restart_told && *place.restart_told < world_.now()) place.restart_told.reset();
  place.waits = false;
  place.verdict.reset();
  place.must_end = false;
  place.strategy = Strategy::one_for_one;
  place.budget.reset();
  place.spent.clear();
  end_group(place);
  for (Place* const child : place.below) {
    child->claimed = false;
    // A Verdict that its former life gave and did not hear any more.
    child->verdict.reset();
  }
}

void Oracle::failed(const ActorFailed& failure) {
  ++failures_;
  ++kinds_[std::string(kind_of(failure))];
  Place* const place = find(failure.path);
  if (place == nullptr) return wrong("L3", failure.path + " failed, and was never begun");
  if (failure.incarnation == place->life + 1) life_begins(*place, failure.incarnation);
  if (failure.incarnation != place->life) {
    wrong("L3", place->path + " failed in life " + std::to_string(failure.incarnation) + ", it has its " +
                    std::to_string(place->life) + ".");
  }
  if (place->failed) wrong("L3", place->path + " failed twice in one life");
  place->failed = true;
  leave_while_starting(*place);
  if (kind_of(failure) != "too many failures below") return;
  const bool right = std::any_of(place->below.begin(), place->below.end(),
                                 [this](const Place* child) { return is_one_too_many(*child); });
  if (!right) wrong("L6", place->path + " was failed for its children's failures, which were not too many");
}

/// By its own limit, or by that of its supervisor for all.
bool Oracle::is_one_too_many(const Place& place) const {
  if (place.state != State::rests || place.decided) return false;
  if (within(place.history, limit_window, world_.now()) >= place.deal->limit) return true;
  return place.above != nullptr && place.above->budget &&
         within(place.above->spent, budget_window, world_.now()) >= *place.above->budget;
}

void Oracle::restarting(const Restarting& restart) {
  ++restarts_;
  Place* const place = find(restart.path);
  if (place == nullptr) return wrong("L6", restart.path + " is restarted, and was never begun");
  const Deal& deal = *place->deal;
  const Instant now = world_.now();
  if (place->state != State::rests) wrong("L6", place->path + " is to be restarted, and does not rest");
  if (place->decided) wrong("L6", place->path + " is to be restarted twice");
  const bool asks = deal.restart == Restart::ask;
  const bool by_verdict =
      place->verdict == Verdict::Kind::restart || place->verdict == Verdict::Kind::restart_with_state;
  if (deal.restart == Restart::never || (asks && !by_verdict) ||
      (deal.restart == Restart::on_failure && !place->failed)) {
    wrong("L6", place->path + " is restarted against its policy");
  }
  const bool is_top = place->above == nullptr;  // unlimited
  if (now - place->began >= (is_top ? unlimited.window : limit_window)) place->in_a_row = 0;
  if (!is_top && is_one_too_many(*place)) {
    wrong("L6", place->path + " is restarted more often than " + std::to_string(deal.limit) + " times");
  }
  place->history.push_back(now);
  if (place->above != nullptr && place->above->budget) place->above->spent.push_back(now);
  ++place->restarts;
  if (restart.restarts != place->restarts) {
    wrong("L6", place->path + " counts " + std::to_string(restart.restarts) + " restarts of " +
                    std::to_string(place->restarts));
  }
  Duration base = family_backoff.first;
  for (std::uint32_t i = 0; i < place->in_a_row; ++i) base = std::min(base * 2, family_backoff.most);
  ++place->in_a_row;
  if (restart.after < base * 8 / 10 || restart.after > base * 12 / 10) {
    wrong("L6", place->path + " waits " + to_string(restart.after) + " for its restart, about " + to_string(base) +
                    " was due");
  }
  place->decided = true;
  place->may_begin_again = false;
  place->waits = true;
  place->not_before = now + restart.after;
  if (place->above != nullptr && (place->above->strategy != Strategy::one_for_one || place->above->group)) {
    group_begins(*place);
  }
  if (place->above == nullptr) return;
  for (Place* const other : place->above->below) {
    // Its supervisor may not have heard yet that it runs, or has failed: then it is still of the group, and begun anew.
    const bool unheard = other->ran_with_group == now || (other->left_starting && !other->decided);
    if (other != place && unheard) other->may_begin_again = true;
  }
}

bool Oracle::may_be_over(const Place& place) {
  const Deal& deal = *place.deal;
  if (place.end_told || place.end_wished || place.left_out || place.starts || place.may_end) return true;
  if (deal.restart == Restart::never || deal.once || deal.live_for > Duration::zero()) return true;
  if (place.verdict == Verdict::Kind::stop) return true;
  return place.above != nullptr && may_be_over(*place.above);
}

void Oracle::ended(const Ended& end) {
  Place* const place = find(end.path);
  if (place == nullptr) return wrong("L3", end.path + " ended, and was never begun");
  if (place->state == State::over) return wrong("L3", end.path + " ended twice");
  for (const Place* const child : place->below) {
    if (child->state != State::over) wrong("L4", place->path + " ended before its child " + child->path);
  }
  if (!may_be_over(*place)) wrong("L2", place->path + " ended, and nobody wanted that");
  place->state = State::over;
  if (!place->deal->told || place->above == nullptr) place->told = true;
  // A Verdict is about an end that was told.
  if (place->verdict == Verdict::Kind::stop) place->told = true;
  Place* const above = place->above;
  if (above == nullptr) return;
  std::erase(above->below, place);
  const bool grouped = std::exchange(place->in_group, false);
  if (above->group_started == place) above->group_started = nullptr;
  leave_group(*above);
  // Its end by order, with its group or with its supervisor is not its own.
  const Significant kind = place->deal->significant;
  const bool above_lives = above->state == State::initializing || above->state == State::up;
  if (kind == Significant::no || !above_lives) return;
  above->may_end = true;
  const bool own = !place->end_told && !place->left_out && !grouped && !place->restart_told && !above->failed;
  const bool once_only = place->deal->restart == Restart::never && !place->starts;
  if (!own || !once_only || !(place->failed || place->must_end)) return;
  above->must_end = kind == Significant::any ||
                    std::none_of(above->below.begin(), above->below.end(),
                                 [](const Place* one) { return one->deal->significant == Significant::all; });
}

void Oracle::gave_up(const GaveUp& end) {
  const Place* const place = find(end.path);
  if (place == nullptr || !is_one_too_many(*place)) wrong("L6", end.path + " was given up too early");
  if (Place* const over = find(end.path)) over->end_told = true;
}

// -------------------------------------------------------------------------------------------- at the end

bool Oracle::is_over(const std::string& path) const {
  const auto found = latest_.find(path);
  return found == latest_.end() || found->second->state == State::over;
}

void Oracle::expect_calm() {
  for (const auto& place : places_) {
    if (place->state != State::over) {
      if (place->must_end) wrong("L6", place->path + " was to end with its significant child, and lives");
      if (place->state != State::up) wrong("L2", place->path + " does not run, and is not over");
      if (place->end_told || place->end_wished) wrong("L4", place->path + " was to end, and lives");
      if (place->left_out) wrong("L2", place->path + " was left out by its supervisor, and lives");
      continue;
    }
    // Who would have been told is over, too: then nobody is owed anything.
    const Place* const above = place->above;
    if (!place->told && above != nullptr && above->state != State::over) {
      wrong("L3", "the end of " + place->path + " was not told");
    }
  }
}

}  // namespace trust
