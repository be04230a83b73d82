// The host that a request names: a Host field, the authority of a URL, or what stands behind "//" in an Origin.
// Also whether a body is JSON by its Content-Type. Free of I/O: no name is looked up.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/http.h"

namespace tradewind::net {

struct Host {
  // Lower case and without a last dot. An IPv6 address is in its shortest form and without brackets; one that
  // stands for an IPv4 address is that one.
  std::string name;
  std::optional<uint16_t> port;
  bool is_address = false;
  bool operator==(const Host&) const = default;
};

// HOST, HOST:PORT, or [IPV6]:PORT. None when it is no such thing: with a user name, an empty label, an address
// with a zone, or a byte that no host name has.
std::optional<Host> ParseHost(std::string_view text);
std::string ToText(const Host& host);

// 127.0.0.0/8, ::1, localhost, and any name below it.
bool IsLoopback(const Host& host);
// The same name, or one that ends in a dot and the domain.
bool IsWithin(std::string_view name, std::string_view domain);

// Where a page came from. `host` is none when the origin is opaque ("null"), or no web page's.
struct Origin {
  std::optional<Host> host;
  uint16_t port = 0;  // With the scheme's own when none is given.
  bool is_https = false;
};
Origin ParseOrigin(std::string_view text);

// Every Content-Type of the message says application/json, with any parameters; false without one.
bool SaysJson(const Headers& headers);

}  // namespace tradewind::net
