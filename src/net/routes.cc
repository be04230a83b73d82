#include "net/routes.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

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

// What stands for '*' when the path has the form of the pattern.
std::optional<std::string_view> Match(std::string_view pattern, std::string_view path) {
  std::string_view name;
  while (pattern.starts_with('/') && path.starts_with('/')) {
    const std::string_view wanted = TakeSegment(pattern);
    const std::string_view found = TakeSegment(path);
    if (wanted == "*" && !found.empty())
      name = found;
    else if (wanted != found)
      return std::nullopt;
  }
  if (!pattern.empty() || !path.empty()) return std::nullopt;
  return name;
}

bool IsForNodes(std::string_view path) {
  return path.starts_with('/') && TakeSegment(path) == "v1" && TakeSegment(path) == "internal";
}

// A page makes no browser send that without asking first.
bool ShowsToken(const Headers& headers) {
  const auto shown = headers.Get("authorization");
  return shown && shown->starts_with("Bearer ");
}

}  // namespace

void Routes::Add(Route route) {
  TW_CHECK(std::none_of(routes_.begin(), routes_.end(),
                        [&](const Route& other) {
                          return other.method == route.method && other.path == route.path &&
                                 other.web_socket == route.web_socket;
                        }),
           "a path has one route a method");
  routes_.push_back(std::move(route));
}

Routes::Found Routes::Find(const HttpRequest& request) const {
  Found found;
  found.for_nodes = IsForNodes(request.path);
  const bool wants_socket = AsksForWebSocket(request);
  for (const Route& route : routes_) {
    if (route.web_socket && !wants_socket) continue;
    const auto name = Match(route.path, request.path);
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
