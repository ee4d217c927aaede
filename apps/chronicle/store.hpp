// Store: the actor that keeps the messages. It puts a Storage behind a mailbox and commits in groups.
//
//     auto outcomes = co_await store.ask<Append>(moved(drafts)).within(10s);
//
// Promises
//  (1) An Append is answered after the synced write of its group; never before.
//  (2) Groups: while one is written on the blocking pool, the appends that come meanwhile gather for the next one; so
//      a slow disk makes larger groups, not a longer queue of syncs.
//  (3) What waits is bounded by count and bytes (StoreBounds): beyond, an append is refused at once with Errc::full.
//  (4) When a write fails the status is outage and every append is refused with Errc::unavailable, until the storage
//      could be opened anew; that is tried with a back-off from 100 ms to 30 s. Reading goes on as far as it can.
//  (5) Reads run on the blocking pool, beside each other and beside the writing.
//  (6) An append that has waited for `most_wait`, or whose asker has given up, is refused and never written: who was told
//      "no" finds nothing in the store. So who asks waits for longer than that (`store_within`).
//  (7) Told to stop, it writes what was accepted, answers it, and closes the storage.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "backstage/actor/actor.hpp"
#include "backstage/actor/resource.hpp"
#include "chronicle/settings.hpp"
#include "chronicle/storage.hpp"

namespace chronicle {

using Outcomes = std::vector<Outcome>;

/// Store these, in this order; answered with an outcome for each. At most what Limits lets one group hold.
struct Append {
  std::vector<Draft> drafts;
};
[[nodiscard]] std::size_t payload_bytes(const Append& append) noexcept;
struct GetMessage {
  MessageId id;
};
struct GetPage {
  Query query;
};
struct ListStreams {};
struct GetStoreState {};

struct StoreState {
  Counters counters;              ///< of the storage
  std::uint64_t turned_away = 0;  ///< drafts refused before the storage saw them: full, or out of service
  std::uint64_t streams = 0;
  std::uint64_t messages = 0;  ///< held
  std::uint64_t bytes = 0;     ///< of their payloads
  std::size_t waiting = 0;     ///< drafts that wait for their group
  std::optional<Error> fault;  ///< why nothing can be stored now
};

/// How long an append may wait for its group, and how long whoever asks should wait for the answer: the rest is for the
/// write itself.
inline constexpr backstage::Duration most_wait = std::chrono::seconds(8);
inline constexpr backstage::Duration store_within = std::chrono::seconds(25);

class Store;
/// What the store publishes once it is open, and until it closes: whoever depends on it has a store that serves.
struct OpenStore {
  backstage::Ref<Store> store;
};
/// For how long those who depend on it wait for that, each time they begin.
inline constexpr backstage::Duration open_within = std::chrono::seconds(30);

/// How much may wait for its group. One group more may be under way.
struct StoreBounds {
  std::size_t count = 16'384;
  std::size_t bytes = std::size_t{16} << 20U;
};

class Store {
 public:
  explicit Store(std::shared_ptr<const Settings> settings, StoreBounds bounds = {});

  backstage::Task<backstage::Result<>> init(backstage::Context& cx);
  backstage::Task<> terminating(backstage::Context& cx);

  void handle(Append append, backstage::Reply<Outcomes> reply, backstage::Context& cx);
  backstage::Interleaved<Result<Message>> handle(GetMessage get, backstage::Context& cx);
  backstage::Interleaved<Result<Page>> handle(GetPage get, backstage::Context& cx);
  backstage::Interleaved<Result<std::vector<StreamInfo>>> handle(ListStreams list, backstage::Context& cx);
  StoreState handle(GetStoreState) const;

  struct Write {};   ///< to itself
  struct Reopen {};  ///< to itself
  backstage::Interleaved<void> handle(Write, backstage::Context& cx);
  backstage::Interleaved<void> handle(Reopen, backstage::Context& cx);

  /// Child spec with the mailbox and the concurrency that suit it.
  [[nodiscard]] static backstage::Child<Store> spec(std::string_view name, std::shared_ptr<const Settings> settings);

 private:
  struct Shelf;  // the storage and its locks: shared with jobs on the blocking pool, which may outlive us
  struct Ticket {
    backstage::Reply<Outcomes> reply;
    std::size_t drafts = 0;
  };
  struct Waiting {
    std::vector<Draft> drafts;
    backstage::Reply<Outcomes> reply;
    std::size_t bytes = 0;
    backstage::Instant since{};
  };
  struct Group {
    std::vector<Draft> drafts;
    std::vector<Ticket> tickets;
  };

  [[nodiscard]] Group take_group(backstage::Instant now);
  void settle(Group& group, Result<Outcomes> outcomes);
  void refuse_waiting(const Error& why);
  void out_of_service(backstage::Context& cx, Error why);
  backstage::Task<> write_all(backstage::Context& cx);

  const std::shared_ptr<const Settings> settings_;
  const StoreBounds bounds_;
  std::shared_ptr<Shelf> shelf_;
  std::deque<Waiting> waiting_;
  std::size_t waiting_count_ = 0;
  std::size_t waiting_bytes_ = 0;
  bool is_writing_ = false;     // a Write is under way or on its way
  std::optional<Error> fault_;  // out of service
  backstage::Duration reopen_after_{};
  std::uint64_t turned_away_ = 0;
};

}  // namespace chronicle
