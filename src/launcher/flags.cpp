#include "flags.hpp"

#include <CLI/CLI.hpp>
#include <cctype>
#include <chrono>
#include <map>

#include "backstage/supervise/policy.hpp"

namespace backstage {
inline namespace v0 {
namespace launcher_detail {

namespace {

/// "--stop-within" of "backstage" is BACKSTAGE_STOP_WITHIN.
[[nodiscard]] std::string variable_for(std::string_view prefix, std::string_view flag) {
  std::string out(prefix);
  while (flag.starts_with('-')) flag.remove_prefix(1);
  out += '_';
  out += flag;
  for (char& c : out) c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

}  // namespace

std::optional<int> read_flags(const std::string& name, const std::string& about, const std::vector<Option>& options,
                              const Variables& variables, int argc, const char* const* argv, Flags& flags) {
  CLI::App parser{about, name};
  std::string level = "info";
  std::string format = "line";
  double stop_within = std::chrono::duration<double>(default_shutdown_within).count();
  std::map<std::string, CLI::Option*> by_variable;
  for (const Option& option : options) {
    std::visit(
        [&](auto* value) {
          using T = std::remove_pointer_t<decltype(value)>;
          if constexpr (std::is_same_v<T, bool>) {
            parser.add_flag(option.flag, *value, option.help);
          } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
            parser.add_option(option.flag, *value, option.help)->take_all()->allow_extra_args(false);
          } else {
            CLI::Option* const added = parser.add_option(option.flag, *value, option.help)->capture_default_str();
            by_variable.emplace(variable_for(name, option.flag), added);
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
  for (const char* const flag : {"--workers", "--log", "--log-format", "--stop-within"}) {
    by_variable.emplace(variable_for("backstage", flag), parser.get_option(flag));
  }
  std::string listed;
  for (const auto& [variable, option] : by_variable) listed += (listed.empty() ? "" : " ") + variable;
  parser.footer(
      "Where a flag says nothing, these environment variables do: " + listed + "\n" +
      "Exit codes: 0 orderly, 1 an app failed for good, 2 usage, 3 unclean stop, 4 a setting that cannot be (a\n"
      "variable, or what an app found wrong when it began), 130/143 second signal.\n"
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
  for (const auto& [variable, option] : by_variable) {
    // Flags win: a variable that one of them overrules is not even looked at.
    const std::optional<std::string> value = option->count() == 0 ? variables.get(variable) : std::nullopt;
    if (!value) continue;
    std::string wrong;
    try {
      option->add_result(*value);
      option->run_callback();
      if (option->get_name() == "--log") {
        if (const Result<Level> known = parse_level(level); !known) wrong = known.error().text();
      }
    } catch (const CLI::Error& error) {
      wrong = error.what();
    }
    if (wrong.empty()) continue;
    std::cerr << name << ": " << variable << "='" << *value << "': " << wrong << " (set it right, unset it, or say "
              << option->get_name() << ")\n";
    return 4;
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
