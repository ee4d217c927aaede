#include "backstage/launcher/launcher.hpp"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <thread>
#include <utility>

#include "backstage/base/log_sinks.hpp"
#include "backstage/launcher/service_manager.hpp"
#include "flags.hpp"
#include "last_words.hpp"
#include "progress.hpp"
#include "signals.hpp"

namespace backstage {
inline namespace v0 {

namespace {

constexpr int exit_orderly = 0;
constexpr int exit_failed = 1;
constexpr int exit_usage = 2;
constexpr int exit_unclean = 3;
constexpr int exit_configuration = 4;

constexpr Duration progress_every = std::chrono::seconds(1);
constexpr std::string_view service_report_name = "service-report";

void say(const std::string& name, const std::string& text) {
  std::fprintf(stderr, "%s: %s\n", name.c_str(), text.c_str());
}

}  // namespace

struct Launcher::Impl {
  std::string name;
  std::string about;
  std::vector<App> apps;
  std::vector<launcher_detail::Option> options;
  std::vector<std::function<Result<>()>> checks;
  std::vector<std::function<void(Environment&)>> doors;
  std::vector<std::function<void(Runtime&)>> running;
  std::shared_ptr<Variables> variables;

  int start(const launcher_detail::Flags& flags);
  int serve(Runtime& runtime, launcher_detail::Signals& signals, const launcher_detail::Flags& flags);
  int stop(Runtime& runtime, launcher_detail::Signals& signals, launcher_detail::Bell& bell,
           const launcher_detail::Living& living, Duration within, int code);
};

Launcher::Launcher(std::string name, std::string about) : impl_(std::make_unique<Impl>()) {
  impl_->name = std::move(name);
  impl_->about = std::move(about);
}
Launcher::~Launcher() = default;

std::size_t Launcher::keep(App app) {
  impl_->apps.push_back(std::move(app));
  return impl_->apps.size() - 1;
}
App& Launcher::at(std::size_t index) noexcept { return impl_->apps[index]; }

void Launcher::option(std::string flag, std::string help, std::string& value) {
  impl_->options.push_back({std::move(flag), std::move(help), &value});
}
void Launcher::option(std::string flag, std::string help, bool& value) {
  impl_->options.push_back({std::move(flag), std::move(help), &value});
}
void Launcher::option(std::string flag, std::string help, std::uint16_t& value) {
  impl_->options.push_back({std::move(flag), std::move(help), &value});
}
void Launcher::option(std::string flag, std::string help, std::uint64_t& value) {
  impl_->options.push_back({std::move(flag), std::move(help), &value});
}
void Launcher::option(std::string flag, std::string help, std::vector<std::string>& value) {
  impl_->options.push_back({std::move(flag), std::move(help), &value});
}
void Launcher::check(std::function<Result<>()> check) { impl_->checks.push_back(std::move(check)); }
void Launcher::variables(std::shared_ptr<Variables> given) { impl_->variables = std::move(given); }
void Launcher::open(std::function<void(Environment&)> open) { impl_->doors.push_back(std::move(open)); }
void Launcher::on_running(std::function<void(Runtime&)> call) { impl_->running.push_back(std::move(call)); }

int Launcher::run(int argc, const char* const* argv) {
  Impl& impl = *impl_;
  // L7: before anything starts.
  if (Result<> checked = App::check(impl.apps); !checked) {
    say(impl.name, std::string(checked.error().text()));
    return exit_usage;
  }
  if (impl.variables == nullptr) impl.variables = process_variables();
  launcher_detail::Flags flags;
  if (const auto code =
          launcher_detail::read_flags(impl.name, impl.about, impl.options, *impl.variables, argc, argv, flags))
    return *code;
  for (const auto& check : impl.checks) {
    if (Result<> checked = check(); !checked) {
      say(impl.name, std::string(checked.error().text()) + " (see --help)");
      return checked.error().is(Errc::configuration) ? exit_configuration : exit_usage;
    }
  }
  try {
    return impl.start(flags);
  } catch (const Need& need) {
    say(impl.name, need.error().describe());
    return need.error().is(Errc::configuration) ? exit_configuration : exit_failed;
  } catch (const std::exception& error) {
    say(impl.name, error.what());
    return exit_failed;
  }
}

int Launcher::Impl::start(const launcher_detail::Flags& flags) {
  // Before the first thread, so that all of them leave these signals to us.
  launcher_detail::Signals signals;
  const launcher_detail::LastWords last_words(name);
  RuntimeOptions how;
  how.workers = flags.workers;
  how.log_level = flags.log_level;
  how.log_sink = std::make_shared<DescriptorSink>(
      STDERR_FILENO,
      flags.log_json ? LogFormat::json : (isatty(STDERR_FILENO) != 0 ? LogFormat::coloured : LogFormat::line));
  how.environment = real_environment();
  how.stacks = std::make_shared<StackSignal>();
  how.environment->open<Variables>(variables);
  how.environment->open<ThreadCare>(launcher_detail::second_stacks());
  for (const auto& open : doors) open(*how.environment);
  if (!how.environment->has<ServiceManager>()) {
    const auto manager = systemd_from_environment();
    if (!manager) say(name, std::string(manager.error().text()) + ": the service manager is told nothing");
    if (manager && *manager != nullptr) how.environment->open<ServiceManager>(*manager);
  }
  Runtime runtime(std::move(how));
  return serve(runtime, signals, flags);
}

int Launcher::Impl::serve(Runtime& runtime, launcher_detail::Signals& signals, const launcher_detail::Flags& flags) {
  launcher_detail::Bell bell;
  std::atomic<bool> ended{false};
  std::atomic<bool> failed{false};
  Error why(Errc::failed);
  const std::string path = "/" + name;
  launcher_detail::Living living(path);
  auto subscription = runtime.events().subscribe([&](const Event& event) {
    living.hear(event);
    const auto* end = std::get_if<Ended>(&event);
    if (end == nullptr || end->path != path) return;
    if (!end->result) {
      why = end->result.error();
      failed.store(true, std::memory_order_relaxed);
    }
    // release: pairs with the acquire below, which then reads `failed` and `why`.
    ended.store(true, std::memory_order_release);
    bell.ring();
  });
  const Ref<Apps> top =
      runtime.spawn(child<Apps>(name, App::share(apps)).restart(Restart::never).start_within(std::chrono::hours(24)));
  if (runtime.environment().has<ServiceManager>()) runtime.spawn<ServiceReport>(service_report_name, top);
  auto ready = runtime.ask<Apps::Ready>(top).polled_within(std::chrono::hours(24));
  ready.on_ready([&bell] { bell.ring(); });
  bool told = false;
  for (;;) {
    const std::optional<int> signal = signals.wait(bell);
    if (signal) {
      say(name, std::string(*signal == SIGINT ? "SIGINT" : "SIGTERM") + ": stopping in order (again: at once)");
      return stop(runtime, signals, bell, living, flags.stop_within, exit_orderly);
    }
    if (ended.load(std::memory_order_acquire)) {
      const bool bad = failed.load(std::memory_order_relaxed);
      const bool misset = bad && why.is(Errc::configuration);
      if (misset) {
        say(name, std::string(why.text()) + ": stopping");
      } else if (bad) {
        say(name, "an app failed for good: stopping (see the log)");
      }
      const int code = misset ? exit_configuration : bad ? exit_failed : exit_orderly;
      return stop(runtime, signals, bell, living, flags.stop_within, code);
    }
    if (!told) {
      if (const auto answer = ready.poll(); answer && answer->has_value()) {
        told = true;
        for (const auto& call : running) call(runtime);
      }
    }
  }
}

int Launcher::Impl::stop(Runtime& runtime, launcher_detail::Signals& signals, launcher_detail::Bell& bell,
                         const launcher_detail::Living& living, Duration within, int code) {
  std::atomic<bool> stopped{false};
  Result<> result;
  // Beside us, so that a second signal is heard.
  std::thread stopping([&] {
    result = runtime.shutdown(within);
    // release: publishes `result`.
    stopped.store(true, std::memory_order_release);
    bell.ring();
  });
  const Clock& clock = runtime.environment().clock();
  const Instant began = clock.now();
  auto waited = progress_every;
  while (!stopped.load(std::memory_order_acquire)) {
    if (const std::optional<int> again = signals.wait(bell, began + waited - clock.now())) {
      say(name, "second signal: out at once");
      // Nobody joins it any more: it may end before the process does, which is no leak.
      stopping.detach();
      _exit(128 + *again);
    }
    if (clock.now() < began + waited) continue;
    if (const std::string late = living.text(); !late.empty()) {
      say(name, "stopping since " + to_string(waited) + ": " + late);
    }
    waited += progress_every;
  }
  stopping.join();
  if (!result) {
    say(name, std::string(result.error().text()));
    return exit_unclean;
  }
  return code;
}

}  // namespace v0
}  // namespace backstage
