#include "backstage/http/router.hpp"

#include <algorithm>

namespace backstage {
inline namespace v0 {
namespace http {
namespace {

Need refuse(Errc code, std::string_view pattern, std::string_view why) {
  return Need::fail(Error(code, "route '" + std::string(pattern) + "': " + std::string(why)));
}

}  // namespace

Router& Router::add(std::string_view method, std::string_view pattern, Handler handler) {
  if (pattern.empty() || pattern.front() != '/') throw refuse(Errc::invalid, pattern, "must begin with '/'");
  Route route;
  route.pattern = pattern;
  std::string_view rest = pattern.substr(1);
  while (true) {
    const std::size_t slash = rest.find('/');
    std::string_view text = rest.substr(0, slash);
    Segment segment;
    segment.is_param = text.size() >= 2 && text.front() == '{' && text.back() == '}';
    if (segment.is_param) text = text.substr(1, text.size() - 2);
    if (text.find_first_of("{}") != std::string_view::npos || (segment.is_param && text.empty())) {
      throw refuse(Errc::invalid, pattern, "a parameter is a whole segment with a name: /{name}");
    }
    segment.text = text;
    for (const Segment& other : route.segments) {
      if (segment.is_param && other.is_param && other.text == text) {
        throw refuse(Errc::invalid, pattern, "a parameter's name stands twice");
      }
    }
    route.segments.push_back(std::move(segment));
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }

  auto found =
      std::find_if(routes_.begin(), routes_.end(), [&](const Route& other) { return other.pattern == pattern; });
  if (found == routes_.end()) found = routes_.insert(routes_.end(), std::move(route));
  for (const Method& other : found->methods) {
    if (other.name == method) throw refuse(Errc::exists, pattern, std::string(method) + " is there already");
  }
  found->methods.push_back({std::string(method), std::move(handler)});
  return *this;
}

bool Router::matches(const Route& route, const std::vector<std::string>& segments) {
  return std::equal(route.segments.begin(), route.segments.end(), segments.begin(), segments.end(),
                    [](const Segment& pattern, const std::string& segment) {
                      return pattern.is_param ? !segment.empty() : pattern.text == segment;
                    });
}

bool Router::is_more_exact(const Route& a, const Route& b) {
  return std::lexicographical_compare(a.segments.begin(), a.segments.end(), b.segments.begin(), b.segments.end(),
                                      [](const Segment& x, const Segment& y) { return x.is_param < y.is_param; });
}

std::string Router::allowed(const Route& route) {
  std::string out;
  for (const Method& method : route.methods) {
    out += (out.empty() ? "" : ", ") + method.name;
    if (method.name == "GET") out += ", HEAD";
  }
  return out + ", OPTIONS";
}

void Router::operator()(Request request, Responder responder) {
  Route* best = nullptr;
  for (Route& route : routes_) {
    if (matches(route, request.segments) && (best == nullptr || is_more_exact(route, *best))) best = &route;
  }
  if (best == nullptr) {
    return responder.answer(error_response(404, "not_found", "there is nothing at " + request.path));
  }
  const auto method_named = [&](std::string_view name) {
    return std::find_if(best->methods.begin(), best->methods.end(), [&](const Method& m) { return m.name == name; });
  };
  auto found = method_named(request.method);
  if (found == best->methods.end() && request.method == "HEAD") found = method_named("GET");
  if (found == best->methods.end() && request.method == "OPTIONS") {
    return responder.answer(Response{204, {}, {}}.with("Allow", allowed(*best)));
  }
  if (found == best->methods.end()) {
    return responder.answer(
        error_response(405, "method_not_allowed",
                       request.method + " is not served at " + request.path + "; allowed: " + allowed(*best))
            .with("Allow", allowed(*best)));
  }
  for (std::size_t i = 0; i < best->segments.size(); ++i) {
    if (best->segments[i].is_param) request.params.emplace_back(best->segments[i].text, request.segments[i]);
  }
  found->handler(std::move(request), std::move(responder));
}

}  // namespace http
}  // namespace v0
}  // namespace backstage
