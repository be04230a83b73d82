#include "catalog/catalog_service.h"

#include <array>
#include <utility>

#include "base/limits.h"
#include "catalog/catalog_json.h"
#include "catalog/remote_catalog.h"

namespace tradewind::catalog {

namespace {

constexpr std::string_view kCatalogPath = "/v1/internal/catalog/";

using boost::json::value;

// The answer of a call: what it returned as JSON, null when that is nothing.
template <typename T>
Result<value> Answer(Result<T> result) {
  if (!result) return Fail(std::move(result).error());
  if constexpr (std::is_void_v<T>)
    return value(nullptr);
  else
    return value(ToJson(*result));
}

Result<value> RegisterNode(Catalog& catalog, const JsonObject& request) {
  Registration registration;
  TW_TRY(FromJson(request, registration));
  return Answer(catalog.RegisterNode(registration));
}

Result<value> SetDraining(Catalog& catalog, const JsonObject& request) {
  TW_TRY_ASSIGN(const std::string name, TextField(request, "name"));
  TW_TRY_ASSIGN(const bool draining, BooleanField(request, "draining"));
  return Answer(catalog.SetDraining(name, draining));
}

Result<value> Nodes(Catalog& catalog, const JsonObject&) {
  return Answer(catalog.Nodes());
}

Result<value> ForgetNode(Catalog& catalog, const JsonObject& request) {
  TW_TRY_ASSIGN(const std::string name, TextField(request, "name"));
  TW_TRY_ASSIGN(const bool delete_tenants, BooleanField(request, "delete_tenants"));
  TW_TRY_ASSIGN(const uint64_t deleted, catalog.ForgetNode(name, delete_tenants));
  return value(static_cast<int64_t>(deleted));
}

Result<value> CreateTenant(Catalog& catalog, const JsonObject& request) {
  TW_TRY_ASSIGN(const std::string name, TextField(request, "name"));
  TW_TRY_ASSIGN(const std::string engine, TextField(request, "engine"));
  TW_TRY_ASSIGN(const std::string owner, TextField(request, "owner"));
  return Answer(catalog.CreateTenant(name, engine, owner));
}

Result<value> GetTenant(Catalog& catalog, const JsonObject& request) {
  TW_TRY_ASSIGN(const std::string name, TextField(request, "name"));
  return Answer(catalog.GetTenant(name));
}

Result<value> ListTenants(Catalog& catalog, const JsonObject&) {
  return Answer(catalog.ListTenants());
}

Result<value> ListObjectives(Catalog& catalog, const JsonObject&) {
  return Answer(catalog.ListObjectives());
}

Result<value> SetObjective(Catalog& catalog, const JsonObject& request) {
  TW_TRY_ASSIGN(const std::string name, TextField(request, "name"));
  TW_TRY_ASSIGN(const std::string objective, TextField(request, "objective"));
  return Answer(catalog.SetObjective(name, objective));
}

Result<value> ListQuotas(Catalog& catalog, const JsonObject&) {
  return Answer(catalog.ListQuotas());
}

Result<value> SetQuotas(Catalog& catalog, const JsonObject& request) {
  TW_TRY_ASSIGN(const std::string name, TextField(request, "name"));
  TW_TRY_ASSIGN(const std::string quotas, TextField(request, "quotas"));
  return Answer(catalog.SetQuotas(name, quotas));
}

Result<value> TenantCounts(Catalog& catalog, const JsonObject&) {
  TW_TRY_ASSIGN(const auto counts, catalog.TenantCounts());
  JsonObject object;
  for (const auto& [name, count] : counts) object[name] = static_cast<int64_t>(count);
  return value(std::move(object));
}

Result<value> DeleteTenant(Catalog& catalog, const JsonObject& request) {
  TW_TRY_ASSIGN(const std::string name, TextField(request, "name"));
  Ownership expected;
  TW_TRY(FromJson(request, expected));
  return Answer(catalog.DeleteTenant(name, expected));
}

Result<value> DeleteInMove(Catalog& catalog, const JsonObject& request) {
  TW_TRY_ASSIGN(const std::string name, TextField(request, "name"));
  TW_TRY_ASSIGN(const std::string move, TextField(request, "move"));
  Ownership expected;
  TW_TRY(FromJson(request, expected));
  return Answer(catalog.DeleteInMove(name, expected, move));
}

Result<value> Swap(Catalog& catalog, const JsonObject& request) {
  TW_TRY_ASSIGN(const std::string name, TextField(request, "name"));
  TW_TRY_ASSIGN(const std::string to, TextField(request, "to"));
  TW_TRY_ASSIGN(const std::string move, TextField(request, "move"));
  Ownership from;
  TW_TRY(FromJson(request, from));
  return Answer(catalog.Swap(name, from, to, move));
}

Result<value> Fence(Catalog& catalog, const JsonObject& request) {
  TW_TRY_ASSIGN(const std::string name, TextField(request, "name"));
  TW_TRY_ASSIGN(const std::string move, TextField(request, "move"));
  Ownership from;
  TW_TRY(FromJson(request, from));
  return Answer(catalog.Fence(name, from, move));
}

Result<value> BeginMove(Catalog& catalog, const JsonObject& request) {
  MoveRecord move;
  TW_TRY(FromJson(request, move));
  return Answer(catalog.BeginMove(move));
}

Result<value> SetMoveState(Catalog& catalog, const JsonObject& request) {
  TW_TRY_ASSIGN(const std::string id, TextField(request, "id"));
  TW_TRY_ASSIGN(const MoveState from, StateField(request, "from"));
  TW_TRY_ASSIGN(const MoveState to, StateField(request, "to"));
  TW_TRY_ASSIGN(const std::string receipt, TextField(request, "receipt"));
  return Answer(catalog.SetMoveState(id, from, to, receipt));
}

Result<value> SaveReceipt(Catalog& catalog, const JsonObject& request) {
  TW_TRY_ASSIGN(const std::string id, TextField(request, "id"));
  TW_TRY_ASSIGN(const std::string receipt, TextField(request, "receipt"));
  return Answer(catalog.SaveReceipt(id, receipt));
}

Result<value> SetMoveOptions(Catalog& catalog, const JsonObject& request) {
  TW_TRY_ASSIGN(const std::string id, TextField(request, "id"));
  TW_TRY_ASSIGN(const std::string options, TextField(request, "options"));
  return Answer(catalog.SetMoveOptions(id, options));
}

Result<value> GetMove(Catalog& catalog, const JsonObject& request) {
  TW_TRY_ASSIGN(const std::string id, TextField(request, "id"));
  return Answer(catalog.GetMove(id));
}

Result<value> ListMoves(Catalog& catalog, const JsonObject&) {
  return Answer(catalog.ListMoves());
}

Result<value> ListLiveMoves(Catalog& catalog, const JsonObject&) {
  return Answer(catalog.ListLiveMoves());
}

struct Operation {
  std::string_view name;
  Result<value> (*run)(Catalog&, const JsonObject&);
};
constexpr std::array kOperations = {
    Operation{"register-node", RegisterNode},
    Operation{"set-draining", SetDraining},
    Operation{"nodes", Nodes},
    Operation{"forget-node", ForgetNode},
    Operation{"create-tenant", CreateTenant},
    Operation{"tenant", GetTenant},
    Operation{"tenants", ListTenants},
    Operation{"objectives", ListObjectives},
    Operation{"set-objective", SetObjective},
    Operation{"quotas", ListQuotas},
    Operation{"set-quotas", SetQuotas},
    Operation{"tenant-counts", TenantCounts},
    Operation{"delete-tenant", DeleteTenant},
    Operation{"delete-in-move", DeleteInMove},
    Operation{"swap", Swap},
    Operation{"fence", Fence},
    Operation{"begin-move", BeginMove},
    Operation{"set-move-state", SetMoveState},
    Operation{"save-receipt", SaveReceipt},
    Operation{"set-move-options", SetMoveOptions},
    Operation{"move", GetMove},
    Operation{"moves", ListMoves},
    Operation{"live-moves", ListLiveMoves},
};

Result<value> Run(Catalog& catalog, std::string_view operation, std::string_view request) {
  TW_TRY_ASSIGN(const JsonObject arguments, ParseObject(request));
  for (const Operation& known : kOperations)
    if (known.name == operation) return known.run(catalog, arguments);
  return Fail(ErrorKind::kInvalid, "OPERATION_UNKNOWN",
              "the catalog has no operation '" + std::string(operation) + "'",
              "run the same version of tradewind on every node");
}

}  // namespace

std::string AnswerCatalogCall(Catalog& catalog, std::string_view operation, std::string_view request) {
  Result<value> result = Run(catalog, operation, request);
  if (!result) return boost::json::serialize(JsonObject{{"error", ToJson(result.error())}});
  return boost::json::serialize(JsonObject{{"result", std::move(*result)}});
}

void AddCatalogRoute(net::Routes& routes, Catalog* catalog) {
  const auto answer = [catalog](const net::Call& call) -> net::Answer {
    if (catalog)
      return net::HttpResponse::Json(200, AnswerCatalogCall(*catalog, call.name, call.request.body));
    return Fail(ErrorKind::kInvalid, "NOT_THE_CATALOG", "this node does not host the catalog",
                "give --join the URL of the first node");
  };
  routes.Add({"POST", std::string(kCatalogPath) + "*", answer, net::Route::Body::kAnything,
              catalog ? net::Route::Needs::kNothing : net::Route::Needs::kServing});
}

std::unique_ptr<Catalog> CatalogAt(runtime::Core& core, net::HttpClient& client, std::string url) {
  return std::make_unique<RemoteCatalog>(
      [&core, &client, url = std::move(url)](std::string_view operation,
                                             std::string body) -> Result<std::string> {
        net::HttpRequest request;
        request.method = "POST";
        request.body = std::move(body);
        request.headers.Set("content-type", "application/json");
        TW_TRY_ASSIGN(const auto answer, client.Call(url + std::string(kCatalogPath) + std::string(operation),
                                                     std::move(request), core.Now() + limits::kNodeCall));
        if (answer.status == 200) return answer.body;
        return Fail(ErrorKind::kUnavailable, "CATALOG_UNAVAILABLE",
                    "the catalog's node at " + url + " answered " + std::to_string(answer.status));
      });
}

}  // namespace tradewind::catalog
