// ask: N requests, one after the other, through ask(...).within(...). One op is a request with its answer.
#include "workload.hpp"

namespace bench {
namespace {

struct Next {
  std::uint64_t value;
};
struct AskAll {
  std::uint64_t requests;
};

struct Server {
  std::uint64_t handle(Next next) { return next.value + 1; }
};

struct Client {
  void init(Context& cx) { server = cx.spawn<Server>("server"); }
  backstage::Task<std::uint64_t> handle(AskAll all) {
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < all.requests; ++i) {
      const auto answer = co_await server.ask<Next>(i).within(10s);
      sum += answer.value();
    }
    co_return sum;
  }
  Ref<Server> server;
};

}  // namespace

Outcome ask(const Settings& settings) {
  const std::uint64_t n = settings.arg(0, 1'000'000);
  const double seconds = timed(settings, n, [](backstage::Runtime& runtime, std::uint64_t requests) {
    const auto client = runtime.spawn<Client>(backstage::unnamed);
    check("sum of the answers", run<AskAll>(runtime, client, requests), requests * (requests + 1) / 2);
  });
  return {n, seconds, ""};
}

}  // namespace bench
