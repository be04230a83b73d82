#include "admin/admin_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <map>
#include <optional>
#include <utility>

#include "admin/admin_request.h"
#include "admin/core_change.h"
#include "admin/tenant_json.h"
#include "admin/tenant_maker.h"
#include "admin/tenant_sizes.h"
#include "balance/drain.h"
#include "balance/placement.h"
#include "base/limits.h"
#include "base/log.h"
#include "catalog/directory.h"
#include "mariadb/hosted_instance.h"
#include "mariadb/tenant_account.h"
#include "move/moves.h"
#include "move/receipt.h"
#include "net/api_error.h"
#include "runtime/fiber.h"

namespace tradewind::admin {

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

}  // namespace

void AdminApi::AddRoutes(net::Routes& routes) {
  using Body = net::Route::Body;
  const auto add = [&](std::string_view method, std::string path, net::Answer (AdminApi::*run)(const Call&),
                       Body body = Body::kJson) {
    routes.Add({method, std::move(path), [this, run](const Call& call) { return (this->*run)(call); }, body});
  };
  add("POST", "/v1/tenants", &AdminApi::CreateTenant);
  add("GET", "/v1/tenants", &AdminApi::ListTenants);
  add("GET", "/v1/tenants/*", &AdminApi::ShowTenant);
  add("PATCH", "/v1/tenants/*", &AdminApi::SetTenant);
  add("DELETE", "/v1/tenants/*", &AdminApi::DeleteTenant);
  add("POST", "/v1/tenants/*/reset-password", &AdminApi::ResetPassword);
  add("POST", "/v1/imports", &AdminApi::BeginImport);
  add("PUT", "/v1/imports/*", &AdminApi::WriteImport, Body::kAnything);
  add("DELETE", "/v1/imports/*", &AdminApi::DropImport);
  add("POST", "/v1/imports/*/commit", &AdminApi::CommitImport);
  add("POST", "/v1/exports", &AdminApi::BeginExport);
  add("GET", "/v1/exports/*", &AdminApi::ReadExport);
  add("DELETE", "/v1/exports/*", &AdminApi::DropExport);
  add("POST", "/v1/catalog/backup", &AdminApi::BackUpCatalog);
  add("POST", "/v1/moves", &AdminApi::StartMove);
  add("GET", "/v1/moves", &AdminApi::ListMoves);
  add("GET", "/v1/moves/*", &AdminApi::ShowMove);
  add("PATCH", "/v1/moves/*", &AdminApi::SetMove);
  add("POST", "/v1/moves/*/cancel", &AdminApi::CancelMove);
  add("GET", "/v1/nodes", &AdminApi::ListNodes);
  add("DELETE", "/v1/nodes/*", &AdminApi::ForgetNode);
  add("POST", "/v1/nodes/*/drain", &AdminApi::StartDrain);
  add("GET", "/v1/nodes/*/drain", &AdminApi::ShowDrain);
  add("DELETE", "/v1/nodes/*/drain", &AdminApi::Undrain);
  routes.Add({"GET", std::string(kSizesPath),
              [this](const Call&) -> net::Answer {
                return net::HttpResponse::Json(200, EncodeSizes(SizesHere(parts_.tenants)));
              },
              Body::kAnything});
}

// -- Tenants

json::object AdminApi::ShowTenantHere(const catalog::TenantRecord& record) {
  const auto size =
      parts_.tenants.At(record.name, [&](gateway::CoreTenants& home) -> std::optional<TenantSize> {
        const auto tenant = home.tenants.Find(record.name);
        if (tenant) return tenant->hosted().Size();
        log::warn("the size of tenant {} is not known: {}", record.name, Describe(tenant.error()));
        return std::nullopt;
      });
  json::object tenant = TenantJson(record, size);
  tenant["core"] = parts_.tenants.HomeOf(record.name);
  return tenant;
}

net::HttpResponse AdminApi::ShowHere(int status, const catalog::TenantRecord& record) {
  return Json(status, ShowTenantHere(record));
}

