#include "flags.hpp"

#include <CLI/CLI.hpp>
#include <chrono>

#include "backstage/supervise/policy.hpp"

namespace backstage {
inline namespace v0 {
namespace launcher_detail {

std::optional<int> read_flags(const std::string& name, const std::string& about, const std::vector<Option>& options,
                              int argc, const char* const* argv, Flags& flags) {
  CLI::App parser{about, name};
  std::string level = "info";
  std::string format = "line";
  double stop_within = std::chrono::duration<double>(default_shutdown_within).count();
  for (const Option& option : options) {
    std::visit(
        [&](auto* value) {
          using T = std::remove_pointer_t<decltype(value)>;
          if constexpr (std::is_same_v<T, bool>) {
            parser.add_flag(option.flag, *value, option.help);
          } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
            parser.add_option(option.flag, *value, option.help)->take_all()->allow_extra_args(false);
          } else {
            parser.add_option(option.flag, *value, option.help)->capture_default_str();
          }
        },
        option.value);
  }
  const auto group = "Runtime";
  parser.add_option("--workers", flags.workers, "worker threads; 0: what affinity and cgroup quota allow")
      ->capture_default_str()
      ->check(CLI::Range(0, 1024))
      ->group(group);
  parser.add_option("--log", level, "trace, debug, info, warn, error or off")->capture_default_str()->group(group);
  parser.add_option("--log-format", format, "line or json")
      ->capture_default_str()
      ->check(CLI::IsMember({"line", "json"}))
      ->group(group);
  parser.add_option("--stop-within", stop_within, "seconds that an orderly stop may take")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 86'400.0))
      ->group(group);
  parser.footer(
      "Exit codes: 0 orderly, 1 an app failed for good, 2 usage, 3 unclean stop, 130/143 second signal.\n"
      "The first SIGINT or SIGTERM stops in order, the second ends at once.");
  try {
    parser.parse(argc, argv);
  } catch (const CLI::Success& success) {
    (void)parser.exit(success);
    return 0;
  } catch (const CLI::ParseError& error) {
    (void)parser.exit(error);
    return 2;
  }
  const Result<Level> parsed = parse_level(level);
  if (!parsed) {
    std::cerr << name << ": --log: " << parsed.error().text() << '\n';
    return 2;
  }
  flags.log_level = parsed.value();
  flags.log_json = format == "json";
  flags.stop_within = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(stop_within));
  return std::nullopt;
}

}  // namespace launcher_detail
}  // namespace v0
}  // namespace backstage
