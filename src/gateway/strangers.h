// Requests that a web page made somebody's browser send. A browser reaches what listens on loopback, and behind a
// firewall, and asks nobody; so a node that asks for no token looks at what a browser says of itself:
//
//   Host             names this node: a loopback address, localhost or a name below it, the address at which it
//                    listens or is advertised, or a name of --domain or below. Any other is a name that somebody
//                    else has pointed at this address (DNS rebinding), or a mistake.
//   Origin           a browser adds it to whatever a page sends, unless it is a plain GET. It has to be this node's
//                    own, by any of its names, or a name of --domain.
//   Sec-Fetch-Site   says "cross-site" of anything that another site's page has caused.
//
// With --cors-origin pages of those origins may use tenants (CORS), and nothing else of the node; the Host has to be right
// all the same.
//
// Other programs say none of the last two, and what they are told by Host they can mend. A call of another node
// proves that it is one instead, and is not looked at here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/host.h"
#include "net/http.h"

namespace tradewind::gateway {

// The name of --domain: without a port, "*.example.com" as "example.com". Fails with DOMAIN_INVALID.
Result<std::string> ParseDomain(std::string_view text);

// An origin of --cors-origin, as a browser writes it, or "*". Fails with CORS_ORIGIN_INVALID.
Result<std::string> ParseCorsOrigin(std::string_view text);

class Strangers {
 public:
  // `addresses`: hosts by which the node is known (HOST or HOST:PORT). With a wildcard among them (0.0.0.0, ::)
  // every address is its own: a name can be pointed at an address, an address cannot.
  Strangers(const std::vector<std::string>& addresses, std::vector<std::string> domains,
            std::vector<std::string> cors_origins = {});

  // Fails with HOST_NOT_ALLOWED, ORIGIN_NOT_ALLOWED, or CROSS_SITE_REQUEST (kRefused): answer 403.
  Result<void> Check(const net::HttpRequest& request) const;
  // The origin of the page that has sent the request, if pages of it may use tenants, and the request is for this node's
  // Host.
  std::optional<std::string> AllowedPage(const net::HttpRequest& request) const;

  // The first label of a Host that is neither an address nor this node's own name: a tenant's.
  std::optional<std::string> TenantIn(std::string_view host_field) const;

 private:
  bool IsOwn(const net::Host& host) const;
  Result<net::Host> OwnHost(std::string_view text) const;
  // The one that the request is for, if it names any.
  Result<std::optional<net::Host>> HostOf(const net::HttpRequest& request) const;
  Result<void> CheckOrigin(std::string_view text, const std::optional<net::Host>& host) const;

  std::vector<net::Host> own_;
  bool any_address_ = false;
  const std::vector<std::string> domains_;
  const std::vector<std::string> cors_origins_;
};

}  // namespace tradewind::gateway