Result<NodeName> AdminApi::HomeOf(const std::optional<NodeName>& wanted, const Call& call) {
  if (wanted && *wanted != member_.self) return *wanted;
  if (!parts_.drain.draining()) return member_.self;
  // Never forward twice, even if this node began draining meanwhile.
  if (wanted || gateway::IsForwarded(call.request))
    return Fail(ErrorKind::kRefused, "NODE_DRAINING",
                "node " + member_.self + " is being drained, and takes no tenants", "name another node");
  TW_TRY_ASSIGN(auto places, balance::FetchPlaces(member_, parts_.forwarding));
  const balance::NodePlace* place = balance::ChoosePlace(places);
  if (!place || place->name == member_.self)
    return Fail(ErrorKind::kUnavailable, "NO_NODE_TAKES_TENANTS",
                "node " + member_.self + " is being drained, and no other node is up that is not",
                "start another node, or see tradewind node list");
  return place->name;
}

net::Answer AdminApi::CreateTenant(const Call& call) {
  TW_TRY_ASSIGN(const CreateTenantRequest request, ParseCreateTenant(call.request.body));
  TW_TRY_ASSIGN(const NodeName home, HomeOf(request.node, call));
  return parts_.forwarding.AtNode(home, call.request, limits::kForwardedCall, [&]() -> net::Answer {
    TW_TRY_ASSIGN(const auto record, parts_.maker.Create(request.name, "", request.engine));
    return ShowMade(record);
  });
}

namespace {

// Of a tenant of this node, as `change` makes or changes it. Suspends.
template <typename Change>
Result<mariadb::TenantAccount> AccountOf(gateway::NodeTenants& tenants, const TenantName& name,
                                         const Change& change) {
  return tenants.At(name, [&](gateway::CoreTenants& home) -> Result<mariadb::TenantAccount> {
    TW_TRY_ASSIGN(const auto use, home.tenants.Find(name));
    return change(home.core, mariadb::AsInstance(use.hosted()),
                  home.core.Now() + limits::kInstanceFirstAnswer);
  });
}

}  // namespace

net::Answer AdminApi::ShowMade(const catalog::TenantRecord& record) {
  if (record.engine != mariadb::kMariadbEngine) return ShowHere(201, record);
  auto account = AccountOf(parts_.tenants, record.name, mariadb::MakeAccount);
  if (account) return ShowAccount(record, *account);
  // Its maker is told that it was not made. One of that name that was made since is somebody else's.
  const auto dropped = parts_.maker.Delete(record.name, record.ownership.epoch);
  if (!dropped && dropped.error().kind != ErrorKind::kNotFound)
    log::warn("tenant {} has no account, and is not deleted: {}", record.name, Describe(dropped.error()));
  return Fail(std::move(account).error());
}

// The one time that the password is shown.
net::Answer AdminApi::ShowAccount(const catalog::TenantRecord& record,
                                  const mariadb::TenantAccount& account) {
  json::object tenant = ShowTenantHere(record);
  tenant["database"] = account.database;
  tenant["user"] = account.user;
  tenant["password"] = account.password;
  return Json(201, tenant);
}

// Also for who saw no answer when it was made.
net::Answer AdminApi::ResetPassword(const Call& call) {
  TW_TRY(ParseNothing(call.request.body));
  return parts_.forwarding.AtOwner(
      call.name, call.request, limits::kForwardedCall,
      [&](const catalog::TenantRecord& record) -> net::Answer {
        if (record.engine != mariadb::kMariadbEngine)
          return Fail(ErrorKind::kRefused, "TENANT_HAS_NO_PASSWORD",
                      "tenant " + record.name + " is of the engine " + record.engine +
                          ", whose clients show a token and no password",
                      "make a token with: tradewind token create");
        TW_TRY_ASSIGN(const auto account, AccountOf(parts_.tenants, record.name, mariadb::ResetPassword));
        return ShowAccount(record, account);
      });
}

