#include "node/admin_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <map>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "move/receipt.h"
#include "node/admin_request.h"
#include "node/api_error.h"
#include "node/directory.h"
#include "node/drain.h"
#include "node/local_tenants.h"
#include "node/moves.h"
#include "node/placement.h"
#include "node/strangers.h"
#include "node/tenant_json.h"
#include "node/tenant_maker.h"
#include "node/tenant_sizes.h"
#include "runtime/fiber.h"

namespace tradewind::node {

namespace {

namespace json = boost::json;

net::HttpResponse Json(int status, const json::value& body) {
  return net::HttpResponse::Json(status, json::serialize(body));
}

net::HttpResponse NoContent() {
  net::HttpResponse response;
  response.status = 204;
  return response;
}

// Takes the first segment off a path: "/v1/tenants" gives "v1" and leaves "/tenants".
std::string_view TakeSegment(std::string_view& path) {
  path.remove_prefix(1);
  const std::string_view segment = path.substr(0, path.find('/'));
  path.remove_prefix(segment.size());
  return segment;
}

// Whether the path has the form of the pattern; what stands for '*' goes to `name`.
bool Matches(std::string_view pattern, std::string_view path, std::string& name) {
  while (pattern.starts_with('/') && path.starts_with('/')) {
    const std::string_view wanted = TakeSegment(pattern);
    const std::string_view found = TakeSegment(path);
    if (wanted == "*" && !found.empty())
      name = found;
    else if (wanted != found)
      return false;
  }
  return pattern.empty() && path.empty();
}

}  // namespace

// -- Finding the call

const std::vector<AdminApi::Route>& AdminApi::Routes() {
  static const std::vector<Route> routes = {
      {"POST", "/v1/tenants", &AdminApi::CreateTenant},
      {"GET", "/v1/tenants", &AdminApi::ListTenants},
      {"GET", "/v1/tenants/*", &AdminApi::ShowTenant},
      {"PATCH", "/v1/tenants/*", &AdminApi::SetTenant},
      {"DELETE", "/v1/tenants/*", &AdminApi::DeleteTenant},
      {"POST", "/v1/imports", &AdminApi::BeginImport},
      {"PUT", "/v1/imports/*", &AdminApi::WriteImport},
      {"DELETE", "/v1/imports/*", &AdminApi::DropImport},
      {"POST", "/v1/imports/*/commit", &AdminApi::CommitImport},
      {"POST", "/v1/exports", &AdminApi::BeginExport},
      {"GET", "/v1/exports/*", &AdminApi::ReadExport},
      {"DELETE", "/v1/exports/*", &AdminApi::DropExport},
      {"POST", "/v1/moves", &AdminApi::StartMove},
      {"GET", "/v1/moves", &AdminApi::ListMoves},
      {"GET", "/v1/moves/*", &AdminApi::ShowMove},
      {"PATCH", "/v1/moves/*", &AdminApi::SetMove},
      {"POST", "/v1/moves/*/cancel", &AdminApi::CancelMove},
      {"GET", "/v1/nodes", &AdminApi::ListNodes},
      {"DELETE", "/v1/nodes/*", &AdminApi::ForgetNode},
      {"POST", "/v1/nodes/*/drain", &AdminApi::StartDrain},
      {"GET", "/v1/nodes/*/drain", &AdminApi::ShowDrain},
      {"DELETE", "/v1/nodes/*/drain", &AdminApi::Undrain},
  };
  return routes;
}

// A body is JSON, but for the bytes of a file. What another node has sent on was looked at there.
Result<void> AdminApi::CheckBody(const Route& route, const net::HttpRequest& request) {
  if (route.run == &AdminApi::WriteImport || request.proven) return {};
  if (request.body.empty() && !request.headers.Has("content-type")) return {};
  return CheckJson(request, /*absent_is_fine=*/false);
}

bool AdminApi::Handles(const net::HttpRequest& request) const {
  static constexpr std::array<std::string_view, 5> kRoots = {"/v1/tenants", "/v1/imports", "/v1/exports",
                                                             "/v1/moves", "/v1/nodes"};
  const std::string_view path = request.path;
  return std::any_of(kRoots.begin(), kRoots.end(), [&](std::string_view root) {
    return path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/');
  });
}

net::HttpResponse AdminApi::Handle(const net::HttpRequest& request) {
  std::string allowed;
  Call call{request, {}};
  for (const Route& route : Routes()) {
    if (!Matches(route.path, request.path, call.name)) continue;
    if (route.method == request.method) {
      if (const auto readable = CheckBody(route, request); !readable) {
        net::HttpResponse refusal = ErrorResponse(readable.error());
        refusal.status = 415;
        return refusal;
      }
      Answer answer = (this->*route.run)(call);
      return answer ? *std::move(answer) : ErrorResponse(answer.error());
    }
    allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
  }
  if (allowed.empty())
    return ErrorResponse({ErrorKind::kNotFound, "PATH_NOT_FOUND", "there is nothing at " + request.path, ""});
  net::HttpResponse response =
      ErrorResponse({ErrorKind::kInvalid, "METHOD_NOT_ALLOWED",
                     fmt::format("{} is no method of {}", request.method, request.path), "use " + allowed});
  response.status = 405;
  response.headers.Set("Allow", allowed);
  return response;
}

// -- Tenants

net::HttpResponse AdminApi::ShowHere(int status, const cluster::TenantRecord& record) {
  std::optional<TenantSize> size;
  if (const auto tenant = parts_.tenants.Find(record.name))
    size = SizeOf((*tenant)->store());
  else
    log::warn("the size of tenant {} is not known: {}", record.name, Describe(tenant.error()));
  return Json(status, TenantJson(record, size));
}

Result<NodeName> AdminApi::HomeOf(const std::optional<NodeName>& wanted, const Call& call) {
  if (wanted && *wanted != context_.self) return *wanted;
  if (!parts_.drain.draining()) return context_.self;
  // What was sent here is not sent on, be it that this node was chosen a moment too late.
  if (wanted || IsForwarded(call.request))
    return Fail(ErrorKind::kRefused, "NODE_DRAINING",
                "node " + context_.self + " is being drained, and takes no tenants", "name another node");
  TW_TRY_ASSIGN(auto places, LookAtNodes(context_, parts_.forwarding));
  const NodePlace* place = ChoosePlace(places);
  if (!place || place->name == context_.self)
    return Fail(ErrorKind::kUnavailable, "NO_NODE_TAKES_TENANTS",
                "node " + context_.self + " is being drained, and no other node is up that is not",
                "start another node, or see tradewind node list");
  return place->name;
}

Answer AdminApi::CreateTenant(const Call& call) {
  TW_TRY_ASSIGN(const CreateTenantRequest request, ParseCreateTenant(call.request.body));
  TW_TRY_ASSIGN(const NodeName home, HomeOf(request.node, call));
  return parts_.forwarding.AtNode(home, call.request, limits::kForwardedCall, [&]() -> Answer {
    TW_TRY_ASSIGN(const auto record, parts_.maker.Create(request.name, ""));
    return ShowHere(201, record);
  });
}

Answer AdminApi::ListTenants(const Call&) {
  TW_TRY_ASSIGN(const auto records, context_.catalog.ListTenants());
  const TenantSizes sizes = SizesEverywhere(context_, parts_.directory, parts_.tenants, records);
  json::array tenants;
  for (const cluster::TenantRecord& record : records) {
    const auto size = sizes.find(record.name);
    tenants.push_back(TenantJson(record, size == sizes.end() ? std::optional<TenantSize>() : size->second));
    if (tenants.size() % 64 == 0) runtime::Yield();
  }
  return Json(200, json::object{{"tenants", std::move(tenants)}});
}

Answer AdminApi::ShowTenant(const Call& call) {
  Answer answer = parts_.forwarding.AtOwner(
      call.name, call.request, limits::kNodeCall,
      [&](const cluster::TenantRecord& record) -> Answer { return ShowHere(200, record); });
  const bool away =
      !answer && (answer.error().code == kPeerUnreachableCode || answer.error().code == "PEER_ANSWER_LOST");
  if (!away || IsForwarded(call.request)) return answer;
  // What the catalog knows is worth showing also when the owner is down.
  TW_TRY_ASSIGN(const auto record, context_.catalog.GetTenant(call.name));
  json::object tenant = TenantJson(record, std::nullopt);
  tenant["state"] = "unreachable";
  return Json(200, tenant);
}

Answer AdminApi::SetTenant(const Call& call) {
  TW_TRY_ASSIGN(const auto objective, ParseSetTenant(call.request.body));
  return parts_.forwarding.AtOwner(
      call.name, call.request, limits::kForwardedCall, [&](const cluster::TenantRecord& record) -> Answer {
        TW_TRY_ASSIGN(const auto changed,
                      context_.catalog.SetObjective(record.name, objective ? pace::ToText(*objective) : ""));
        return ShowHere(200, changed);
      });
}

Answer AdminApi::DeleteTenant(const Call& call) {
  return parts_.forwarding.AtOwner(call.name, call.request, limits::kForwardedCall,
                                   [&](const cluster::TenantRecord& record) -> Answer {
                                     TW_TRY(parts_.maker.Delete(record.name));
                                     return NoContent();
                                   });
}

// -- Imports and exports

Answer AdminApi::AtHolder(const Call& call, runtime::Duration patience, const std::function<Answer()>& here) {
  const std::optional<NodeName> holder = Transfers::HolderOf(call.name);
  if (!holder)
    return Fail(ErrorKind::kNotFound, "TRANSFER_NOT_FOUND", "'" + call.name + "' is no import or export");
  return parts_.forwarding.AtNode(*holder, call.request, patience, here);
}

Answer AdminApi::BeginImport(const Call& call) {
  TW_TRY_ASSIGN(const ImportRequest request, ParseImport(call.request.body));
  TW_TRY_ASSIGN(const NodeName home, HomeOf(request.node, call));
  return parts_.forwarding.AtNode(home, call.request, limits::kForwardedCall, [&]() -> Answer {
    TW_TRY_ASSIGN(const std::string id, parts_.transfers.BeginImport(request.tenant, request.size_bytes));
    return Json(201, json::object{{"id", id}, {"chunk_bytes", limits::kTransferChunkBytes}});
  });
}

Answer AdminApi::WriteImport(const Call& call) {
  TW_TRY_ASSIGN(const uint64_t offset, QueryNumber(call.request, "offset"));
  return AtHolder(call, limits::kTransferCall, [&]() -> Answer {
    TW_TRY(parts_.transfers.Write(call.name, offset, call.request.body));
    return NoContent();
  });
}

Answer AdminApi::CommitImport(const Call& call) {
  TW_TRY(ParseNothing(call.request.body));
  return AtHolder(call, limits::kTransferCall, [&]() -> Answer {
    TW_TRY_ASSIGN(const auto record, parts_.transfers.Commit(call.name));
    return ShowHere(201, record);
  });
}

Answer AdminApi::DropImport(const Call& call) {
  return AtHolder(call, limits::kForwardedCall, [&]() -> Answer {
    TW_TRY(parts_.transfers.Drop(Transfers::Kind::kImport, call.name));
    return NoContent();
  });
}

Answer AdminApi::BeginExport(const Call& call) {
  TW_TRY_ASSIGN(const TenantName tenant, ParseExport(call.request.body));
  return parts_.forwarding.AtOwner(
      tenant, call.request, limits::kTransferCall, [&](const cluster::TenantRecord& record) -> Answer {
        TW_TRY_ASSIGN(const auto begun, parts_.transfers.BeginExport(record.name));
        return Json(201, json::object{{"id", begun.id},
                                      {"size_bytes", begun.size_bytes},
                                      {"chunk_bytes", limits::kTransferChunkBytes}});
      });
}

Answer AdminApi::ReadExport(const Call& call) {
  TW_TRY_ASSIGN(const uint64_t offset, QueryNumber(call.request, "offset", 0));
  TW_TRY_ASSIGN(const uint64_t length, QueryNumber(call.request, "length", limits::kTransferChunkBytes));
  return AtHolder(call, limits::kTransferCall, [&]() -> Answer {
    TW_TRY_ASSIGN(std::string bytes, parts_.transfers.Read(call.name, offset, length));
    net::HttpResponse response;
    response.headers.Set("Content-Type", "application/octet-stream");
    response.body = std::move(bytes);
    return response;
  });
}

Answer AdminApi::DropExport(const Call& call) {
  return AtHolder(call, limits::kForwardedCall, [&]() -> Answer {
    TW_TRY(parts_.transfers.Drop(Transfers::Kind::kExport, call.name));
    return NoContent();
  });
}

// -- Moves

Answer AdminApi::StartMove(const Call& call) {
  TW_TRY_ASSIGN(const MoveRequest request, ParseMove(call.request.body));
  return parts_.forwarding.AtOwner(request.tenant, call.request, limits::kForwardedCall,
                                   [&](const cluster::TenantRecord&) -> Answer {
                                     TW_TRY_ASSIGN(const move::Receipt receipt, parts_.moves.Start(request));
                                     return net::HttpResponse::Json(202, move::ToJson(receipt));
                                   });
}

Answer AdminApi::ListMoves(const Call&) {
  return move_calls_.List();
}

Answer AdminApi::ShowMove(const Call& call) {
  return move_calls_.Show(call.request, call.name);
}

Answer AdminApi::CancelMove(const Call& call) {
  return move_calls_.Cancel(call.request, call.name);
}

Answer AdminApi::SetMove(const Call& call) {
  return move_calls_.Set(call.request, call.name);
}

// -- Nodes

Answer AdminApi::ListNodes(const Call&) {
  TW_TRY_ASSIGN(const auto places, LookAtNodes(context_, parts_.forwarding));
  json::array list;
  for (const NodePlace& place : places)
    list.push_back(
        json::object{{"name", place.name},
                     {"url", place.url},
                     {"state", place.up ? "up" : "unreachable"},
                     {"draining", place.draining},
                     {"sqlite", place.sqlite == 0 ? json::value(nullptr)
                                                  : json::value(cluster::SqliteVersionText(place.sqlite))},
                     {"tenants", place.tenants}});
  return Json(200, json::object{{"nodes", std::move(list)}});
}

// ?tenants=delete: with the tenants that it has. A node that runs would go on serving them.
Answer AdminApi::ForgetNode(const Call& call) {
  TW_TRY(ParseNothing(call.request.body));
  bool delete_tenants = false;
  for (const auto& [name, value] : call.request.query) {
    if (name != "tenants" || value != "delete")
      return Fail(ErrorKind::kInvalid, "QUERY_INVALID",
                  "the query of this call has something else than tenants=delete", "leave it out");
    delete_tenants = true;
  }
  TW_TRY_ASSIGN(const auto places, LookAtNodes(context_, parts_.forwarding));
  for (const NodePlace& place : places)
    if (place.name == call.name && place.up)
      return Fail(ErrorKind::kRefused, "NODE_RUNS", "node " + call.name + " runs, at " + place.url,
                  "move its tenants off with: tradewind node drain " + call.name + " --wait; and stop it");
  TW_TRY_ASSIGN(const uint64_t deleted, context_.catalog.ForgetNode(call.name, delete_tenants));
  log::warn("node {} is forgotten, and {} tenants with it", call.name, deleted);
  return Json(200, json::object{{"name", call.name}, {"deleted_tenants", deleted}});
}

Answer AdminApi::StartDrain(const Call& call) {
  TW_TRY_ASSIGN(const DrainRequest request, ParseDrain(call.request.body));
  return parts_.forwarding.AtNode(call.name, call.request, limits::kForwardedCall, [&]() -> Answer {
    TW_TRY(parts_.drain.Start(request));
    return net::HttpResponse::Json(202, ToJson(parts_.drain.progress()));
  });
}

Answer AdminApi::ShowDrain(const Call& call) {
  return parts_.forwarding.AtNode(call.name, call.request, limits::kNodeCall, [&]() -> Answer {
    return net::HttpResponse::Json(200, ToJson(parts_.drain.progress()));
  });
}

Answer AdminApi::Undrain(const Call& call) {
  TW_TRY(ParseNothing(call.request.body));
  return parts_.forwarding.AtNode(call.name, call.request, limits::kForwardedCall, [&]() -> Answer {
    TW_TRY(parts_.drain.Undrain());
    return net::HttpResponse::Json(200, ToJson(parts_.drain.progress()));
  });
}

}  // namespace tradewind::node
