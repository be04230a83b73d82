// The catalog as the nodes see it that do not host it: each operation is one call to the node that does
// (catalog_service.h).
//
// Lost answers. Operations that only read, and those whose repeat changes nothing (RegisterNode,
// SetDraining, SetObjective, SetQuotas, SaveReceipt, SetMoveOptions), are tried limits::kCatalogTries times. Of any
// other operation whose answer is lost nobody can tell here whether it was done: it fails with ANSWER_LOST,
// and the caller decides (docs/move.md, step 5).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/catalog.h"

namespace tradewind::catalog {

// Carries a request to AnswerCatalogCall at the catalog's node and its answer back. May suspend. Fails with
// kUnavailable only when the request surely was not carried out (nobody listens there, the node is starting);
// any other error counts as a lost answer.
using CatalogCall = std::function<Result<std::string>(std::string_view operation, std::string request)>;

class RemoteCatalog final : public Catalog {
 public:
  explicit RemoteCatalog(CatalogCall call) : call_(std::move(call)) {}

  Result<Membership> RegisterNode(const Registration& registration) override;
  Result<void> SetDraining(const NodeName& name, bool draining) override;
  Result<std::vector<NodeRecord>> Nodes() override;
  Result<uint64_t> ForgetNode(const NodeName& name, bool delete_tenants) override;
  Result<TenantRecord> CreateTenant(const TenantName& name, const std::string& engine,
                                    const NodeName& owner) override;
  Result<TenantRecord> GetTenant(const TenantName& name) override;
  Result<std::vector<TenantRecord>> ListTenants() override;
  Result<std::vector<TenantRecord>> ListObjectives() override;
  Result<TenantRecord> SetObjective(const TenantName& name, const std::string& objective) override;
  Result<std::vector<TenantRecord>> ListQuotas() override;
  Result<TenantRecord> SetQuotas(const TenantName& name, const std::string& quotas) override;
  Result<std::map<NodeName, uint64_t>> TenantCounts() override;
  Result<void> DeleteTenant(const TenantName& name, const Ownership& expected) override;
  Result<void> DeleteInMove(const TenantName& name, const Ownership& expected, const MoveId& move) override;
  Result<SwapOutcome> Swap(const TenantName& name, const Ownership& from, const NodeName& to,
                           const MoveId& move) override;
  Result<SwapOutcome> Fence(const TenantName& name, const Ownership& from, const MoveId& move) override;
  Result<MoveRecord> BeginMove(const MoveRecord& move) override;
  Result<MoveOutcome> SetMoveState(const MoveId& id, MoveState from, MoveState to,
                                   const std::string& receipt) override;
  Result<void> SaveReceipt(const MoveId& id, const std::string& receipt) override;
  Result<void> SetMoveOptions(const MoveId& id, const std::string& options) override;
  Result<MoveRecord> GetMove(const MoveId& id) override;
  Result<std::vector<MoveRecord>> ListMoves() override;
  Result<std::vector<MoveRecord>> ListLiveMoves() override;

 private:
  CatalogCall call_;
};

}  // namespace tradewind::catalog