net::Answer AdminApi::ListTenants(const Call&) {
  TW_TRY_ASSIGN(const auto records, member_.catalog.ListTenants());
  const TenantSizes sizes = SizesEverywhere(member_, parts_.directory, parts_.tenants, records);
  json::array tenants;
  for (const catalog::TenantRecord& record : records) {
    const auto size = sizes.find(record.name);
    tenants.push_back(TenantJson(record, size == sizes.end() ? std::optional<TenantSize>() : size->second));
    if (tenants.size() % 64 == 0) runtime::Yield();
  }
  return Json(200, json::object{{"tenants", std::move(tenants)}});
}

net::Answer AdminApi::ShowTenant(const Call& call) {
  net::Answer answer = parts_.forwarding.AtOwner(
      call.name, call.request, limits::kNodeCall,
      [&](const catalog::TenantRecord& record) -> net::Answer { return ShowHere(200, record); });
  const bool away = !answer && (answer.error().code == gateway::kPeerUnreachableCode ||
                                answer.error().code == "PEER_ANSWER_LOST");
  if (!away || gateway::IsForwarded(call.request)) return answer;
  // What the catalog knows is worth showing also when the owner is down.
  TW_TRY_ASSIGN(const auto record, member_.catalog.GetTenant(call.name));
  json::object tenant = TenantJson(record, std::nullopt);
  tenant["state"] = "unreachable";
  return Json(200, tenant);
}

net::Answer AdminApi::SetTenant(const Call& call) {
  TW_TRY_ASSIGN(const SetTenantRequest set, ParseSetTenant(call.request.body));
  return parts_.forwarding.AtOwner(
      call.name, call.request, limits::kForwardedCall,
      [&](const catalog::TenantRecord& record) -> net::Answer {
        if (set.core) TW_TRY(parts_.core_change.PinTo(record.name, *set.core));
        catalog::TenantRecord changed = record;
        if (!set.quotas.empty()) {
          TW_TRY_ASSIGN(changed, SetQuotas(record, set));
        }
        if (!set.sets_latency) return ShowHere(200, changed);
        TW_TRY_ASSIGN(changed, member_.catalog.SetObjective(record.name,
                                                            set.latency ? pace::ToText(*set.latency) : ""));
        return ShowHere(200, changed);
      });
}

Result<catalog::TenantRecord> AdminApi::SetQuotas(const catalog::TenantRecord& record,
                                                  const SetTenantRequest& set) {
  TW_TRY_ASSIGN(tenant::Quotas quotas, tenant::ParseQuotas(record.quotas));
  for (const auto& [field, value] : set.quotas) TW_TRY(tenant::Change(quotas, field, value));
  TW_TRY(tenant::Check(quotas));
  // What would not be held is not taken.
  if (record.engine == mariadb::kMariadbEngine &&
      (quotas.size_bytes.value_or(0) != 0 || quotas.memory_bytes.value_or(0) != 0 ||
       quotas.cpu_percent.value_or(0) != 0))
    return Fail(ErrorKind::kRefused, "QUOTA_NOT_HELD",
                "a quota of size, memory or its core is not held for a tenant of the engine " + record.engine,
                "bound its streams, requests and statement time; and its disk by the file system of the "
                "node's folder");
  TW_TRY_ASSIGN(auto changed, member_.catalog.SetQuotas(record.name, tenant::ToText(quotas)));
  parts_.tenants.At(record.name,
                    [&](gateway::CoreTenants& home) { home.tenants.SetQuotas(record.name, quotas); });
  return changed;
}

net::Answer AdminApi::DeleteTenant(const Call& call) {
  return parts_.forwarding.AtOwner(call.name, call.request, limits::kForwardedCall,
                                   [&](const catalog::TenantRecord& record) -> net::Answer {
                                     TW_TRY(parts_.maker.Delete(record.name));
                                     return NoContent();
                                   });
}

// -- Imports and exports

net::Answer AdminApi::AtHolder(const Call& call, runtime::Duration patience,
                               const std::function<net::Answer()>& here) {
  const std::optional<NodeName> holder = Transfers::HolderOf(call.name);
  if (!holder)
    return Fail(ErrorKind::kNotFound, "TRANSFER_NOT_FOUND", "'" + call.name + "' is no import or export");
  return parts_.forwarding.AtNode(*holder, call.request, patience, here);
}

