#include "net/routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "base/ascii.h"
#include "base/check.h"
#include "net/api_error.h"
#include "net/host.h"
#include "net/web_socket.h"

namespace tradewind::net {

namespace {

// Takes the first segment off a path: "//v1/tenants" gives "v1" and leaves "/tenants".
std::string_view TakeSegment(std::string_view& path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

// The segments of a path, the empty one after a last slash too; none when it does not begin with one. What has more
// than any route has is cut.
struct Segments {
  std::array<std::string_view, 8> all;
  size_t size = 0;

  explicit Segments(std::string_view path) {
    while (path.starts_with('/') && size < all.size()) all[size++] = TakeSegment(path);
  }
};

// What stands for '*' when the path has the form of the pattern.
std::optional<std::string_view> Match(const std::vector<std::string>& pattern, const Segments& path) {
  if (pattern.size() != path.size) return std::nullopt;
  std::string_view name;
  for (size_t at = 0; at < path.size; ++at) {
    const std::string_view found = path.all[at];
    if (pattern[at] == "*" && !found.empty())
      name = found;
    else if (pattern[at] != found)
      return std::nullopt;
  }
  return name;
}

bool IsForNodes(const Segments& path) {
  return path.size >= 2 && path.all[0] == "v1" && path.all[1] == "internal";
}

// A page makes no browser send that without asking first.
bool ShowsToken(const Headers& headers) {
  constexpr std::string_view kScheme = "Bearer ";
  const auto shown = headers.Get("authorization");
  return shown && EqualsIgnoringCase(shown->substr(0, kScheme.size()), kScheme);
}

}  // namespace

void Routes::Add(Route route) {
  TW_CHECK(std::none_of(routes_.begin(), routes_.end(),
                        [&](const Route& other) {
                          return other.method == route.method && other.path == route.path &&
                                 other.web_socket == route.web_socket;
                        }),
           "a path has one route a method");
  const Segments segments(route.path);
  TW_CHECK(segments.size > 0 && segments.size < segments.all.size(),
           "the path of a route has a few segments");
  patterns_.emplace_back(segments.all.begin(), segments.all.begin() + segments.size);
  routes_.push_back(std::move(route));
}

Routes::Found Routes::Find(const HttpRequest& request) const {
  Found found;
  const Segments path(request.path);
  found.for_nodes = IsForNodes(path);
  const bool wants_socket = AsksForWebSocket(request);
  for (size_t at = 0; at < routes_.size(); ++at) {
    const Route& route = routes_[at];
    if (route.web_socket && !wants_socket) continue;
    const auto name = Match(patterns_[at], path);
    if (!name) continue;
    if (route.method != request.method) {
      found.allowed += (found.allowed.empty() ? "" : ", ") + std::string(route.method);
      continue;
    }
    if (found.route && !route.web_socket) continue;
    found.route = &route;
    found.name = *name;
    if (route.web_socket || !wants_socket) return found;
  }
  return found;
}

Result<void> Routes::CheckBody(const Route& route, const HttpRequest& request) {
  if (route.body == Route::Body::kAnything || request.proven || SaysJson(request.headers)) return {};
  const auto type = request.headers.Get("content-type");
  if (!type && request.body.empty()) return {};
  const bool browser = request.headers.Has("origin") || request.headers.Has("sec-fetch-site");
  if (route.body == Route::Body::kMaybeJson && (ShowsToken(request.headers) || (!type && !browser)))
    return {};
  return Fail(ErrorKind::kInvalid, std::string(kNotJsonCode),
              type ? fmt::format("the body is of type '{}', and JSON is wanted here", *type)
                   : "the body has no type, and JSON is wanted here",
              "send it with the header content-type: application/json");
}

HttpResponse Routes::Refusal(const HttpRequest& request, const Found& found) {
  if (found.allowed.empty())
    return ErrorResponse({ErrorKind::kNotFound, "PATH_NOT_FOUND", "there is nothing at " + request.path,
                          "a tenant's address is http://HOST:PORT/db/NAME/"});
  HttpResponse response = ErrorResponse({ErrorKind::kInvalid, "METHOD_NOT_ALLOWED",
                                         fmt::format("{} is no method of {}", request.method, request.path),
                                         "use " + found.allowed});
  response.status = 405;
  response.headers.Set("Allow", found.allowed);
  return response;
}

}  // namespace tradewind::net
