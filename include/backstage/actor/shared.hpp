// Shared state: what an actor lets others read without a message. Readers never wait, and nobody waits for them.
//
//     prices_ = cx.share(Prices{});                        // in init; publishes a View<Prices>
//     prices_.set(next);                                   // a new version; what readers hold stays as it is
//     auto view = cx.lookup<View<Prices>>("/feed");        // whoever wants to read, once
//     auto now = view->read();                             // a snapshot: *now, now->..., now.version()
//
// (1) A snapshot is whole, and stays as it is for as long as it is held. (2) Versions grow by one with each set(), from 1;
// one reader never sees an older one after a newer one. (3) A View outlives the actor: it then reads the last state. It
// is no resource of that actor any more (links and subscriptions to it hear that).
// Threads: read() from any thread, without a lock; set() and update() in the actor's turn (or wherever its one owner is).
// Cost: a read is two atomic additions. Stability: settling (v0).
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "backstage/actor/resource.hpp"
#include "backstage/scope/detail/snapshot_box.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

template <class T>
struct Versioned {
  T value;
  std::uint64_t version;
};
template <class T>
using SharedBox = SnapshotBox<Versioned<T>>;

}  // namespace detail

/// One state as it was. Cheap to copy.
template <class T>
class StateSnapshot {
 public:
  explicit StateSnapshot(typename detail::SharedBox<T>::Snapshot held) noexcept : held_(std::move(held)) {}
  const T& operator*() const noexcept { return held_->value; }
  const T* operator->() const noexcept { return &held_->value; }
  [[nodiscard]] std::uint64_t version() const noexcept { return held_->version; }

 private:
  typename detail::SharedBox<T>::Snapshot held_;
};

/// What others hold: reads the state as it is now.
template <class T>
class View {
 public:
  explicit View(std::shared_ptr<const detail::SharedBox<T>> box) noexcept : box_(std::move(box)) {}
  [[nodiscard]] StateSnapshot<T> read() const noexcept { return StateSnapshot<T>(box_->read()); }

 private:
  std::shared_ptr<const detail::SharedBox<T>> box_;
};

/// What the owner holds: writes it. Movable; of a default one only assigning another is of use.
template <class T>
class Shared {
 public:
  Shared() = default;
  explicit Shared(T initial) : box_(std::make_shared<detail::SharedBox<T>>()) { set(std::move(initial)); }
  Shared(Shared&&) noexcept = default;
  Shared& operator=(Shared&&) noexcept = default;

  /// Throws std::bad_alloc, and then nothing has changed. Precondition: not a default one.
  void set(T next) {
    auto node =
        std::make_unique<typename detail::SharedBox<T>::Node>(detail::Versioned<T>{std::move(next), version_ + 1});
    ++version_;
    box_->put(node.release());
  }
  /// `shared.update([](T& state) { ... })`: a copy of the state, changed, becomes the next version.
  template <class F>
  void update(F&& change) {
    T next(box_->read()->value);
    std::forward<F>(change)(next);
    set(std::move(next));
  }
  [[nodiscard]] View<T> view() const noexcept { return View<T>(box_); }
  [[nodiscard]] std::uint64_t version() const noexcept { return version_; }

 private:
  std::shared_ptr<detail::SharedBox<T>> box_;
  std::uint64_t version_ = 0;
};

template <class T>
Shared<T> Context::share(T initial) {
  Shared<T> shared(std::move(initial));
  publish(shared.view());
  return shared;
}

}  // namespace v0
}  // namespace backstage
