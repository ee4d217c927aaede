#include "chronicle/routes.hpp"

#include <string_view>
#include <utility>

namespace chronicle {

namespace http = backstage::http;

namespace {

constexpr std::string_view home_page = R"(Chronicle keeps messages: what it accepts is on disk before it says so.

  POST /api/messages                       one message: {"stream":"app/log","payload":{"any":"json"}}
                                           many: Content-Type application/x-ndjson, one a line, one answer a line
                                           raw bytes: ?stream=app/raw (&identity=content, &source_time=...)
                                           Idempotency-Key: the same key in a stream is the same message
  GET  /api/messages/{id}                  as JSON; Accept: application/octet-stream gives the bytes
  GET  /api/streams                        every stream
  GET  /api/streams/{stream}/messages      ?from= &to= &limit= &cursor= &time=source   ('/' in a name is %2F)
  GET  /info  /healthz  /readyz  /service  counters, life, readiness, the tree of actors
)";

}  // namespace

void Reception::take(Call call) {
  for (std::size_t tried = 0; tried < desks_.size(); ++tried) {
    const auto& desk = desks_[next_++ % desks_.size()];
    if (desk.try_send(std::move(call))) return;  // refused, the call is as it was
  }
  // The Call answers with 503 as it goes.
}

http::Router make_routes(std::shared_ptr<Reception> reception) {
  http::Router router;
  const auto to_desk = [&](std::string_view method, std::string_view pattern, Route route) {
    router.add(method, pattern, [reception, route](http::Request request, http::Responder responder) {
      reception->take(Call(route, std::move(request), std::move(responder)));
    });
  };
  to_desk("POST", "/api/messages", Route::post);
  to_desk("GET", "/api/messages/{id}", Route::get_message);
  to_desk("GET", "/api/streams", Route::list_streams);
  to_desk("GET", "/api/streams/{stream}/messages", Route::list_messages);
  to_desk("GET", "/info", Route::info);
  to_desk("GET", "/readyz", Route::ready);
  to_desk("GET", "/service", Route::service);
  router.add("GET", "/healthz", [](const http::Request&, http::Responder responder) {
    responder.answer(http::json_response(200, R"({"status":"ok"})"));
  });
  router.add("GET", "/", [](const http::Request&, http::Responder responder) {
    responder.answer(http::text_response(200, std::string(home_page)));
  });
  return router;
}

}  // namespace chronicle
