#include "model/fiber.hpp"

#include <cstdint>
#include <cstdlib>
#include <utility>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define BACKSTAGE_MODEL_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define BACKSTAGE_MODEL_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define BACKSTAGE_MODEL_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define BACKSTAGE_MODEL_TSAN 1
#endif
#if defined(BACKSTAGE_MODEL_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(BACKSTAGE_MODEL_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace backstage {
inline namespace v0 {
namespace model {
namespace {
constexpr std::size_t kStack = 256 * 1024;
thread_local Fiber* last_left = nullptr;  // whose stack bounds the address sanitizer tells us on arrival
}  // namespace

Fiber::Fiber() {
#if defined(BACKSTAGE_MODEL_TSAN)
  tsan_ = __tsan_get_current_fiber();
#endif
}

Fiber::Fiber(std::function<void()> body)
    : body_(std::move(body)), stack_(new std::byte[kStack]), bottom_(stack_.get()), size_(kStack) {
  getcontext(&context_);
  context_.uc_stack.ss_sp = stack_.get();
  context_.uc_stack.ss_size = kStack;
  context_.uc_link = nullptr;
  const auto self = reinterpret_cast<std::uintptr_t>(this);
  makecontext(&context_, reinterpret_cast<void (*)()>(&Fiber::enter), 2, static_cast<unsigned>(self >> 32U),
              static_cast<unsigned>(self & 0xFFFFFFFFU));
#if defined(BACKSTAGE_MODEL_TSAN)
  tsan_ = __tsan_create_fiber(0);
#endif
}

Fiber::~Fiber() {
  if (!stack_) return;
#if defined(BACKSTAGE_MODEL_ASAN)
  __asan_unpoison_memory_region(stack_.get(), kStack);  // of frames that were abandoned
#endif
#if defined(BACKSTAGE_MODEL_TSAN)
  __tsan_destroy_fiber(tsan_);
#endif
}

void Fiber::enter(unsigned high, unsigned low) {
  auto* self = reinterpret_cast<Fiber*>((static_cast<std::uintptr_t>(high) << 32U) | low);
  self->arrived();
  self->body_();
  std::abort();  // a body never returns
}

void Fiber::change(Fiber& from, Fiber& to) {
  last_left = &from;
#if defined(BACKSTAGE_MODEL_ASAN)
  __sanitizer_start_switch_fiber(&from.fake_stack_, to.bottom_, to.size_);
#endif
#if defined(BACKSTAGE_MODEL_TSAN)
  __tsan_switch_to_fiber(to.tsan_, 0);
#endif
  swapcontext(&from.context_, &to.context_);
  from.arrived();
}

void Fiber::arrived() {
#if defined(BACKSTAGE_MODEL_ASAN)
  __sanitizer_finish_switch_fiber(fake_stack_, &last_left->bottom_, &last_left->size_);
#endif
}

}  // namespace model
}  // namespace v0
}  // namespace backstage
