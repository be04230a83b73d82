#include "gateway/strangers.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/ascii.h"

namespace tradewind::gateway {

namespace {

constexpr size_t kQuotedBytes = 100;

// What a stranger wrote, fit to stand in a sentence.
std::string Quoted(std::string_view text) {
  std::string quoted(text.substr(0, kQuotedBytes));
  for (char& c : quoted)
    if (c < ' ' || c > '~') c = '?';
  return '\'' + quoted + (text.size() > kQuotedBytes ? "...'" : "'");
}

// Calls `look` with each field of the name, until one fails.
Result<void> EachField(const net::Headers& headers, std::string_view wanted, const auto& look) {
  for (size_t index = 0; index < headers.size(); ++index) {
    const auto [name, value] = headers[index];
    if (EqualsIgnoringCase(name, wanted)) TW_TRY(look(value));
  }
  return {};
}

// The authority of a target in absolute form, which counts for more than the Host field.
std::optional<std::string_view> AuthorityIn(std::string_view target) {
  const size_t slashes = target.find("://");
  if (target.starts_with('/') || slashes == std::string_view::npos) return std::nullopt;
  target.remove_prefix(slashes + 3);
  return target.substr(0, target.find_first_of("/?#"));
}

}  // namespace

Result<std::string> ParseDomain(std::string_view text) {
  std::string_view name = text;
  if (name.starts_with("*.")) name.remove_prefix(2);
  const auto host = net::ParseHost(name);
  if (host && !host->port && name.find(':') == std::string_view::npos) return host->name;
  if (host && host->is_address && !host->port) return host->name;
  return Fail(ErrorKind::kInvalid, "DOMAIN_INVALID", fmt::format("--domain {} is no name", Quoted(text)),
              "give a name such as db.example.com, without scheme, port or path");
}

Result<std::string> ParseCorsOrigin(std::string_view text) {
  std::string origin(text);
  for (char& c : origin)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  if (origin.ends_with('/')) origin.pop_back();
  if (origin == "*" || net::ParseOrigin(origin).host) return origin;
  return Fail(ErrorKind::kInvalid, "CORS_ORIGIN_INVALID",
              fmt::format("--cors-origin {} is no origin of a web page", Quoted(text)),
              "give one such as https://app.example.com, without a path; or * for every page");
}

Strangers::Strangers(const std::vector<std::string>& addresses, std::vector<std::string> domains,
                     std::vector<std::string> cors_origins)
    : domains_(std::move(domains)), cors_origins_(std::move(cors_origins)) {
  for (const std::string& address : addresses) {
    auto host = net::ParseHost(address);
    if (!host) continue;
    any_address_ |= host->name == "0.0.0.0" || host->name == "::";
    own_.push_back(*std::move(host));
  }
}

bool Strangers::IsOwn(const net::Host& host) const {
  return net::IsLoopback(host) || (any_address_ && host.is_address) ||
         std::any_of(own_.begin(), own_.end(), [&](const auto& own) { return own.name == host.name; }) ||
         std::any_of(domains_.begin(), domains_.end(),
                     [&](const auto& domain) { return net::IsWithin(host.name, domain); });
}

Result<net::Host> Strangers::OwnHost(std::string_view text) const {
  auto host = net::ParseHost(text);
  if (host && IsOwn(*host)) return *std::move(host);
  return Fail(
      ErrorKind::kRefused, "HOST_NOT_ALLOWED",
      "the request is for the host " + Quoted(text) + ", which is no name of this node",
      "use its address or localhost; or start it with --domain NAME if that name is meant to lead here");
}

Result<void> Strangers::CheckOrigin(std::string_view text, const std::optional<net::Host>& host) const {
  const net::Origin origin = net::ParseOrigin(text);
  const auto& from = origin.host;
  const bool of_domain = from && std::any_of(domains_.begin(), domains_.end(), [&](const auto& domain) {
                           return net::IsWithin(from->name, domain);
                         });
  const uint16_t asked = host ? host->port.value_or(origin.is_https ? 443 : 80) : 0;
  if (of_domain || (from && IsOwn(*from) && origin.port == asked)) return {};
  return Fail(ErrorKind::kRefused, "ORIGIN_NOT_ALLOWED",
              "the request comes from a web page of another origin, " + Quoted(text),
              "send it from a program and not from a page; or start the node with --domain NAME if pages of "
              "that name may use it");
}

Result<std::optional<net::Host>> Strangers::HostOf(const net::HttpRequest& request) const {
  std::optional<net::Host> host;
  if (const auto authority = AuthorityIn(request.target)) {
    TW_TRY_ASSIGN(host, OwnHost(*authority));
  }
  size_t hosts = 0;
  const auto look_at_host = [&](std::string_view value) -> Result<void> {
    if (++hosts > 1)
      return Fail(ErrorKind::kRefused, "HOST_NOT_ALLOWED", "the request names its host twice",
                  "name it once");
    TW_TRY_ASSIGN(net::Host own, OwnHost(value));
    if (!host) host = std::move(own);
    return {};
  };
  TW_TRY(EachField(request.headers, "host", look_at_host));
  return host;
}

std::optional<std::string> Strangers::AllowedPage(const net::HttpRequest& request) const {
  if (cors_origins_.empty() || !HostOf(request)) return std::nullopt;
  std::optional<std::string> page;
  size_t origins = 0;
  static_cast<void>(EachField(request.headers, "origin", [&](std::string_view value) -> Result<void> {
    ++origins;
    page = std::string(value);
    return {};
  }));
  if (origins != 1) return std::nullopt;
  const bool allowed =
      std::any_of(cors_origins_.begin(), cors_origins_.end(),
                  [&](const std::string& origin) { return origin == "*" || origin == *page; });
  return allowed ? page : std::nullopt;
}

Result<void> Strangers::Check(const net::HttpRequest& request) const {
  TW_TRY_ASSIGN(const std::optional<net::Host> host, HostOf(request));
  TW_TRY(EachField(request.headers, "origin",
                   [&](std::string_view value) -> Result<void> { return CheckOrigin(value, host); }));
  return EachField(request.headers, "sec-fetch-site", [](std::string_view value) -> Result<void> {
    if (value != "cross-site") return {};
    return Fail(ErrorKind::kRefused, "CROSS_SITE_REQUEST",
                "a browser sent the request for a web page of another site",
                "send it from a program, or type the address");
  });
}

std::optional<std::string> Strangers::TenantIn(std::string_view host_field) const {
  const auto host = net::ParseHost(host_field);
  if (!host || host->is_address) return std::nullopt;
  const size_t dot = host->name.find('.');
  if (dot == std::string::npos) return std::nullopt;
  const bool is_own =
      std::any_of(own_.begin(), own_.end(), [&](const auto& own) { return own.name == host->name; }) ||
      std::find(domains_.begin(), domains_.end(), host->name) != domains_.end();
  return is_own ? std::nullopt : std::optional(host->name.substr(0, dot));
}

}  // namespace tradewind::gateway
