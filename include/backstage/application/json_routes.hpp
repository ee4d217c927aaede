// Routes in JSON: messages as text, to an actor of whom only the place is known; answers as text; and what it takes.
//
//     struct Thermostat { using routes = JsonRoutes<Reading, Get>;  void handle(Reading);  double handle(Get); };
//
//     send_json(scope, "Reading", R"({"sensor":"a","celsius":21.5})");                          // Result<>
//     auto text = co_await ask_json(scope, "Get", "{}", 1s);                                    // Result<std::string>
//     routes_schema(scope);                                                                     // a list, as JSON
//
// A message is named by its type, with or without namespaces. What cannot be converted comes back: the error says which
// field, which value, and what it has to be (wire/json.hpp); nothing was sent. A route that was added at run time is reached
// too where the actor declares its message here; any other is typed only. If the one that was added answers otherwise than
// the declared one, it can be sent to, not asked: its schema has "answers":{"type":"unknown","named":"..."}. Threads: send_json and routes_schema any, ask_json the actor's turn. Stability: settling (v0).
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "backstage/actor/route.hpp"
#include "backstage/wire/json.hpp"

namespace backstage {
inline namespace v0 {
namespace detail {

/// How one message of one actor is read, asked, and described.
struct JsonCodec {
  Result<std::shared_ptr<void>> (*read)(std::string_view text, std::string_view what);
  Task<Result<std::string>> (*ask)(FoundRoute route, std::shared_ptr<void> message, Duration within);
  std::string (*schema)();
  std::string (*answer_schema)();
  // The answer that `ask` converts: another's would be taken for one of its type.
  const void* reply;
  std::string_view reply_name;
};

template <class M>
Result<std::shared_ptr<void>> read_json_message(std::string_view text, std::string_view what) {
  Result<M> message = from_json<M>(text, what);
  if (!message.has_value()) return message.error();
  return std::shared_ptr<void>(std::make_shared<M>(std::move(message).value()));
}
template <class M, class R>
Task<Result<std::string>> ask_json_message(FoundRoute route, std::shared_ptr<void> message, Duration within) {
  auto& typed = *static_cast<M*>(message.get());
  auto request = Ask<M, R>(RequestFor<M, R>(route.entry.ask, route.cell, route.generation, moved(typed)));
  auto answer = co_await std::move(request).within(within);
  if (!answer.has_value()) co_return answer.error();
  if constexpr (std::is_void_v<R>) {
    co_return std::string("null");
  } else {
    co_return to_json<R>(answer.value());
  }
}
template <class R>
std::string answer_schema() {
  if constexpr (std::is_void_v<R>) {
    return "{}";
  } else {
    return json_schema<R>();
  }
}
template <class M, class R>
inline constexpr JsonCodec json_codec{
    &read_json_message<M>, &ask_json_message<M, R>, &json_schema<M>, &answer_schema<R>, &type_tag<R>, type_name<R>()};

}  // namespace detail

/// `using routes = JsonRoutes<Reading, Get>;`: as Routes, and in JSON, too.
template <class... M>
struct JsonRoutes {
  template <class A>
  [[nodiscard]] static constexpr std::array<detail::RouteEntry, sizeof...(M)> entries_of() {
    return {detail::route_entry<A, M>(&detail::json_codec<M, reply_t<A, M>>)...};
  }
};

/// Sends the message of that name.
Result<> send_json(const Scope& scope, std::string_view message, std::string_view json);
/// Asks with it; the answer as JSON ("null" for one without a value).
Task<Result<std::string>> ask_json(Scope scope, std::string message, std::string json, Duration within);
/// [{"message":"Reading","takes":{...},"answers":{...}}, ...] of all that are declared with JsonRoutes.
[[nodiscard]] std::string routes_schema(const Scope& scope);

}  // namespace v0
}  // namespace backstage
