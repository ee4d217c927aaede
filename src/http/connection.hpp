// One client's connection: reads requests, has them judged and handled, writes the answers, in order.
//
//   head --head complete--> body --complete--> handling --answer()--> writing --keep-alive--> head
//     \--refuse()------------/ \--refuse()--> writing --last--> lingering --peer ended, or 1 s--> closed
//   from any state: close()
//
// At most one read or one write is under way, and while a request is handled or answered nothing is read: what a
// client sends ahead waits in its socket. Its callbacks may use `this` because they die with stream_ (see
// net::Stream).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "backstage/http/server.hpp"
#include "backstage/net/network.hpp"
#include "parser.hpp"

namespace backstage {
inline namespace v0 {
namespace http {
namespace detail {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ServerCore& core, std::uint64_t id, std::unique_ptr<net::Stream> stream);
  ~Connection();

  void start();
  /// The answer to request `number`; false when it came too late.
  bool answer(std::uint64_t number, Response response);
  /// The server stops: an idle connection is closed, another ends with its present request.
  void wind_down();

 private:
  enum class State : std::uint8_t { head, body, handling, writing, lingering, closed };

  void await_request(Duration first_byte_within);
  void advance();
  void judge_head();
  void read_more(Instant deadline);
  void have_read(const Result<std::string_view>& bytes);
  void read_failed(const Error& error);
  void dispatch();
  void refuse(const Fault& fault);
  void respond(Response response, bool last);
  void written(const Result<>& result);
  void linger();
  void linger_read();
  void close();
  void forget_request();

  ServerCore& core_;
  const std::uint64_t id_;
  std::unique_ptr<net::Stream> stream_;
  State state_ = State::head;
  std::optional<RequestParser> parser_;
  std::string ahead_;       // read, but belongs to a later request
  Instant deadline_;        // of the present state
  bool idle_ = false;       // no byte of the next request has come
  bool last_ = false;       // close after the present answer
  bool head_only_ = false;  // the request was HEAD
  bool counted_ = false;    // begin_request() was granted
  std::uint64_t body_taken_ = 0;
  std::uint64_t number_ = 0;  // of the present request
  Instant linger_until_;
  std::size_t linger_bytes_ = 0;
  std::unique_ptr<net::Timer> answer_timer_;
};

}  // namespace detail
}  // namespace http
}  // namespace v0
}  // namespace backstage
