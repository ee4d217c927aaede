#include "backstage/files/memory_files.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace backstage {
inline namespace v0 {
namespace files {
namespace {

Error absent(std::string_view what, const std::string& path) {
  std::string text = "cannot ";
  text.append(what).append(" '").append(path).append("': No such file or directory");
  return Error(Errc::not_found, text);
}

std::string with_slash(const std::string& directory) {
  return !directory.empty() && directory.back() == '/' ? directory : directory + "/";
}

}  // namespace

class MemoryFiles::OpenFile final : public File {
 public:
  OpenFile(std::shared_ptr<State> state, std::shared_ptr<Node> node)
      : state_(std::move(state)), node_(std::move(node)) {}

  Result<std::size_t> read_at(std::uint64_t offset, std::span<char> buffer) override {
    std::function<void(std::uint64_t)> hook;
    {
      const std::lock_guard lock(state_->mutex);
      hook = state_->before_read;
    }
    if (hook) hook(offset);  // outside the lock: it calls back into MemoryFiles
    const std::lock_guard lock(state_->mutex);
    ++state_->reads;
    if (node_->read_fault) {
      Error error = node_->read_fault->error;
      if (--node_->read_fault->left == 0) node_->read_fault.reset();
      return error;
    }
    if (offset >= node_->content.size()) return std::size_t{0};
    const auto from = static_cast<std::size_t>(offset);
    const std::size_t count = std::min({buffer.size(), node_->content.size() - from, state_->largest_read});
    std::memcpy(buffer.data(), node_->content.data() + from, count);
    return count;
  }

  Result<FileInfo> info() const override {
    const std::lock_guard lock(state_->mutex);
    return describe(*node_);
  }

 private:
  std::shared_ptr<State> state_;
  std::shared_ptr<Node> node_;
};

FileInfo MemoryFiles::describe(const Node& node) {
  return FileInfo{.id = node.id, .kind = FileKind::regular, .size = node.content.size(), .modified = node.modified};
}

std::shared_ptr<MemoryFiles::Node> MemoryFiles::make_node(State& state) {
  auto node = std::make_shared<Node>();
  node->id.device = 1;
  node->id.inode = state.reused_inode ? *state.reused_inode : state.next_inode++;
  state.reused_inode.reset();
  touch(state, *node);
  node->id.born_ns = node->modified.ns;
  return node;
}

void MemoryFiles::touch(State& state, Node& node) { node.modified = WallTime{++state.ticks * 1'000'000'000}; }

Result<> MemoryFiles::take_open_fault(State& state, const std::string& path) {
  const auto found = state.open_faults.find(path);
  if (found == state.open_faults.end()) return {};
  Error error = found->second.error;
  if (--found->second.left == 0) state.open_faults.erase(found);
  return error;
}

Result<std::unique_ptr<File>> MemoryFiles::open(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  if (auto fault = take_open_fault(*state_, path); !fault) return fault.error();
  const auto found = state_->nodes.find(path);
  if (found == state_->nodes.end()) return absent("open", path);
  return std::unique_ptr<File>(std::make_unique<OpenFile>(state_, found->second));
}

Result<FileInfo> MemoryFiles::info(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  if (auto fault = take_open_fault(*state_, path); !fault) return fault.error();
  if (const auto found = state_->nodes.find(path); found != state_->nodes.end()) return describe(*found->second);
  const std::string prefix = with_slash(path);
  const auto inside = state_->nodes.lower_bound(prefix);
  if (inside != state_->nodes.end() && inside->first.starts_with(prefix)) {
    return FileInfo{.id = {}, .kind = FileKind::directory, .size = 0, .modified = {}};
  }
  return absent("stat", path);
}

Result<Listing> MemoryFiles::list(const std::string& directory, std::size_t limit) {
  const std::lock_guard lock(state_->mutex);
  if (auto fault = take_open_fault(*state_, directory); !fault) return fault.error();
  const std::string prefix = with_slash(directory);
  Listing listing;
  bool exists = false;
  for (auto at = state_->nodes.lower_bound(prefix); at != state_->nodes.end() && at->first.starts_with(prefix);
       ++at) {
    exists = true;
    std::string name = at->first.substr(prefix.size());
    name.resize(std::min(name.size(), name.find('/')));
    if (std::find(listing.names.begin(), listing.names.end(), name) != listing.names.end()) continue;
    if (listing.names.size() == limit) {
      listing.is_complete = false;
      break;
    }
    listing.names.push_back(std::move(name));
  }
  if (!exists) return absent("list", directory);
  std::sort(listing.names.begin(), listing.names.end());
  return listing;
}

Result<> MemoryFiles::write_whole(const std::string& path, std::string_view content) {
  const std::lock_guard lock(state_->mutex);
  if (const auto fault = state_->write_faults.find(path); fault != state_->write_faults.end()) {
    Error error = fault->second;
    state_->write_faults.erase(fault);
    return error;
  }
  auto node = make_node(*state_);
  node->content = content;
  state_->nodes[path] = std::move(node);
  return {};
}

Result<> MemoryFiles::remove(const std::string& path) {
  const std::lock_guard lock(state_->mutex);
  if (state_->nodes.erase(path) == 0) return absent("remove", path);
  return {};
}

void MemoryFiles::put(const std::string& path, std::string_view content) {
  const std::lock_guard lock(state_->mutex);
  auto& node = state_->nodes[path];
  if (!node) node = make_node(*state_);
  node->content = content;
  touch(*state_, *node);
}

void MemoryFiles::append(const std::string& path, std::string_view content) {
  const std::lock_guard lock(state_->mutex);
  auto& node = state_->nodes[path];
  if (!node) node = make_node(*state_);
  node->content += content;
  touch(*state_, *node);
}

void MemoryFiles::truncate(const std::string& path, std::size_t size) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->nodes.find(path);
  if (found == state_->nodes.end() || found->second->content.size() <= size) return;
  found->second->content.resize(size);
  touch(*state_, *found->second);
}

void MemoryFiles::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(state_->mutex);
  auto moved = state_->nodes.extract(from);
  if (!moved) return;
  state_->nodes.insert_or_assign(to, std::move(moved.mapped()));
}

void MemoryFiles::reuse_inode(std::uint64_t inode) {
  const std::lock_guard lock(state_->mutex);
  state_->reused_inode = inode;
}

void MemoryFiles::fail_reads(const std::string& path, Error error, std::size_t count) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->nodes.find(path);
  if (found != state_->nodes.end() && count > 0) found->second->read_fault = Fault{std::move(error), count};
}

void MemoryFiles::fail_opens(const std::string& path, Error error, std::size_t count) {
  const std::lock_guard lock(state_->mutex);
  if (count > 0) state_->open_faults.insert_or_assign(path, Fault{std::move(error), count});
}

void MemoryFiles::fail_write(const std::string& path, Error error) {
  const std::lock_guard lock(state_->mutex);
  state_->write_faults.insert_or_assign(path, std::move(error));
}

void MemoryFiles::short_reads(std::size_t bytes) {
  const std::lock_guard lock(state_->mutex);
  state_->largest_read = std::max<std::size_t>(bytes, 1);
}

void MemoryFiles::before_read(std::function<void(std::uint64_t)> hook) {
  const std::lock_guard lock(state_->mutex);
  state_->before_read = std::move(hook);
}

std::uint64_t MemoryFiles::reads() const {
  const std::lock_guard lock(state_->mutex);
  return state_->reads;
}

std::optional<std::string> MemoryFiles::content(const std::string& path) const {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->nodes.find(path);
  if (found == state_->nodes.end()) return std::nullopt;
  return found->second->content;
}

}  // namespace files
}  // namespace v0
}  // namespace backstage
