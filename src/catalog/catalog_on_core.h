// The catalog of a node as its other cores see it: each operation is a call to core 0, which has it. Fails as that does.
// On any core of the node.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "runtime/core.h"

namespace tradewind::catalog {

class CatalogOnCore final : public Catalog {
 public:
  // Both outlive it.
  CatalogOnCore(runtime::Core& core, Catalog& catalog) : core_(core), catalog_(catalog) {}

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
  runtime::Core& core_;
  Catalog& catalog_;
};

}  // namespace tradewind::catalog
