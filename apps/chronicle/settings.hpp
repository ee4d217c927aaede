// What Chronicle is told by its flags, with the defaults; and the storage that follows from them.
//
// Plain data, filled before the actors start and read by all of them afterwards; the two last members are seams for
// tests. No actors here.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "chronicle/storage.hpp"

namespace chronicle {

struct Settings {
  std::string data;                 ///< folder of the store; empty: default_data_folder()
  std::uint16_t port = 8000;        ///< on 127.0.0.1; 0: any free one
  bool memory = false;              ///< keep everything in memory: nothing survives the program
  bool no_host = false;             ///< no telemetry of this machine
  bool no_apt = false;              ///< do not read Debian's package index
  std::vector<std::string> files;   ///< read once: PATH or STREAM=PATH
  std::vector<std::string> follow;  ///< followed as they grow: PATH or STREAM=PATH
  std::vector<std::string> hosts;   ///< further names by which the server may be called

  /// Lines for people; null: silence. Called from actors, one line each, without the line end.
  std::function<void(std::string_view line)> print;
  std::function<std::unique_ptr<Storage>(const Settings&)> make_storage;  ///< null: chronicle::make_storage
  /// The port that is listened on, once it is.
  std::shared_ptr<std::atomic<std::uint16_t>> bound_port = std::make_shared<std::atomic<std::uint16_t>>(0);
};

/// $XDG_STATE_HOME/chronicle, else ~/.local/state/chronicle; Errc::invalid when neither is known.
[[nodiscard]] Result<std::string> default_data_folder();
/// RocksDB in the data folder (which is made, for its owner only, if it is not there), or the in-memory twin.
/// Throws Need when the folder cannot be made. May block.
[[nodiscard]] std::unique_ptr<Storage> make_storage(const Settings& settings);
/// The limits that Chronicle runs its storage with.
[[nodiscard]] Limits chronicle_limits();

/// A file to read and the stream that its lines go to.
struct FileToRead {
  std::string stream;
  std::string path;
};
/// "app=/var/log/app.log", or "/var/log/app.log" for the stream "file/var/log/app.log". What a stream's name cannot
/// hold becomes '_'.
[[nodiscard]] Result<FileToRead> parse_file(std::string_view text);

}  // namespace chronicle