net::Answer AdminApi::BeginImport(const Call& call) {
  TW_TRY_ASSIGN(const ImportRequest request, ParseImport(call.request.body));
  TW_TRY_ASSIGN(const NodeName home, HomeOf(request.node, call));
  return parts_.forwarding.AtNode(home, call.request, limits::kForwardedCall, [&]() -> net::Answer {
    TW_TRY_ASSIGN(const std::string id,
                  parts_.transfers.BeginImport(request.tenant, request.size_bytes, request.engine));
    return Json(201, json::object{{"id", id}, {"chunk_bytes", limits::kTransferChunkBytes}});
  });
}

net::Answer AdminApi::WriteImport(const Call& call) {
  TW_TRY_ASSIGN(const uint64_t offset, QueryNumber(call.request, "offset"));
  return AtHolder(call, limits::kTransferCall, [&]() -> net::Answer {
    TW_TRY(parts_.transfers.Write(call.name, offset, call.request.body));
    return NoContent();
  });
}

net::Answer AdminApi::CommitImport(const Call& call) {
  TW_TRY(ParseNothing(call.request.body));
  return AtHolder(call, limits::kTransferCall, [&]() -> net::Answer {
    TW_TRY_ASSIGN(const auto record, parts_.transfers.Commit(call.name));
    return ShowMade(record);
  });
}

net::Answer AdminApi::DropImport(const Call& call) {
  return AtHolder(call, limits::kForwardedCall, [&]() -> net::Answer {
    TW_TRY(parts_.transfers.Drop(Transfers::Kind::kImport, call.name));
    return NoContent();
  });
}

net::Answer AdminApi::BeginExport(const Call& call) {
  TW_TRY_ASSIGN(const TenantName tenant, ParseExport(call.request.body));
  return parts_.forwarding.AtOwner(
      tenant, call.request, limits::kTransferCall, [&](const catalog::TenantRecord& record) -> net::Answer {
        TW_TRY_ASSIGN(const auto begun, parts_.transfers.BeginExport(record.name));
        return Json(201, json::object{{"id", begun.id},
                                      {"size_bytes", begun.size_bytes},
                                      {"chunk_bytes", limits::kTransferChunkBytes}});
      });
}

net::Answer AdminApi::ReadExport(const Call& call) {
  TW_TRY_ASSIGN(const uint64_t offset, QueryNumber(call.request, "offset", 0));
  TW_TRY_ASSIGN(const uint64_t length, QueryNumber(call.request, "length", limits::kTransferChunkBytes));
  return AtHolder(call, limits::kTransferCall, [&]() -> net::Answer {
    TW_TRY_ASSIGN(std::string bytes, parts_.transfers.Read(call.name, offset, length));
    net::HttpResponse response;
    response.headers.Set("Content-Type", "application/octet-stream");
    response.body = std::move(bytes);
    return response;
  });
}

// It is read as an export.
net::Answer AdminApi::BackUpCatalog(const Call& call) {
  TW_TRY(ParseNothing(call.request.body));
  if (!parts_.catalog)
    return Fail(ErrorKind::kRefused, "NOT_THE_CATALOG", "the catalog is on another node than " + member_.self,
                "ask that one: --server " + parts_.catalog_url);
  TW_TRY_ASSIGN(const auto begun, parts_.transfers.BeginBackup(*parts_.catalog));
  return Json(201, json::object{{"id", begun.id},
                                {"size_bytes", begun.size_bytes},
                                {"chunk_bytes", limits::kTransferChunkBytes}});
}

net::Answer AdminApi::DropExport(const Call& call) {
  return AtHolder(call, limits::kForwardedCall, [&]() -> net::Answer {
    TW_TRY(parts_.transfers.Drop(Transfers::Kind::kExport, call.name));
    return NoContent();
  });
}

// -- Moves

