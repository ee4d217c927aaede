// Api: the actor that owns the HTTP server and the desks behind it.
//
// Promises: (1) It listens when its init has ended, on 127.0.0.1 and the port of the settings. (2) Nothing that the
// network's loop calls blocks; what the desks have no room for is answered with 503 and Retry-After. (3) Told to
// stop, the desks answer what they have, what comes meanwhile hears 503, and then the server closes.
#pragma once

#include <memory>

#include "backstage/actor/actor.hpp"
#include "backstage/http/server.hpp"
#include "chronicle/desk.hpp"
#include "chronicle/settings.hpp"

namespace chronicle {

struct ApiOptions {
  std::size_t desks = 2;
  std::uint32_t mailbox = 256;  ///< calls that may wait at each desk
  std::size_t max_connections = 512;
};

class Api {
 public:
  struct GetPort {};

  /// Without refs: the siblings named "store", once it is open, and "ingest".
  explicit Api(std::shared_ptr<const Settings> settings, backstage::Ref<Store> store = {},
               backstage::Ref<Ingest> ingest = {}, ApiOptions options = {})
      : settings_(std::move(settings)), store_(store), ingest_(ingest), options_(options) {}

  backstage::Task<Result<>> init(backstage::Context& cx);
  backstage::Task<> terminating(backstage::Context& cx);
  std::uint16_t handle(GetPort) const { return server_->local_port(); }

 private:
  const std::shared_ptr<const Settings> settings_;
  backstage::Ref<Store> store_;
  backstage::Ref<Ingest> ingest_;
  const ApiOptions options_;
  std::shared_ptr<backstage::http::Server> server_;
};

}  // namespace chronicle
