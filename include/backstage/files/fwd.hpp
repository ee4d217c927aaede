// Forward declarations of module `files`.
// Stability: settling (v0).
#pragma once

namespace backstage {
inline namespace v0 {
namespace files {

struct FileId;
struct FileInfo;
struct Listing;
class File;
class Files;
class MemoryFiles;

struct Command;
struct Exit;
class Process;
class Commands;
class MemoryCommands;

}  // namespace files
}  // namespace v0
}  // namespace backstage
