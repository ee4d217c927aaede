// The command line, and the variables that stand in for it. They are taken, and then every value is what was written, or
// refused with an exit code; nothing is thrown and nothing is guessed.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <streambuf>
#include <string>
#include <string_view>
#include <vector>

#include "../src/launcher/flags.hpp"
#include "phrases.hpp"

namespace {

namespace launcher = backstage::launcher_detail;

constexpr std::array<std::string_view, 16> phrases{
    "--text=",           "--yes",          "--no-yes", "--port=", "--count=", "--file=", "--workers=", "--log=",
    "--log-format=json", "--stop-within=", "--help",   "--",      "65536",    "debug",   "[a,b]",      "\"x\""};

void require(bool holds) {
  if (!holds) std::abort();
}

/// While it lives the parser's words for people go nowhere.
class Silence {
 public:
  Silence() : out_(std::cout.rdbuf(&nowhere_)), err_(std::cerr.rdbuf(&nowhere_)) {}
  ~Silence() {
    std::cout.rdbuf(out_);
    std::cerr.rdbuf(err_);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  struct Nowhere : std::streambuf {
    int overflow(int c) override { return c == EOF ? 0 : c; }
  };
  Nowhere nowhere_;
  std::streambuf* out_;
  std::streambuf* err_;
};

struct Values {
  std::string text;
  bool yes = false;
  std::uint16_t port = 7;
  std::uint64_t count = 7;
  std::vector<std::string> files;
  launcher::Flags flags;
};

using Given = std::map<std::string, std::string, std::less<>>;

std::optional<int> read(const std::vector<std::string>& words, Values& values, const Given& variables = {}) {
  std::vector<const char*> argv{"fuzz"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  const std::vector<launcher::Option> options{{"--text", "t", &values.text},
                                              {"--yes", "y", &values.yes},
                                              {"--port", "p", &values.port},
                                              {"--count", "c", &values.count},
                                              {"--file", "f", &values.files}};
  const Silence silence;
  return launcher::read_flags("fuzz", "about", options, backstage::GivenVariables(variables),
                              static_cast<int>(argv.size()), argv.data(), values.flags);
}

std::vector<std::string> words_of(std::string_view input) {
  std::vector<std::string> words;
  while (!input.empty() && words.size() < 16) {
    const std::size_t end = std::min(input.find('\0'), input.size());
    words.emplace_back(input.substr(0, end));
    input.remove_prefix(std::min(end + 1, input.size()));
  }
  return words;
}

void takes_any_words(const std::vector<std::string>& words) {
  Values values;
  const auto code = read(words, values);
  require(!code || *code == 0 || *code == 2);
  if (code) return;
  require(values.flags.workers <= 1024 && values.flags.stop_within.count() >= 0);
  require(values.files.size() <= words.size() && values.text.size() <= 4096);
}

void takes_any_variables(const std::vector<std::string>& words) {
  Given given;
  for (const std::string_view name : {"BACKSTAGE_WORKERS", "BACKSTAGE_STOP_WITHIN", "BACKSTAGE_LOG", "FUZZ_PORT"}) {
    if (given.size() < words.size()) given.emplace(name, words[given.size()]);
  }
  Values values;
  const auto code = read({}, values, given);
  require(!code || *code == 4);
  if (!code) require(values.flags.workers <= 1024 && values.flags.stop_within.count() >= 0);
}

/// Values are bytes, whatever they look like: brackets, quotes, dashes, equals signs.
void takes_values_as_they_are(const std::vector<std::string>& words) {
  std::vector<std::string> line;
  for (const std::string& word : words) {
    if (word.empty()) continue;  // "--file=" has no value, to the parser
    line.push_back("--file=" + word);
  }
  if (line.empty()) return;
  const std::string text = line.front().substr(7);
  line.push_back("--text=" + text);
  line.push_back("--port=" + std::to_string(text.size()));
  line.emplace_back("--yes");
  Values values;
  require(!read(line, values));
  require(values.text == text && values.port == text.size() && values.yes && values.count == 7);
  require(values.files.size() == line.size() - 3);
  for (std::size_t i = 0; i < values.files.size(); ++i) require("--file=" + values.files[i] == line[i]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string line = backstage_fuzz::with_phrases(input, phrases);
  const auto words = words_of(line);
  takes_any_words(words);
  takes_any_variables(words);
  takes_values_as_they_are(words);
  return 0;
}
