// Chronicle's actors in one thread under virtual time: memory network, memory files, memory storage.
#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backstage/files/memory_commands.hpp"
#include "backstage/files/memory_files.hpp"
#include "backstage/sim/test_runtime.hpp"
#include "chronicle/api.hpp"
#include "chronicle/ingest.hpp"
#include "chronicle/memory_storage.hpp"
#include "chronicle/store.hpp"
#include "http/world.hpp"

namespace chronicle::test {

using namespace std::chrono_literals;

struct AppWorld {
  explicit AppWorld(MemoryOptions options = {}) {
    settings->memory = true;
    settings->port = 80;
    settings->print = [this](std::string_view line) { printed.emplace_back(line); };
    settings->make_storage = [this, options](const Settings&) {
      return std::make_unique<MemoryStorage>(disk, options);
    };
  }

  [[nodiscard]] backstage::net::MemoryNetwork& network() {
    return static_cast<backstage::net::MemoryNetwork&>(world.runtime().environment().door<backstage::net::Network>());
  }
  [[nodiscard]] backstage::files::MemoryFiles& files() {
    return static_cast<backstage::files::MemoryFiles&>(world.runtime().environment().door<backstage::files::Files>());
  }
  [[nodiscard]] backstage::files::MemoryCommands& commands() {
    return static_cast<backstage::files::MemoryCommands&>(
        world.runtime().environment().door<backstage::files::Commands>());
  }

  void start_store(StoreBounds bounds = {}) {
    store = world.spawn<Store>("store", settings, bounds);
    world.run();
  }
  backstage::Ref<Api> start_api(ApiOptions options = {}) {
    if (!store) start_store();
    const auto api = world.spawn<Api>("api", settings, store, ingest, options);
    settle();
    return api;
  }
  /// Runs network and actors until neither has anything left to do at this instant.
  void settle() {
    for (int i = 0; i < 1'000; ++i) {
      const std::size_t called = network().pump();
      if (world.run() == 0 && called == 0) return;
    }
    ADD_FAILURE() << "network and actors never come to rest";
  }

  struct Answer {
    int status = 0;
    std::string head;
    std::string body;
    [[nodiscard]] boost::json::value json() const { return boost::json::parse(body); }
    [[nodiscard]] std::string code() const { return std::string(json().at("error").at("code").as_string()); }
  };
  static Answer parse(const std::string& bytes) {
    Answer answer;
    answer.status = backstage_test::status_of(bytes);
    const auto end = bytes.find("\r\n\r\n");
    answer.head = bytes.substr(0, end);
    if (end != std::string::npos) answer.body = bytes.substr(end + 4);
    return answer;
  }
  static std::string wire(const std::string& method, const std::string& target, const std::string& body,
                          const std::string& headers) {
    const bool has_body = method == "POST";
    return method + " " + target + " HTTP/1.1\r\nHost: localhost:80\r\n" +
           (has_body ? "Content-Length: " + std::to_string(body.size()) + "\r\n" : "") + headers + "\r\n" + body;
  }
  /// One request on a connection of its own, to its answer.
  Answer call(const std::string& method, const std::string& target, const std::string& body = {},
              const std::string& headers = {}) {
    backstage_test::RawClient client(network(), {"127.0.0.1", 80});
    client.send(wire(method, target, body, headers));
    settle();
    return parse(client.take());
  }
  Answer get(const std::string& target, const std::string& headers = {}) { return call("GET", target, {}, headers); }
  Answer post_json(const std::string& body, const std::string& headers = {}) {
    return call("POST", "/api/messages", body, "Content-Type: application/json\r\n" + headers);
  }

  std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
  std::shared_ptr<Settings> settings = std::make_shared<Settings>();
  std::vector<std::string> printed;
  backstage::sim::TestRuntime world{{.open_doors = [](backstage::Environment& environment) {
    environment.open<backstage::files::Files>(std::make_shared<backstage::files::MemoryFiles>());
    environment.open<backstage::files::Commands>(std::make_shared<backstage::files::MemoryCommands>());
    environment.open<backstage::net::Network>(backstage::net::memory_network(environment.clock()));
  }}};
  backstage::Ref<Store> store;
  backstage::Ref<Ingest> ingest;
};

}  // namespace chronicle::test
