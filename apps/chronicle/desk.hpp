// Desk: an actor that answers HTTP requests. Several stand side by side below the Api, so that reading JSON uses more
// than one core; each handles many requests at a time, since they mostly wait for the store.
//
//   network's loop  --Call (bounded)-->  Desk  --ask-->  Store
//                <------- Responder -------/
//
// Promise: each Call is answered exactly once. One that is dropped on its way (full, stopping, failed) is answered
// with 503 and Retry-After by its destructor.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "backstage/actor/actor.hpp"
#include "backstage/http/server.hpp"
#include "chronicle/ingest.hpp"
#include "chronicle/store.hpp"
#include "chronicle/wire.hpp"

namespace chronicle {

enum class Route : std::uint8_t { post, get_message, list_streams, list_messages, info, ready, service };

/// A request on its way to a desk.
class Call {
 public:
  Call(Route r, backstage::http::Request q, backstage::http::Responder a)
      : route(r), request(std::move(q)), responder(std::move(a)) {}
  Call(Call&&) noexcept = default;
  Call& operator=(Call&&) = delete;
  ~Call();

  Route route;
  backstage::http::Request request;
  backstage::http::Responder responder;
  bool begun = false;  // dropped from now on, a POST's outcome is unknown
};
[[nodiscard]] std::size_t payload_bytes(const Call& call) noexcept;

class Desk {
 public:
  struct Facts {  ///< for GET /info
    WallTime started;
    std::string version;
  };
  Desk(std::shared_ptr<const Facts> facts, backstage::Ref<Store> store, backstage::Ref<Ingest> ingest)
      : facts_(std::move(facts)), store_(store), ingest_(ingest) {}

  void init(backstage::Context& cx);
  backstage::Interleaved<void> handle(Call call, backstage::Context& cx);
  /// Of the store: while it is down nobody is kept waiting for it.
  void handle(backstage::StatusChanged change);

  [[nodiscard]] static backstage::Child<Desk> spec(std::string_view name, std::shared_ptr<const Facts> facts,
                                                   backstage::Ref<Store> store, backstage::Ref<Ingest> ingest);

  static constexpr std::size_t most_lines = 10'000;  ///< of one batch: each is answered with a line
  static constexpr std::size_t most_pages = 4;       ///< made at a time by one desk: they are large

 private:
  using Request = backstage::http::Request;
  using Response = backstage::http::Response;

  backstage::Task<Response> respond(Route route, Request request, backstage::Context& cx);
  backstage::Task<Response> post(Request request, backstage::Context& cx);
  backstage::Task<Response> post_batch(Request request, backstage::Context& cx);
  backstage::Task<Response> get_message(Request request);
  backstage::Task<Response> list_streams();
  backstage::Task<Response> list_messages(Request request);
  backstage::Task<Response> info(backstage::Context& cx);
  [[nodiscard]] std::optional<Response> store_is_down() const;
  backstage::Task<Response> ready();
  backstage::Task<Response> service(backstage::Context& cx);
  [[nodiscard]] static Draft stamped(Draft draft, backstage::Context& cx);

  const std::shared_ptr<const Facts> facts_;
  backstage::Ref<Store> store_;
  backstage::Ref<Ingest> ingest_;
  std::size_t pages_ = 0;
  bool store_is_up_ = true;
  backstage::Instant shed_until_;  // the store said full: until then a POST is refused before its body is read
};

}  // namespace chronicle
