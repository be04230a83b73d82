#include "net/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/url/ipv4_address.hpp>
#include <boost/url/ipv6_address.hpp>
#include <charconv>

#include "base/ascii.h"

namespace tradewind::net {
namespace urls = boost::urls;

namespace {

bool IsOfName(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

// Empty, or a colon with digits or without any (RFC 3986, section 3.2.3).
bool ParsePort(std::string_view text, std::optional<uint16_t>& port) {
  if (text.empty()) return true;
  if (text.front() != ':') return false;
  text.remove_prefix(1);
  if (text.empty()) return true;
  uint16_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  port = number;
  return true;
}

}  // namespace

std::optional<Host> ParseHost(std::string_view text) {
  Host host;
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos || !ParsePort(text.substr(close + 1), host.port)) return std::nullopt;
    const auto address = urls::parse_ipv6_address(urls::string_view(text.data() + 1, close - 1));
    if (!address) return std::nullopt;
    host.is_address = true;
    if (address->is_v4_mapped()) {
      const auto bytes = address->to_bytes();
      host.name = fmt::format("{}.{}.{}.{}", bytes[12], bytes[13], bytes[14], bytes[15]);
    } else {
      host.name = std::string(address->to_string());
    }
    return host;
  }
  const size_t colon = std::min(text.find(':'), text.size());
  if (!ParsePort(text.substr(colon), host.port)) return std::nullopt;
  host.name = LowerCase(text.substr(0, colon));
  if (host.name.ends_with('.')) host.name.pop_back();
  if (host.name.empty() || host.name.starts_with('.') || host.name.ends_with('.') ||
      host.name.find("..") != std::string::npos || !std::all_of(host.name.begin(), host.name.end(), IsOfName))
    return std::nullopt;
  host.is_address =
      urls::parse_ipv4_address(urls::string_view(host.name.data(), host.name.size())).has_value();
  return host;
}

std::string ToText(const Host& host) {
  std::string text = host.name.find(':') == std::string::npos ? host.name : '[' + host.name + ']';
  if (host.port) text += ':' + std::to_string(*host.port);
  return text;
}

bool IsLoopback(const Host& host) {
  if (host.is_address) return host.name == "::1" || host.name.starts_with("127.");
  return IsWithin(host.name, "localhost");
}

bool IsWithin(std::string_view name, std::string_view domain) {
  if (!name.ends_with(domain)) return false;
  name.remove_suffix(domain.size());
  return name.empty() || name.ends_with('.');
}

Origin ParseOrigin(std::string_view text) {
  const size_t colon = text.find("://");
  if (colon == std::string_view::npos) return {};
  const std::string scheme = LowerCase(text.substr(0, colon));
  if (scheme != "http" && scheme != "https") return {};
  Origin origin;
  origin.is_https = scheme == "https";
  origin.host = ParseHost(text.substr(colon + 3));
  if (origin.host) origin.port = origin.host->port.value_or(origin.is_https ? 443 : 80);
  return origin;
}

bool SaysJson(const Headers& headers) {
  bool says = false;
  for (size_t index = 0; index < headers.size(); ++index) {
    const auto [name, value] = headers[index];
    if (!EqualsIgnoringCase(name, "content-type")) continue;
    if (!EqualsIgnoringCase(Trimmed(value.substr(0, value.find(';'))), "application/json")) return false;
    says = true;
  }
  return says;
}

}  // namespace tradewind::net
