// Monitors: hearing of the end of any actor, once, and why. Links: failing together.
#include <iostream>
#include <stdexcept>
#include <string>

#include "backstage/backstage.hpp"

using namespace std::chrono_literals;

struct Query {
  std::string text;
};

/// Somebody else's actor: whoever holds its Ref may watch it.
class Database {
 public:
  std::string handle(const Query& query) const {
    if (query.text == "drop everything") throw std::runtime_error("no");
    return "rows of " + query.text;
  }
};

struct Look {
  using reply = std::string;
};

/// Goes on without the database, and knows why it has to.
class Page {
 public:
  explicit Page(backstage::Ref<Database> database) : database_(database) {}
  void init(backstage::Context& cx) { (void)cx.monitor(database_, cx.self(this)); }
  void handle(const backstage::Down& down) {
    shows_ = "closed: " + std::string(down.name()) + " " + std::string(to_string(down.reason));
    if (!down.result) shows_ += " (" + std::string(down.result.error().text()) + ")";
  }
  std::string handle(Look) const { return shows_; }

 private:
  backstage::Ref<Database> database_;
  std::string shows_ = "open";
};

/// Cannot go on without it: a link makes it fail, too. Its own supervisor decides what then.
class Writer {
 public:
  explicit Writer(backstage::Ref<Database> database) : database_(database) {}
  void init(backstage::Context& cx) { cx.link(database_); }
  std::string handle(Look) const { return "writing"; }

 private:
  backstage::Ref<Database> database_;
};

int main() {
  backstage::RuntimeOptions options;
  options.log_level = backstage::Level::off;  // the failures are meant
  backstage::Runtime runtime(std::move(options));
  using backstage::Restart;

  auto database = runtime.spawn(backstage::child<Database>("database").restart(Restart::never));
  auto page = runtime.spawn<Page>("page", database);
  auto writer = runtime.spawn(backstage::child<Writer>("writer", database).restart(Restart::never));
  std::cout << "page: " << runtime.ask<Look>(page).within(5s).value() << '\n';
  std::cout << "writer: " << runtime.ask<Look>(writer).within(5s).value() << '\n';

  // From outside: something to wait for, to poll, or to be notified by.
  auto database_ends = runtime.monitor(database);
  auto writer_ends = runtime.monitor(writer);
  database.send(Query{"drop everything"});
  std::cout << database_ends.within(5s).value().error().text() << '\n';
  std::cout << writer_ends.within(5s).value().result.error().text() << '\n';
  std::cout << "page: " << runtime.ask<Look>(page).within(5s).value() << '\n';
  // Too late is not too late: whoever watches what is gone hears so at once.
  std::cout << runtime.monitor(database).within(5s).value().error().text() << '\n';
}
