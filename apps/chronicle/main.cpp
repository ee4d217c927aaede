// Chronicle: takes in messages from this machine and over HTTP, keeps them durably, and serves them.
#include <cstdio>
#include <memory>
#include <string>

#include "backstage/files/commands.hpp"
#include "backstage/files/files.hpp"
#include "backstage/launcher/launcher.hpp"
#include "backstage/net/network.hpp"
#include "chronicle/api.hpp"
#include "chronicle/ingest.hpp"
#include "chronicle/settings.hpp"
#include "chronicle/store.hpp"

namespace {

void print_line(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

backstage::Result<> check(chronicle::Settings& settings) {
  if (settings.data.empty() && !settings.memory) {
    auto folder = chronicle::default_data_folder();
    if (!folder) return folder.error();
    settings.data = *folder;
  }
  for (const auto* files : {&settings.files, &settings.follow}) {
    for (const std::string& file : *files) {
      if (auto parsed = chronicle::parse_file(file); !parsed) return parsed.error();
    }
  }
  return {};
}

void welcome(const chronicle::Settings& settings) {
  const std::string address = "http://127.0.0.1:" + std::to_string(settings.bound_port->load());
  print_line("");
  print_line("  Chronicle runs at " + address);
  print_line("  It keeps its messages in " + (settings.memory ? "memory only" : settings.data));
  print_line("  Look at  " + address + "/api/streams  " + address + "/service  " + address + "/info");
  print_line("  Ctrl-C stops it in order.");
  print_line("");
}

}  // namespace

int main(int argc, char** argv) {
  auto settings = std::make_shared<chronicle::Settings>();
  settings->print = &print_line;
  const std::shared_ptr<const chronicle::Settings> shared = settings;

  backstage::Launcher launcher{"chronicle", "Takes in messages, keeps them durably, and serves them over HTTP."};
  launcher.option("--data", "folder of the store (default: $XDG_STATE_HOME/chronicle or ~/.local/state/chronicle)",
                  settings->data);
  launcher.option("--port", "port on 127.0.0.1; 0: any free one", settings->port);
  launcher.option("--memory", "keep everything in memory: nothing survives the program", settings->memory);
  launcher.option("--file", "read these lines once: PATH or STREAM=PATH (may be repeated)", settings->files);
  launcher.option("--follow", "follow this file as it grows: PATH or STREAM=PATH (may be repeated)",
                  settings->follow);
  launcher.option("--no-host", "no telemetry of this machine", settings->no_host);
  launcher.option("--no-apt", "do not read Debian's package index", settings->no_apt);
  launcher.option("--host", "a further name by which the server may be called (may be repeated)", settings->hosts);
  launcher.check([settings] { return check(*settings); });

  launcher.add(
      backstage::app_with<chronicle::Store>("store", [shared] { return chronicle::Store::spec("store", shared); }));
  launcher.add<chronicle::Ingest>("ingest", shared).depends_on("store");
  launcher.add<chronicle::Api>("api", shared).depends_on("store", "ingest");

  launcher.open([](backstage::Environment& environment) {
    environment.open<backstage::files::Files>(backstage::files::posix_files());
    environment.open<backstage::files::Commands>(backstage::files::posix_commands(environment.clock()));
    environment.open<backstage::net::Network>(backstage::net::asio_network(environment.clock()));
  });
  launcher.on_running([shared](backstage::Runtime&) { welcome(*shared); });
  return launcher.run(argc, argv);
}
