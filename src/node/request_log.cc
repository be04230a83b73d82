#include "node/request_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/json_fields.h"
#include "base/log.h"
#include "net/api_error.h"
#include "runtime/random_id.h"

namespace tradewind::node {

namespace {

constexpr size_t kMostIdBytes = 128;
constexpr size_t kMostPathBytes = 200;
constexpr size_t kMostBodyBytes = 64u << 10;  // Of a larger one the tenant is not looked for.

bool IsIdCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-_.:/+=").find(c) != std::string_view::npos;
}

int64_t StatusOf(const net::HttpResponse& response) {
  return response.upgrade ? 101 : response.status;
}

std::string_view PathOf(const net::HttpRequest& request) {
  return std::string_view(request.path).substr(0, kMostPathBytes);
}

// That a request to the admin API is about.
std::string TenantOf(const net::HttpRequest& request, const net::Routes::Found& found) {
  constexpr std::string_view kTenants = "/v1/tenants";
  const bool of_tenants = found.route->path.starts_with(kTenants);
  if (of_tenants && !found.name.empty()) return found.name;
  if (request.body.size() > kMostBodyBytes) return "";
  const auto body = ParseJsonObject(request.body);
  const auto name = body ? FindText(*body, of_tenants ? "name" : "tenant") : std::nullopt;
  return name ? std::string(name->substr(0, kMostPathBytes)) : "";
}

}  // namespace

RequestLog::RequestLog(runtime::Core& core, bool logs_requests, bool asks_admins)
    : core_(core),
      logs_requests_(logs_requests),
      asks_admins_(asks_admins),
      prefix_(runtime::RandomId(core).substr(0, 8)) {}

std::string RequestLog::IdOf(const net::HttpRequest& request) {
  const auto said = request.headers.Get(kRequestIdField);
  if (said && !said->empty() && said->size() <= kMostIdBytes &&
      std::all_of(said->begin(), said->end(), IsIdCharacter))
    return std::string(*said);
  return fmt::format("{}-{:x}", prefix_, ++last_);
}

void RequestLog::Note(const net::HttpRequest& request, const net::Routes::Found& found, const std::string& id,
                      const net::HttpResponse& response) const {
  if (logs_requests_ && !found.for_nodes)
    log::Event(log::Level::kInfo, "request",
               {{"id", std::string_view(id)},
                {"peer", std::string_view(request.peer.host)},
                {"method", std::string_view(request.method)},
                {"path", PathOf(request)},
                {"status", StatusOf(response)},
                {"ms", std::chrono::duration<double, std::milli>(core_.Now() - request.arrived).count()}});
  // What an import is written with, piece by piece, is between its begin and its commit.
  const bool changes = request.method != "GET" && request.method != "PUT";
  const bool is_refused = response.status == 401;  // Somebody tries tokens.
  if (found.route && found.route->whom == net::Route::For::kAdmin && !found.for_nodes &&
      (changes || is_refused))
    Audit(request, found, id, response);
}

void RequestLog::Audit(const net::HttpRequest& request, const net::Routes::Found& found,
                       const std::string& id, const net::HttpResponse& response) const {
  const std::string tenant = TenantOf(request, found);
  const std::string code = response.status >= 400 ? net::ParseErrorResponse(response).code : "done";
  const std::string_view who = request.proven           ? "node"
                               : !asks_admins_          ? "open"
                               : response.status == 401 ? "nobody"
                                                        : "admin_token";
  log::Event(log::Level::kInfo, "audit",
             {{"id", std::string_view(id)},
              {"peer", std::string_view(request.peer.host)},
              {"who", who},
              {"method", std::string_view(request.method)},
              {"path", PathOf(request)},
              {"tenant", std::string_view(tenant)},
              {"status", StatusOf(response)},
              {"outcome", std::string_view(code)}});
}

}  // namespace tradewind::node