net::Answer AdminApi::StartMove(const Call& call) {
  TW_TRY_ASSIGN(const move::MoveRequest request, ParseMove(call.request.body));
  return parts_.forwarding.AtOwner(
      request.tenant, call.request, limits::kForwardedCall, [&](const catalog::TenantRecord&) -> net::Answer {
        const auto start = [&](gateway::CoreTenants& home) { return home.moves.Start(request); };
        TW_TRY_ASSIGN(const move::Receipt receipt, parts_.tenants.At(request.tenant, start));
        return net::HttpResponse::Json(202, move::ToJson(receipt));
      });
}

net::Answer AdminApi::ListMoves(const Call&) {
  return move_calls_.List();
}

net::Answer AdminApi::ShowMove(const Call& call) {
  return move_calls_.Show(call.request, call.name);
}

net::Answer AdminApi::CancelMove(const Call& call) {
  return move_calls_.Cancel(call.request, call.name);
}

net::Answer AdminApi::SetMove(const Call& call) {
  return move_calls_.Set(call.request, call.name);
}

// -- Nodes

net::Answer AdminApi::ListNodes(const Call&) {
  TW_TRY_ASSIGN(const auto places, balance::FetchPlaces(member_, parts_.forwarding));
  json::array list;
  for (const balance::NodePlace& place : places)
    list.push_back(
        json::object{{"name", place.name},
                     {"url", place.url},
                     {"state", place.up ? "up" : "unreachable"},
                     {"draining", place.draining},
                     {"sqlite", place.sqlite == 0 ? json::value(nullptr)
                                                  : json::value(catalog::SqliteVersionText(place.sqlite))},
                     {"cores", place.cores == 0 ? json::value(nullptr) : json::value(place.cores)},
                     {"tenants", place.tenants}});
  return Json(200, json::object{{"nodes", std::move(list)}});
}

// ?tenants=delete: with the tenants that it has. A node that runs would go on serving them.
net::Answer AdminApi::ForgetNode(const Call& call) {
  TW_TRY(ParseNothing(call.request.body));
  bool delete_tenants = false;
  for (const auto& [name, value] : call.request.query) {
    if (name != "tenants" || value != "delete")
      return Fail(ErrorKind::kInvalid, "QUERY_INVALID",
                  "the query of this call has something else than tenants=delete", "leave it out");
    delete_tenants = true;
  }
  TW_TRY_ASSIGN(const auto places, balance::FetchPlaces(member_, parts_.forwarding));
  for (const balance::NodePlace& place : places)
    if (place.name == call.name && place.up)
      return Fail(ErrorKind::kRefused, "NODE_RUNS", "node " + call.name + " runs, at " + place.url,
                  "move its tenants off with: tradewind node drain " + call.name + " --wait; and stop it");
  TW_TRY_ASSIGN(const uint64_t deleted, member_.catalog.ForgetNode(call.name, delete_tenants));
  log::warn("node {} is forgotten, and {} tenants with it", call.name, deleted);
  return Json(200, json::object{{"name", call.name}, {"deleted_tenants", deleted}});
}

net::Answer AdminApi::StartDrain(const Call& call) {
  TW_TRY_ASSIGN(const balance::DrainRequest request, ParseDrain(call.request.body));
  return parts_.forwarding.AtNode(call.name, call.request, limits::kForwardedCall, [&]() -> net::Answer {
    TW_TRY(parts_.drain.Start(request));
    return net::HttpResponse::Json(202, ToJson(parts_.drain.progress()));
  });
}

net::Answer AdminApi::ShowDrain(const Call& call) {
  return parts_.forwarding.AtNode(call.name, call.request, limits::kNodeCall, [&]() -> net::Answer {
    return net::HttpResponse::Json(200, ToJson(parts_.drain.progress()));
  });
}

net::Answer AdminApi::Undrain(const Call& call) {
  TW_TRY(ParseNothing(call.request.body));
  return parts_.forwarding.AtNode(call.name, call.request, limits::kForwardedCall, [&]() -> net::Answer {
    TW_TRY(parts_.drain.Undrain());
    return net::HttpResponse::Json(200, ToJson(parts_.drain.progress()));
  });
}

}  // namespace tradewind::admin
