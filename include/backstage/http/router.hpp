// Which handler answers which method and path.
//
//     http::Router router;
//     router.add("GET", "/api/messages/{id}", [](http::Request request, http::Responder responder) {
//       responder.answer(http::text_response(200, std::string(request.param("id"))));
//     });
//     auto server = http::Server::open(network, {}, std::move(router));
//
// Segments are matched after decoding, one by one, a literal before a {name}; {name} never matches an empty segment.
// An unknown path is 404, a known one with another method 405 with Allow. GET also answers HEAD; OPTIONS is answered
// here.
// Stability: settling (v0).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "backstage/http/message.hpp"
#include "backstage/http/server.hpp"

namespace backstage {
inline namespace v0 {
namespace http {

class Router {
 public:
  /// Throws Need: a pattern without leading '/', a nameless or repeated {name} (Errc::invalid), or a route that is
  /// there already (Errc::exists).
  Router& add(std::string_view method, std::string_view pattern, Handler handler);
  void operator()(Request request, Responder responder);

 private:
  struct Segment {
    bool is_param = false;
    std::string text;
  };
  struct Method {
    std::string name;
    Handler handler;
  };
  struct Route {
    std::string pattern;
    std::vector<Segment> segments;
    std::vector<Method> methods;
  };

  [[nodiscard]] static bool matches(const Route& route, const std::vector<std::string>& segments);
  [[nodiscard]] static bool is_more_exact(const Route& a, const Route& b);
  [[nodiscard]] static std::string allowed(const Route& route);

  std::vector<Route> routes_;
};

}  // namespace http
}  // namespace v0
}  // namespace backstage
