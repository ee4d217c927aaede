#include "guard.hpp"

#include <algorithm>

#include "text.hpp"

namespace backstage {
inline namespace v0 {
namespace http {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), to_lower);
  return out;
}

bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

/// Does "name", "name:1", "1.2.3.4:5" or "[::1]:6" end with a port?
bool has_port(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  return colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos;
}

bool is_host_text(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || is_alpha(c) || std::string_view("-._~:[]").find(c) != std::string_view::npos;
  });
}

/// GET, HEAD and OPTIONS change nothing (a handler that breaks this breaks its own protection).
bool is_safe(std::string_view method) { return method == "GET" || method == "HEAD" || method == "OPTIONS"; }

Fault forbidden(std::string message) { return Fault{403, "forbidden", std::move(message)}; }

}  // namespace

Guard::Guard(const ServerOptions& options, const net::Address& local) : foreign_origins_(options.allowed_origins) {
  for (const std::string_view name : {"localhost", "127.0.0.1", "[::1]"}) allow_host(name, local.port);
  if (local.host != "0.0.0.0" && local.host != "::") {
    allow_host(local.host.find(':') == std::string::npos ? local.host : "[" + local.host + "]", local.port);
  }
  for (const std::string& entry : options.allowed_hosts) {
    if (entry == "*") {
      any_host_ = true;
    } else if (has_port(entry)) {
      hosts_.push_back(lower(entry));
      own_origins_.push_back("http://" + lower(entry));
    } else {
      allow_host(entry, local.port);
    }
  }
}

void Guard::allow_host(std::string_view name, std::uint16_t port) {
  const std::string host = lower(name);
  hosts_.push_back(host + ":" + std::to_string(port));
  own_origins_.push_back("http://" + hosts_.back());
  if (port == 80) {
    hosts_.push_back(host);
    own_origins_.push_back("http://" + host);
  }
}

std::optional<Fault> Guard::check_host(std::string_view authority) const {
  if (!is_host_text(authority)) return Fault{400, "bad_request", "Host must be a name or an address, and a port"};
  if (any_host_ || contains(hosts_, lower(authority))) return std::nullopt;
  return Fault{421, "misdirected_request",
               "this server is not called '" + std::string(authority) + "'; names are added with allowed_hosts"};
}

std::optional<Fault> Guard::check_origin(std::string_view method, const Headers& headers) const {
  if (is_safe(method)) return std::nullopt;
  const std::string_view origin = headers.get("Origin");
  if (headers.has("Origin")) {
    if (contains(foreign_origins_, origin) && origin != "null") return std::nullopt;
    if (!contains(own_origins_, origin)) {
      return forbidden("pages of '" + std::string(origin) +
                       "' may not do this; origins are added with allowed_origins");
    }
  }
  if (same_ignoring_case(headers.get("Sec-Fetch-Site"), "cross-site")) {
    return forbidden("the browser says that another site's page asks");
  }
  return std::nullopt;
}

}  // namespace http
}  // namespace v0
}  // namespace backstage
