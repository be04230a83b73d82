#include "net/url.h"

#include <fmt/format.h>

#include <boost/url/parse.hpp>
#include <boost/url/parse_query.hpp>
#include <boost/url/pct_string_view.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <utility>

namespace tradewind::net {
namespace urls = boost::urls;

Result<Url> ParseUrl(std::string_view text) {
  auto invalid = [&](std::string_view why) {
    return Fail(ErrorKind::kInvalid, "URL_INVALID", fmt::format("\"{}\" is not a usable URL: {}", text, why),
                "write it as http://host:port/path");
  };
  auto parsed = urls::parse_uri(urls::string_view(text.data(), text.size()));
  if (parsed.has_error()) return invalid("it does not parse");
  if (parsed->scheme_id() == urls::scheme::https)
    return Fail(ErrorKind::kInvalid, "TLS_NOT_SUPPORTED",
                fmt::format("\"{}\" needs TLS, and TLS is not there yet", text), "use http://");
  if (parsed->scheme_id() != urls::scheme::http) return invalid("its scheme is not http");
  if (parsed->has_userinfo()) return invalid("it holds a user name");
  if (parsed->encoded_host().empty()) return invalid("it names no host");
  Url url;
  // Without brackets, which belong to the URL and not to the address.
  url.address.host = parsed->host_type() == urls::host_type::ipv6 ? std::string(parsed->host_address())
                                                                  : std::string(parsed->host());
  if (parsed->has_port() && !parsed->port().empty()) {
    urls::string_view port = parsed->port();
    auto [end, failure] = std::from_chars(port.data(), port.data() + port.size(), url.address.port);
    if (failure != std::errc() || end != port.data() + port.size() || url.address.port == 0)
      return invalid("its port is not between 1 and 65535");
  } else {
    url.address.port = 80;
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
    auto encoded = urls::make_pct_string_view(urls::string_view(path.data(), path.size()));
    if (encoded.has_error()) return invalid();
    request.path = encoded->decode();
  }
  if (question == std::string_view::npos) return {};
  std::string_view query = target.substr(question + 1);
  auto parameters = urls::parse_query(urls::string_view(query.data(), query.size()));
  if (parameters.has_error()) return invalid();
  for (const auto& parameter : *parameters)
    request.query.emplace(parameter.key.decode(), parameter.value.decode());
  return {};
}

}  // namespace tradewind::net
