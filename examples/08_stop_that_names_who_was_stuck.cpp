// Stopping always ends, and says why if it was not clean: who waited for what, and who did not give its thread back.
#include <chrono>
#include <iostream>
#include <latch>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "backstage/backstage.hpp"

using namespace std::chrono_literals;

struct Page {
  int number;
};
struct Book {
  using reply = std::string;
};
struct Fetch {};
struct Compress {};

/// Well-behaved: what is queued when it is told to stop is handled first.
class Printer {
 public:
  void handle(Page page) { std::cout << "printer: page " << page.number << '\n'; }
  void terminating() { std::cout << "printer: closed\n"; }
};

/// Never answers.
class Library {
 public:
  explicit Library(std::latch* busy) : busy_(busy) {}
  void handle(Book, backstage::Reply<std::string> reply) {
    kept_.push_back(std::move(reply));
    busy_->count_down();
  }

 private:
  std::latch* busy_;
  std::vector<backstage::Reply<std::string>> kept_;
};

/// Waits in a coroutine: at the deadline that is destroyed where it waits, and everything it holds is released.
class Fetcher {
 public:
  explicit Fetcher(backstage::Ref<Library> library) : library_(library) {}
  backstage::Task<> handle(Fetch) { (void)co_await library_.ask<Book>().within(1h); }

 private:
  backstage::Ref<Library> library_;
};

/// Waits with its thread: nobody can take that away. It is reported, and what it may touch is leaked.
class Archive {
 public:
  explicit Archive(std::latch* busy) : busy_(busy) {}
  void handle(Compress) {
    busy_->count_down();
    std::this_thread::sleep_for(24h);
  }

 private:
  std::latch* busy_;
};

int main() {
  backstage::RuntimeOptions options;
  options.workers = 2;
  options.log_level = backstage::Level::off;  // all of this is logged, too
  backstage::Runtime runtime(std::move(options));

  std::latch busy(2);
  auto archive = runtime.spawn<Archive>("archive", &busy);
  auto library = runtime.spawn<Library>("library", &busy);
  auto fetcher = runtime.spawn<Fetcher>("fetcher", library);
  auto printer = runtime.spawn<Printer>("printer");
  archive.send(Compress{});
  fetcher.send(Fetch{});
  busy.wait();
  for (int number = 1; number <= 3; ++number) printer.send(Page{number});

  // In reverse start order: the printer drains and ends, the fetcher still waits when the deadline comes.
  const auto end = runtime.shutdown(300ms);

  std::cout << "still alive at the deadline:\n";
  for (const backstage::Service& one : runtime.still_alive().root.children) {
    std::cout << "  " << one.name << ", " << to_string(one.status);
    if (!one.responding) std::cout << ", does not respond: it is in " << one.handling;
    for (const std::string& wait : one.waits) std::cout << ": " << wait.substr(0, wait.find(" since"));
    std::cout << '\n';
  }
  std::cout << "shutdown: " << to_string(end.error().code()) << '\n';
  for (const backstage::StuckActor& one : runtime.stuck()) {
    std::cout << "did not give its thread back: " << one.path << ", in " << one.message << '\n';
  }
}
