#include "sim/checkers/instance_checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "sim/instance_log.h"

namespace tradewind::sim {

namespace {

constexpr std::string_view kName = "InstanceChecker";

std::set<int64_t> RowsOf(std::string_view file) {
  std::set<int64_t> rows;
  for (const SimTransaction& transaction : ParseLog(file)) rows.insert(transaction.row);
  return rows;
}

}  // namespace

void InstanceChecker::TakesWrites(const std::string& host, const std::string& tenant) {
  if (stopped_) return;
  std::set<std::string>& hosts = writable_[tenant];
  hosts.insert(host);
  for (const std::string& other : hosts)
    if (other != host)
      report_(kName, fmt::format("servers of {} take writes at {} and at {}", tenant, other, host));
  const TenantRecord* const record = record_.Find(tenant);
  if (record && record->owner != host)
    report_(kName, fmt::format("{} lets its server of {} take writes, which {} owns since epoch {}", host,
                               tenant, record->owner, record->epoch));
}

void InstanceChecker::TakesNoWrites(const std::string& host, const std::string& tenant) {
  writable_[tenant].erase(host);
}

void InstanceChecker::Written(const std::string& host, const std::string& tenant, int64_t row, bool own) {
  if (stopped_ || !own) return;
  const TenantRecord* const record = record_.Find(tenant);
  if (record && record->owner != host)
    report_(kName, fmt::format("{} writes row {} of {}, which {} owns since epoch {}", host, row, tenant,
                               record->owner, record->epoch));
}

void InstanceChecker::Acknowledged(const std::string& tenant, int64_t row) {
  if (stopped_) return;
  acknowledged_[tenant].insert(row);
  const TenantRecord* const record = record_.Find(tenant);
  if (record && !HasDurably(record->owner, tenant, row))
    report_(kName, fmt::format("row {} of {} is acknowledged, and a loss of power at {} would lose it now",
                               row, tenant, record->owner));
}

// It is near the end, as a rule.
bool InstanceChecker::HasDurably(const std::string& host, const std::string& tenant, int64_t row) const {
  std::string_view file = record_.Durable(host, InstancePath(tenant));
  for (size_t count = file.size() / kTransactionBytes; count-- > 0;) {
    SimTransaction transaction;
    if (ParseRecord(file.substr(count * kTransactionBytes, kTransactionBytes), transaction) &&
        transaction.row == row)
      return true;
  }
  return false;
}

void InstanceChecker::CheckHas(const std::string& host, const std::string& tenant,
                               const std::string& when) const {
  const auto acknowledged = acknowledged_.find(tenant);
  if (acknowledged == acknowledged_.end()) return;
  const std::set<int64_t> rows = RowsOf(record_.Durable(host, InstancePath(tenant)));
  for (const int64_t row : acknowledged->second)
    if (!rows.contains(row))
      return report_(kName,
                     fmt::format("row {} of {} was acknowledged, and {}, which owns it, would not have it "
                                 "after a loss of power: {}",
                                 row, tenant, host, when));
}

void InstanceChecker::Changed(const ClusterRecord::Change& change) {
  if (stopped_) return;
  if (change.gone || !change.before) {
    acknowledged_.erase(change.tenant);
    return;
  }
  const TenantRecord& record = *record_.Find(change.tenant);
  if (record.owner == change.before->owner) return;
  for (const std::string& host : writable_[change.tenant])
    if (host != record.owner)
      report_(kName, fmt::format("{} becomes the owner of {} while the server at {} takes writes",
                                 record.owner, change.tenant, host));
  CheckHas(record.owner, change.tenant, "it becomes the owner");
}

void InstanceChecker::Removing(const std::string& host, const std::string& tenant) {
  if (stopped_) return;
  const TenantRecord* const record = record_.Find(tenant);
  if (!record) return;  // It was deleted.
  if (record->owner == host)
    return report_(kName, fmt::format("{} deletes the copy of {} that it owns", host, tenant));
  const std::string when = host + " deletes its copy";
  CheckHas(record->owner, tenant, when);
  const std::set<int64_t> kept = RowsOf(record_.Durable(record->owner, InstancePath(tenant)));
  for (const int64_t row : RowsOf(record_.Content(host, InstancePath(tenant))))
    if (!kept.contains(row))
      return report_(
          kName, fmt::format("{}, which has row {} of {} that {} lacks", when, row, tenant, record->owner));
}

void InstanceChecker::LostPower(const std::string& host) {
  if (stopped_) return;
  for (auto& [tenant, hosts] : writable_) {
    hosts.erase(host);
    const TenantRecord* const record = record_.Find(tenant);
    if (record && record->owner == host) CheckHas(host, tenant, "it has lost power");
  }
}

}  // namespace tradewind::sim
