#include "exhausted/memory.hpp"

#include <cstdlib>
#include <new>
#include <utility>

namespace {
thread_local bool is_out = false;  // a test's, not the framework's
thread_local unsigned refused = 0;

// NOLINTBEGIN(cppcoreguidelines-no-malloc,hicpp-no-malloc): what operator new stands on
void* allocate(std::size_t bytes) {
  if (is_out) {
    ++refused;
    throw std::bad_alloc();
  }
  void* const block = std::malloc(bytes != 0 ? bytes : 1);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
}  // namespace

// Over malloc, which the sanitizers watch: so these stand in for operator new under them, too.
void* operator new(std::size_t bytes) { return allocate(bytes); }
void* operator new[](std::size_t bytes) { return allocate(bytes); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
#if !defined(__has_feature)
#define __has_feature(x) 0
#endif
#if !defined(__SANITIZE_THREAD__) && !__has_feature(thread_sanitizer)
// (The thread sanitizer's own cannot be replaced, and does not mind where the memory came from.)
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t) noexcept { std::free(block); }
#endif
// NOLINTEND(cppcoreguidelines-no-malloc,hicpp-no-malloc)

namespace backstage::exhausted {
namespace {

class Out final : public Scarcity {
 public:
  bool refuses() noexcept override {
    if (is_out) ++refused;
    return is_out;
  }
};

}  // namespace

NoMemory::NoMemory() noexcept { is_out = true; }
NoMemory::~NoMemory() { is_out = false; }
void take_memory_away() noexcept { is_out = true; }
void give_memory_back() noexcept { is_out = false; }
bool memory_is_out() noexcept { return is_out; }
unsigned refusals() noexcept { return std::exchange(refused, 0U); }

RuntimeOptions manual_options(std::shared_ptr<LogSink> sink) {
  RuntimeOptions options;
  options.manual = true;
  options.log_sink = std::move(sink);
  options.environment = real_environment();
  options.environment->open<Scarcity>(std::make_shared<Out>());
  return options;
}

}  // namespace backstage::exhausted
