// The servers of MariaDB's tenants, wherever they are, for the sessions of this core's clients: a session that asks for
// one is brought to the tenant's owner, and to the next owner when that has passed it on.
//
// This core only.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "catalog/directory.h"
#include "catalog/member.h"
#include "gateway/mysql_link.h"
#include "gateway/mysql_service.h"
#include "gateway/node_tenants.h"
#include "gateway/owner_locator.h"
#include "net/http_client.h"
#include "net/routes.h"
#include "runtime/fiber.h"

namespace tradewind::gateway {

class MysqlOwners {
 public:
  // All of it outlives it. `services`: of the node's cores, by number; filled before anything is asked.
  MysqlOwners(const catalog::Member& member, NodeTenants& tenants, catalog::Directory& directory,
              net::HttpClient& client, const std::vector<MysqlService*>& services);
  ~MysqlOwners();  // Requires: Join() has returned.

  // Whether there is such a tenant. Suspends.
  Result<bool> Exists(const TenantName& tenant);
  // As MysqlService::LookUp() at the owner. `call.epoch` becomes the owner's. Suspends, at most until the deadline, while
  // the tenant changes its node. Fails as that does, and as OwnerLocator and calls to nodes do.
  Result<MysqlAccount> LookUp(MysqlAccountCall& call, runtime::TimePoint deadline);
  // The same of MysqlService::Open(). `newer_than`: no owner up to that epoch has the tenant any more.
  Result<mysql::OrRefused<MysqlOpened>> Open(MysqlLinkCall& call, Epoch newer_than,
                                             MysqlLinkObserver& observer, runtime::TimePoint deadline);

  // For other nodes, and for other cores of this one: the routes that lead to this node's services.
  void AddRoutes(net::Routes& routes);

  uint64_t links_to_others() const { return links_to_others_; }

  // Nothing is waited for any more. Does not suspend.
  void StopWaits() { locator_.Stop(); }
  // The links that it has made are closed, and their sessions over. Suspends.
  void Join() { fibers_.Join(); }

 private:
  template <typename Value, typename Work>
  Result<Value> AtOwner(const TenantName& tenant, Epoch& epoch, Epoch newer_than, runtime::TimePoint deadline,
                        const Work& work);
  Result<mysql::OrRefused<MysqlOpened>> OpenAt(const NodeName& owner, size_t core, const MysqlLinkCall& call,
                                               MysqlLinkObserver& observer, runtime::TimePoint deadline);
  net::Answer AcceptLink(const net::HttpRequest& request);
  net::Answer AnswerAccount(const net::HttpRequest& request);

  const catalog::Member& member_;
  runtime::Core& core_;
  NodeTenants& tenants_;
  catalog::Directory& directory_;
  net::HttpClient& client_;
  const std::vector<MysqlService*>& services_;
  OwnerLocator locator_;
  uint64_t links_to_others_ = 0;
  runtime::TaskGroup fibers_;
};

}  // namespace tradewind::gateway
