#include "chronicle/intake/apt_index.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include <boost/json.hpp>

#include "chronicle/intake/text.hpp"

namespace chronicle {

using backstage::Errc;
using backstage::Error;
using backstage::Result;
namespace files = backstage::files;

std::optional<Observation> observe_package(const std::string& stream, std::string_view stanza) {
  const Fields fields = fields_of(stanza);
  const std::string* package = find_field(fields, "Package");
  if (package == nullptr || package->empty()) return std::nullopt;
  const std::string* version = find_field(fields, "Version");
  const std::string* architecture = find_field(fields, "Architecture");
  boost::json::object payload;
  // Of a field given twice the first one counts, as it does for the key.
  for (const auto& [name, value] : fields) payload.emplace(clean_utf8(name), clean_utf8(value));
  Observation seen;
  seen.stream = stream;
  // None of the three may hold a slash (Debian policy 5.6), so different packages have different keys.
  seen.idempotency_key =
      *package + "/" + (version != nullptr ? *version : "") + "/" + (architecture != nullptr ? *architecture : "");
  seen.payload = boost::json::serialize(payload);
  seen.content_type = "application/json";
  return seen;
}

Result<AptIndex> AptIndex::find(files::Commands& commands, Options options) {
  std::string output;
  auto started = commands.start({.argv = options.targets, .patience = options.patience});
  if (!started) {
    return Error(started.error().code(), "no package index: apt is not installed here", started.error());
  }
  files::Process& apt = **started;
  std::string piece(4096, '\0');
  constexpr std::size_t limit = std::size_t{1} << 20U;
  for (;;) {
    auto got = apt.read(piece);
    if (!got) return Error(got.error().code(), "no package index: apt does not say where it is", got.error());
    if (*got == 0) break;
    output.append(piece, 0, *got);
    if (output.size() > limit) return Error(Errc::full, "no package index: apt's list of them is longer than 1 MiB");
  }
  auto exit = apt.wait();
  if (!exit) return Error(exit.error().code(), "no package index: apt does not end", exit.error());
  if (!exit->is_success()) {
    return Error(Errc::unavailable, "no package index: apt failed with " + files::to_string(*exit) + ": " +
                                        clean_utf8(trim(apt.complaint())));
  }
  std::vector<std::string> paths;
  for (std::string_view rest = output; !rest.empty() && paths.size() < options.max_indexes;) {
    const std::string_view path = trim(take_line(rest));
    if (path.starts_with('/')) paths.emplace_back(path);
  }
  if (paths.empty()) {
    return Error(Errc::not_found, "no package index: apt knows none on this machine ('apt-get update' gets them)");
  }
  return AptIndex(commands, std::move(options), std::move(paths));
}

AptIndex::AptIndex(files::Commands& commands, Options options, std::vector<std::string> paths)
    : commands_(&commands), options_(std::move(options)), paths_(std::move(paths)), stanzas_(options_.max_stanza) {
  buffer_.resize(std::max<std::size_t>(options_.chunk, 1));
}

AptIndex::Batch AptIndex::next(std::size_t max, std::size_t max_bytes) {
  Batch batch;
  std::size_t payload_bytes = 0;
  std::size_t input_bytes = 0;
  max = std::max<std::size_t>(max, 1);
  const auto is_full = [&] { return batch.packages.size() >= max || payload_bytes >= max_bytes; };
  while (!is_full() && batch.problems.empty() && at_ < paths_.size() && input_bytes <= max_bytes) {
    if (!process_) {
      start_index(batch);
      continue;
    }
    if (auto stanza = stanzas_.next()) {
      if (give(batch, std::move(*stanza))) payload_bytes += batch.packages.back().payload.size();
      continue;
    }
    auto got = process_->read(buffer_);
    if (!got) {
      problem(batch, got.error().describe());
      process_.reset();
      ++at_;
    } else if (*got > 0) {
      stanzas_.feed(std::string_view(buffer_.data(), *got));
      bytes_ += *got;
      if (batch.packages.empty()) input_bytes += *got;
    } else {
      end_index(batch);
    }
  }
  batch.end_of_input = at_ == paths_.size();
  const std::size_t shown = std::min(at_, paths_.size() - 1);
  batch.progress = {shown + 1, paths_.size(), paths_[shown], bytes_, packages_};
  return batch;
}

void AptIndex::start_index(Batch& batch) {
  stanzas_ = StanzaSplitter(options_.max_stanza);
  bytes_ = nameless_ = 0;
  auto argv = options_.cat;
  argv.push_back(paths_[at_]);
  auto started = commands_->start({.argv = std::move(argv), .patience = options_.patience});
  if (started) {
    process_ = std::move(*started);
    return;
  }
  problem(batch, started.error().describe());
  ++at_;
}

void AptIndex::end_index(Batch& batch) {
  const auto exit = process_->wait();
  if (exit && exit->is_success()) {
    // Only a file read to its end has a last stanza; of a broken one it may be half a stanza.
    if (auto stanza = stanzas_.finish()) give(batch, std::move(*stanza));
    if (stanzas_.skipped() > 0)
      problem(batch, std::to_string(stanzas_.skipped()) + " stanzas over the limit of " +
                         std::to_string(options_.max_stanza) + " bytes were skipped");
    if (nameless_ > 0) problem(batch, std::to_string(nameless_) + " stanzas that name no package were skipped");
  } else {
    problem(batch, exit
                       ? "apt failed with " + files::to_string(*exit) + ": " + clean_utf8(trim(process_->complaint()))
                       : exit.error().describe());
  }
  process_.reset();
  ++at_;
}

bool AptIndex::give(Batch& batch, std::string stanza) {
  auto seen = observe_package(options_.stream, stanza);
  if (!seen) {
    ++nameless_;
    return false;
  }
  batch.packages.push_back(std::move(*seen));
  ++packages_;
  return true;
}

void AptIndex::problem(Batch& batch, const std::string& text) const {
  batch.problems.push_back(Error(Errc::unavailable, "package index '" + paths_[at_] + "': " + text));
}

}  // namespace chronicle
