// URLs (Boost.URL) and request targets.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "net/http.h"
#include "runtime/network.h"

namespace tradewind::net {

struct Url {
  runtime::Address address;
  std::string target = "/";  // Path and query, as they go into a request line.
};

// "http://host:port/path?query"; the port is 80 and the path "/" when missing, an IPv6 host stands in
// brackets. Fails with URL_INVALID, and with TLS_NOT_SUPPORTED for https.
Result<Url> ParseUrl(std::string_view text);

// Sets path and query of `request` from its target: an absolute path, an http URL (as proxies send it), or
// "*". Fails with code TARGET_INVALID.
Result<void> SplitTarget(HttpRequest& request);

}  // namespace tradewind::net
