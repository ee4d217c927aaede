#include "chronicle/api.hpp"

#include <atomic>
#include <utility>
#include <vector>

#include "chronicle/routes.hpp"

namespace chronicle {

using namespace std::chrono_literals;
using backstage::Context;
using backstage::Ref;
using backstage::Task;
namespace http = backstage::http;
namespace net = backstage::net;

Task<Result<>> Api::init(Context& cx) {
  if (!store_) {
    const auto both = (co_await cx.depends_on<OpenStore, Ref<Ingest>>(cx.sibling("store"), cx.sibling("ingest"))
                           .within(open_within))
                          .or_fail();
    store_ = std::get<OpenStore>(both).store;
    ingest_ = std::get<Ref<Ingest>>(both);
  }
  auto facts = std::make_shared<Desk::Facts>();
  facts->started = cx.environment().clock().wall();
  facts->version = "0.1.0";
  std::vector<Ref<Desk>> desks;
  for (std::size_t i = 0; i < options_.desks; ++i) {
    desks.push_back(cx.spawn(Desk::spec("desk-" + std::to_string(i + 1), facts, store_, ingest_)
                                 .mailbox(backstage::bounded(options_.mailbox).bytes(std::size_t{16} << 20U))));
  }
  http::ServerOptions server;
  server.listen = {"127.0.0.1", settings_->port};
  server.allowed_hosts = settings_->hosts;
  server.max_connections = options_.max_connections;
  server.max_bodies_bytes = std::uint64_t{32} << 20U;
  auto opened = http::Server::open(cx.environment().door<net::Network>(), server,
                                   make_routes(std::make_shared<Reception>(std::move(desks))));
  if (!opened) {
    co_return Error(Errc::unavailable,
                    "cannot listen on 127.0.0.1:" + std::to_string(settings_->port) + " (--port names another)",
                    opened.error());
  }
  server_ = std::move(opened).value();
  settings_->bound_port->store(server_->local_port());
  cx.log().info("listening", {{"port", server_->local_port()}});
  co_return Result<>();
}

Task<> Api::terminating(Context& cx) {
  // The desks have ended. Their last answers are on their way to the clients: give them a moment.
  const auto is_closed = std::make_shared<std::atomic<bool>>(false);
  server_->stop(500ms, [is_closed](std::size_t) { is_closed->store(true); });
  for (int waited = 0; waited < 80 && !is_closed->load(); ++waited) co_await cx.sleep(10ms);
  server_.reset();
}

}  // namespace chronicle
