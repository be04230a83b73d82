#include "catalog/catalog_on_core.h"

#include "runtime/call_on.h"

namespace tradewind::catalog {

Result<Membership> CatalogOnCore::RegisterNode(const Registration& registration) {
  return runtime::CallOn(core_, [&] { return catalog_.RegisterNode(registration); });
}

Result<void> CatalogOnCore::SetDraining(const NodeName& name, bool draining) {
  return runtime::CallOn(core_, [&] { return catalog_.SetDraining(name, draining); });
}

Result<std::vector<NodeRecord>> CatalogOnCore::Nodes() {
  return runtime::CallOn(core_, [&] { return catalog_.Nodes(); });
}

Result<uint64_t> CatalogOnCore::ForgetNode(const NodeName& name, bool delete_tenants) {
  return runtime::CallOn(core_, [&] { return catalog_.ForgetNode(name, delete_tenants); });
}

Result<TenantRecord> CatalogOnCore::CreateTenant(const TenantName& name, const std::string& engine,
                                                 const NodeName& owner) {
  return runtime::CallOn(core_, [&] { return catalog_.CreateTenant(name, engine, owner); });
}

Result<TenantRecord> CatalogOnCore::GetTenant(const TenantName& name) {
  return runtime::CallOn(core_, [&] { return catalog_.GetTenant(name); });
}

Result<std::vector<TenantRecord>> CatalogOnCore::ListTenants() {
  return runtime::CallOn(core_, [&] { return catalog_.ListTenants(); });
}

Result<std::vector<TenantRecord>> CatalogOnCore::ListObjectives() {
  return runtime::CallOn(core_, [&] { return catalog_.ListObjectives(); });
}

Result<TenantRecord> CatalogOnCore::SetObjective(const TenantName& name, const std::string& objective) {
  return runtime::CallOn(core_, [&] { return catalog_.SetObjective(name, objective); });
}

Result<std::vector<TenantRecord>> CatalogOnCore::ListQuotas() {
  return runtime::CallOn(core_, [&] { return catalog_.ListQuotas(); });
}

Result<TenantRecord> CatalogOnCore::SetQuotas(const TenantName& name, const std::string& quotas) {
  return runtime::CallOn(core_, [&] { return catalog_.SetQuotas(name, quotas); });
}

Result<std::map<NodeName, uint64_t>> CatalogOnCore::TenantCounts() {
  return runtime::CallOn(core_, [&] { return catalog_.TenantCounts(); });
}

Result<void> CatalogOnCore::DeleteTenant(const TenantName& name, const Ownership& expected) {
  return runtime::CallOn(core_, [&] { return catalog_.DeleteTenant(name, expected); });
}

Result<void> CatalogOnCore::DeleteInMove(const TenantName& name, const Ownership& expected,
                                         const MoveId& move) {
  return runtime::CallOn(core_, [&] { return catalog_.DeleteInMove(name, expected, move); });
}

Result<SwapOutcome> CatalogOnCore::Swap(const TenantName& name, const Ownership& from, const NodeName& to,
                                        const MoveId& move) {
  return runtime::CallOn(core_, [&] { return catalog_.Swap(name, from, to, move); });
}

Result<SwapOutcome> CatalogOnCore::Fence(const TenantName& name, const Ownership& from, const MoveId& move) {
  return runtime::CallOn(core_, [&] { return catalog_.Fence(name, from, move); });
}

Result<MoveRecord> CatalogOnCore::BeginMove(const MoveRecord& move) {
  return runtime::CallOn(core_, [&] { return catalog_.BeginMove(move); });
}

Result<MoveOutcome> CatalogOnCore::SetMoveState(const MoveId& id, MoveState from, MoveState to,
                                                const std::string& receipt) {
  return runtime::CallOn(core_, [&] { return catalog_.SetMoveState(id, from, to, receipt); });
}

Result<void> CatalogOnCore::SaveReceipt(const MoveId& id, const std::string& receipt) {
  return runtime::CallOn(core_, [&] { return catalog_.SaveReceipt(id, receipt); });
}

Result<void> CatalogOnCore::SetMoveOptions(const MoveId& id, const std::string& options) {
  return runtime::CallOn(core_, [&] { return catalog_.SetMoveOptions(id, options); });
}

Result<MoveRecord> CatalogOnCore::GetMove(const MoveId& id) {
  return runtime::CallOn(core_, [&] { return catalog_.GetMove(id); });
}

Result<std::vector<MoveRecord>> CatalogOnCore::ListMoves() {
  return runtime::CallOn(core_, [&] { return catalog_.ListMoves(); });
}

Result<std::vector<MoveRecord>> CatalogOnCore::ListLiveMoves() {
  return runtime::CallOn(core_, [&] { return catalog_.ListLiveMoves(); });
}

}  // namespace tradewind::catalog
