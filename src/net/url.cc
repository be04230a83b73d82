#include "net/url.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <optional>
#include <utility>

namespace tradewind::net {
namespace urls = boost::urls;

namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// None when an escape is broken or a byte stands in it that has to be escaped. By hand: Boost.URL 1.81 reads past the
// end of some queries.
std::optional<std::string> DecodePercent(std::string_view text) {
  std::string decoded;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c <= ' ' || c > '~') return std::nullopt;
    if (c != '%') {
      decoded += c;
      continue;
    }
    const int high = at + 2 < text.size() ? HexDigit(text[at + 1]) : -1;
    const int low = at + 2 < text.size() ? HexDigit(text[at + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    decoded += static_cast<char>(high * 16 + low);
    at += 2;
  }
  return decoded;
}

}  // namespace

Result<Url> ParseUrl(std::string_view text) {
  auto invalid = [&](std::string_view why) {
    return Fail(ErrorKind::kInvalid, "URL_INVALID", fmt::format("\"{}\" is not a usable URL: {}", text, why),
                "write it as http://host:port/path, or with https");
  };
  auto parsed = urls::parse_uri(urls::string_view(text.data(), text.size()));
  if (parsed.has_error()) return invalid("it does not parse");
  const bool tls = parsed->scheme_id() == urls::scheme::https;
  if (!tls && parsed->scheme_id() != urls::scheme::http) return invalid("its scheme is not http or https");
  if (parsed->has_userinfo()) return invalid("it holds a user name");
  if (parsed->encoded_host().empty()) return invalid("it names no host");
  Url url;
  url.tls = tls;
  // Without brackets, which belong to the URL and not to the address.
  url.address.host = parsed->host_type() == urls::host_type::ipv6 ? std::string(parsed->host_address())
                                                                  : std::string(parsed->host());
  if (parsed->has_port() && !parsed->port().empty()) {
    urls::string_view port = parsed->port();
    auto [end, failure] = std::from_chars(port.data(), port.data() + port.size(), url.address.port);
    if (failure != std::errc() || end != port.data() + port.size() || url.address.port == 0)
      return invalid("its port is not between 1 and 65535");
  } else {
    url.address.port = tls ? 443 : 80;
  }
  // Boost.URL 1.81 takes "http://h:12x/q" for port 12 and a target of "x/q".
  urls::string_view target = parsed->encoded_target();
  if (!target.empty() && target.front() != '/' && target.front() != '?')
    return invalid("its port is no number");
  const bool has_path = !target.empty() && target.front() == '/';
  url.target = fmt::format("{}{}", has_path ? "" : "/", std::string_view(target.data(), target.size()));
  return url;
}

Result<void> SplitTarget(HttpRequest& request) {
  request.path.clear();
  request.query.clear();
  auto invalid = [&] {
    return Fail(ErrorKind::kInvalid, "TARGET_INVALID",
                "the request target is not a path with valid percent escapes");
  };
  std::string_view target = request.target;
  if (target.starts_with("http://") || target.starts_with("https://")) {
    size_t slash = target.find('/', target.find("//") + 2);
    target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
  }
  if (target == "*") {
    request.path = target;
    return {};
  }
  if (!target.starts_with('/')) return invalid();
  target = target.substr(0, target.find('#'));
  size_t question = target.find('?');
  std::string_view path = target.substr(0, question);
  if (path.find('%') == std::string_view::npos) {
    request.path = path;
  } else {
    auto decoded = DecodePercent(path);
    if (!decoded) return invalid();
    request.path = *std::move(decoded);
  }
  if (question == std::string_view::npos) return {};
  std::string_view query = target.substr(question + 1);
  while (!query.empty()) {
    const std::string_view parameter = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), parameter.size() + 1));
    if (parameter.empty()) continue;
    const size_t equals = std::min(parameter.find('='), parameter.size());
    auto key = DecodePercent(parameter.substr(0, equals));
    auto value = DecodePercent(parameter.substr(std::min(parameter.size(), equals + 1)));
    if (!key || !value) return invalid();
    request.query.emplace(*std::move(key), *std::move(value));
  }
  return {};
}

}  // namespace tradewind::net
