// What the tests of monitors, links and status watches share: an actor that notes all news, and does what it is told.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>

#include "life_support.hpp"

namespace life {

struct Notes : Journal {
  std::optional<Down> last;
};

class Watcher;
struct DoWatch {
  std::function<void(Context&, Ref<Watcher>)> what;
};

/// Notes every Down and every change of a status.
class Watcher {
 public:
  explicit Watcher(Notes* journal) : journal_(journal) {}
  void handle(DoWatch d, Context& cx) { d.what(cx, cx.self(this)); }
  void handle(const Down& down) {
    journal_->note("down " + down.path + " " + std::string(to_string(down.reason)) + " " +
                   std::to_string(down.incarnation) +
                   (down.result ? "" : " " + std::string(down.result.error().text())));
    journal_->last = down;
  }
  void handle(StatusChanged change) {
    journal_->note(change.path + " " + std::string(to_string(change.from)) + ">" + std::string(to_string(change.to)) +
                   " " + std::to_string(change.incarnation));
  }
  void handle(Say say) { journal_->note(say.text); }
  void handle(Break how) { throw std::runtime_error(how.text); }
  Task<> handle(Nap nap, Context& cx) { co_await cx.sleep(nap.d); }

 private:
  Notes* journal_;
};

class Monitors : public testing::Test {
 protected:
  template <class T>
  void watch(const Ref<Watcher>& by, const Ref<T>& target) {
    by.send(DoWatch{[target](Context& cx, Ref<Watcher> me) { (void)cx.monitor(target, me); }});
    world.run();
  }
  sim::TestRuntime world;
  Notes journal;
  Ref<Watcher> watcher = world.spawn(child<Watcher>("watcher", &journal).backoff(1ms, 1ms));
};

}  // namespace life
