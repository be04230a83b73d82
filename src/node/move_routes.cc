#include "node/move_routes.h"

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "move/core_answer.h"
#include "net/upgrade_on.h"
#include "runtime/call_on.h"

namespace tradewind::node {

namespace {

// Absent, as earlier versions ask: core 0.
std::optional<size_t> CoreIn(const net::HttpRequest& request) {
  const auto found = request.query.find("core");
  if (found == request.query.end()) return 0;
  const std::string_view text = found->second;
  size_t core = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), core);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return core;
}

}  // namespace

void MoveRoutes::AddTo(net::Routes& routes) {
  routes.Add({"POST", std::string(move::kCorePath),
              [this](const net::Call& call) { return CoreFor(call.request); }, net::Route::Body::kAnything});
  routes.Add({"GET", std::string(move::kLinkPath),
              [this](const net::Call& call) { return OpenLane(call.request); }, net::Route::Body::kAnything});
}

net::Answer MoveRoutes::CoreFor(const net::HttpRequest& request) {
  if (!IsValidName(request.body))
    return Fail(ErrorKind::kInvalid, "NAME_INVALID", "that is no name for a tenant");
  return net::HttpResponse::Json(
      200, move::Encode(move::CoreAnswer{tenants_.HomeFor(TenantName(request.body)), parts_.size()}));
}

net::Answer MoveRoutes::OpenLane(const net::HttpRequest& request) {
  const auto core = CoreIn(request);
  if (!core || *core >= parts_.size())
    return Fail(ErrorKind::kInvalid, "LINK_INVALID", "this node has no such core",
                "ask it again which it is");
  CoreParts& parts = *parts_[*core];
  net::Answer answer = runtime::CallOn(parts.core(), [&] { return parts.links().Accept(request); });
  if (answer && answer->upgrade) net::RunUpgradeOn(parts.core(), *answer);
  return answer;
}

}  // namespace tradewind::node
