#include "gateway/mysql_owners.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "gateway/mysql_frames.h"
#include "gateway/mysql_remote_link.h"
#include "net/api_error.h"
#include "net/upgrade_on.h"
#include "runtime/call_on.h"

namespace tradewind::gateway {

MysqlOwners::MysqlOwners(const catalog::Member& member, NodeTenants& tenants, catalog::Directory& directory,
                         net::HttpClient& client, const std::vector<MysqlService*>& services)
    : member_(member),
      core_(member.core),
      tenants_(tenants),
      directory_(directory),
      client_(client),
      services_(services),
      locator_(member, tenants),
      fibers_(core_) {}

MysqlOwners::~MysqlOwners() = default;

Result<bool> MysqlOwners::Exists(const TenantName& tenant) {
  if (!IsValidName(tenant)) return false;
  const auto owner = locator_.Locate(tenant, Epoch{}, core_.Now() + limits::kMysqlLogin);
  if (owner) return true;
  if (owner.error().kind == ErrorKind::kNotFound) return false;
  return Fail(owner.error());
}

// `work(owner, core)`: the core is meant for a tenant of this node alone.
template <typename Value, typename Work>
Result<Value> MysqlOwners::AtOwner(const TenantName& tenant, Epoch& epoch, Epoch newer_than,
                                   runtime::TimePoint deadline, const Work& work) {
  bool again = false;  // The core that this one knew did not have it.
  for (;;) {
    TW_TRY_ASSIGN(const catalog::Ownership owner, locator_.Locate(tenant, newer_than, deadline));
    epoch = owner.epoch;
    const bool here = owner.owner == member_.self;
    Result<Value> outcome = work(owner.owner, here ? tenants_.CoreFor(tenant, again) : 0);
    if (outcome) return outcome;
    const Error& error = outcome.error();
    const bool moved = error.code == tenant::kMovedCode;
    const bool lost = error.code == tenant::kNotHereCode || error.kind == ErrorKind::kUnavailable;
    if ((!moved && !lost) || core_.Now() >= deadline || locator_.stopping()) return outcome;
    if (moved) newer_than = std::max(newer_than, owner.epoch);
    again = error.code == tenant::kNotHereCode;
    locator_.Forget(tenant, owner.epoch);
    runtime::SleepFor(moved ? limits::kLocatePause : limits::kLocatePauseLongest);
  }
}

Result<MysqlAccount> MysqlOwners::LookUp(MysqlAccountCall& call, runtime::TimePoint deadline) {
  return AtOwner<MysqlAccount>(
      call.tenant, call.epoch, Epoch{}, deadline,
      [&](const NodeName& owner, size_t core) -> Result<MysqlAccount> {
        if (owner == member_.self) {
          MysqlService& service = *services_[core];
          return runtime::CallOn(*core_.siblings()[core], [&] { return service.LookUp(call); });
        }
        net::HttpRequest request;
        request.method = "POST";
        request.target = kMysqlAccountPath;
        request.body = EncodeAccountCall(call);
        request.idempotent = true;
        TW_TRY_ASSIGN(const auto answer, directory_.Call(owner, std::move(request), deadline));
        if (answer.status != 200) return Fail(net::ParseErrorResponse(answer));
        return DecodeAccount(answer.body);
      });
}

Result<mysql::OrRefused<MysqlOpened>> MysqlOwners::Open(MysqlLinkCall& call, Epoch newer_than,
                                                        MysqlLinkObserver& observer,
                                                        runtime::TimePoint deadline) {
  return AtOwner<mysql::OrRefused<MysqlOpened>>(
      call.tenant, call.epoch, newer_than, deadline,
      [&](const NodeName& owner, size_t core) { return OpenAt(owner, core, call, observer, deadline); });
}

Result<mysql::OrRefused<MysqlOpened>> MysqlOwners::OpenAt(const NodeName& owner, size_t core,
                                                          const MysqlLinkCall& call,
                                                          MysqlLinkObserver& observer,
                                                          runtime::TimePoint deadline) {
  if (owner == member_.self && core == core_.number()) return services_[core]->Open(call, observer);
  ++links_to_others_;
  TW_TRY_ASSIGN(const std::string url, directory_.UrlOf(owner));
  auto upgraded = client_.Upgrade(url + std::string(kMysqlLinkPath) + "?tenant=" + call.tenant,
                                  kMysqlLinkProtocol, deadline);
  if (!upgraded) {
    if (upgraded.error().code == "NODE_UNREACHABLE") directory_.Forget(owner);
    return Fail(std::move(upgraded).error());
  }
  return OpenRemoteLink(fibers_, *std::move(upgraded), call, observer, deadline);
}

// -- For others

void MysqlOwners::AddRoutes(net::Routes& routes) {
  routes.Add({"POST", std::string(kMysqlAccountPath),
              [this](const net::Call& call) { return AnswerAccount(call.request); },
              net::Route::Body::kAnything});
  routes.Add({"GET", std::string(kMysqlLinkPath),
              [this](const net::Call& call) { return AcceptLink(call.request); },
              net::Route::Body::kAnything});
}

net::Answer MysqlOwners::AnswerAccount(const net::HttpRequest& request) {
  TW_TRY_ASSIGN(const MysqlAccountCall call, DecodeAccountCall(request.body));
  const size_t core = tenants_.CoreFor(call.tenant);
  MysqlService& service = *services_[core];
  TW_TRY_ASSIGN(const MysqlAccount account,
                runtime::CallOn(*core_.siblings()[core], [&] { return service.LookUp(call); }));
  return net::HttpResponse::Json(200, EncodeAccount(account));
}

net::Answer MysqlOwners::AcceptLink(const net::HttpRequest& request) {
  const auto named = request.query.find("tenant");
  if (named == request.query.end() || !IsValidName(named->second))
    return Fail(ErrorKind::kInvalid, "LINK_INVALID", "a session of MySQL needs a tenant",
                "run the same version of tradewind on all nodes");
  const size_t core = tenants_.CoreFor(TenantName(named->second));
  net::HttpResponse response;
  response.upgrade = net::Upgrade{
      std::string(kMysqlLinkProtocol),
      [service = services_[core]](net::UpgradedConnection upgraded) { service->Serve(std::move(upgraded)); }};
  net::RunUpgradeOn(*core_.siblings()[core], response);
  return response;
}

}  // namespace tradewind::gateway
