// URLs (Boost.URL) and request targets.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "net/http.h"
#include "runtime/network.h"

namespace tradewind::net {

// A server, and how it is spoken to.
struct Endpoint {
  Endpoint(runtime::Address at, bool in_tls = false) : address(std::move(at)), tls(in_tls) {}
  runtime::Address address;
  bool tls;
  auto operator<=>(const Endpoint&) const = default;
};

struct Url {
  runtime::Address address;
  bool tls = false;          // https.
  std::string target = "/";  // Path and query, as they go into a request line.
  Endpoint endpoint() const { return {address, tls}; }
};

// "http://host:port/path?query", or https; the port is 80 or 443 and the path "/" when missing, an IPv6 host stands in
// brackets. Fails with URL_INVALID.
Result<Url> ParseUrl(std::string_view text);

// Sets path and query of `request` from its target: an absolute path, an http URL (as proxies send it), or
// "*". Fails with code TARGET_INVALID.
Result<void> SplitTarget(HttpRequest& request);

}  // namespace tradewind::net
