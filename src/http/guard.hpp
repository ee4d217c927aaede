// Who may ask: the Host allow-list (against DNS rebinding) and the Origin rule (against other sites' pages).
//
// A web page on another site can make a browser send requests here; the browser then says where they come from
// (Origin, Sec-Fetch-Site) and by which name it found us (Host). Programs that are no browsers send no Origin, and
// are let in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backstage/http/message.hpp"
#include "backstage/http/server.hpp"
#include "head_rules.hpp"

namespace backstage {
inline namespace v0 {
namespace http {

class Guard {
 public:
  Guard() = default;
  /// `local` has its port filled in.
  Guard(const ServerOptions& options, const net::Address& local);

  /// `authority` is the Host field, or what an absolute target names.
  [[nodiscard]] std::optional<Fault> check_host(std::string_view authority) const;
  [[nodiscard]] std::optional<Fault> check_origin(std::string_view method, const Headers& headers) const;

 private:
  void allow_host(std::string_view name, std::uint16_t port);

  bool any_host_ = false;
  std::vector<std::string> hosts_;            // lower case, "name:port"; "name" alone for port 80
  std::vector<std::string> own_origins_;      // "http://" + each host
  std::vector<std::string> foreign_origins_;  // as the options say
};

}  // namespace http
}  // namespace v0
}  // namespace backstage
