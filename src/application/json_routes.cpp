#include "backstage/application/json_routes.hpp"

namespace backstage {
inline namespace v0 {
namespace {

using detail::FoundRoute;
using detail::JsonCodec;
using detail::RouteEntry;

/// One that was added at run time has none of its own. It takes that of the declared one which it comes before: they take
/// the same message, but may answer otherwise.
[[nodiscard]] const JsonCodec* codec_of(const Scope& scope, const RouteEntry& entry) {
  if (entry.codec != nullptr) return static_cast<const JsonCodec*>(entry.codec);
  const auto* const ops = detail::ScopeAccess::place(scope).ops;
  if (ops == nullptr) return nullptr;
  for (std::size_t i = 0; i < ops->route_count; ++i) {
    if (ops->routes[i].message == entry.message) return static_cast<const JsonCodec*>(ops->routes[i].codec);
  }
  return nullptr;
}

struct Ready {
  FoundRoute route;
  const JsonCodec* codec;
  std::shared_ptr<void> message;
};

[[nodiscard]] Result<Ready> prepare(const Scope& scope, std::string_view name, std::string_view json) {
  auto route = detail::find_route_named(detail::ScopeAccess::place(scope), detail::ScopeAccess::board(scope), name,
                                        scope.where());
  if (!route) return route.error();
  const JsonCodec* const codec = codec_of(scope, route->entry);
  if (codec == nullptr) {
    return Error(Errc::invalid, "'" + scope.where() + "' takes " + std::string(route->entry.name) +
                                    " by its type only: declare it with JsonRoutes");
  }
  auto message = codec->read(json, "'" + scope.where() + "', message " + std::string(name));
  if (!message) return message.error();
  return Ready{*route, codec, std::move(message).value()};
}

}  // namespace

Result<> send_json(const Scope& scope, std::string_view message, std::string_view json) {
  const Result<Ready> ready = prepare(scope, message, json);
  if (!ready) return ready.error();
  ready->route.entry.send(ready->route.cell, ready->route.generation, ready->message.get());
  return {};
}

Task<Result<std::string>> ask_json(Scope scope, std::string message, std::string json, Duration within) {
  Result<Ready> ready = prepare(scope, message, json);
  if (!ready) co_return ready.error();
  const RouteEntry& entry = ready->route.entry;
  if (entry.reply != ready->codec->reply) co_return detail::answers_otherwise(entry, ready->codec->reply_name);
  co_return co_await ready->codec->ask(ready->route, ready->message, within);
}

std::string routes_schema(const Scope& scope) {
  detail::JsonOut out;
  out.raw("[");
  bool first = true;
  for (const FoundRoute& one :
       detail::all_routes(detail::ScopeAccess::place(scope), detail::ScopeAccess::board(scope))) {
    const JsonCodec* const codec = codec_of(scope, one.entry);
    if (codec == nullptr) continue;
    if (!std::exchange(first, false)) out.raw(",");
    out.raw(R"({"message":)");
    out.string(one.entry.name);
    out.raw(R"(,"takes":)");
    out.raw(codec->schema());
    out.raw(R"(,"answers":)");
    if (one.entry.reply == codec->reply) {
      out.raw(codec->answer_schema());
    } else {
      out.raw(R"({"type":"unknown","named":)");
      out.string(one.entry.reply_name);
      out.raw("}");
    }
    out.raw("}");
  }
  out.raw("]");
  return std::move(out).take();
}

}  // namespace v0
}  // namespace backstage
