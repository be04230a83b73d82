#include "sim/checkers/ownership_checker.h"

#include <fmt/format.h>

namespace tradewind::sim {

namespace {
constexpr std::string_view kName = "OwnershipChecker";
}

// One that is being deleted ends its transactions after the catalog has forgotten it: nobody else owns it then, or it is
// another tenant of the name.
void OwnershipChecker::Admitted(const std::string& host, const std::string& tenant) {
  const TenantRecord* const record = record_.Find(tenant);
  if (!record || record->owner == host || record_.HasFormer(host, tenant)) return;
  report_(kName, fmt::format("{} lets a transaction of {} begin, which {} owns since epoch {}", host, tenant,
                             record->owner, record->epoch));
}

void OwnershipChecker::CommittedWithoutOwning(const std::string& host, const std::string& tenant) {
  const TenantRecord* const record = record_.Find(tenant);
  report_(kName, fmt::format("{} commits a transaction of {}, which {} owns since epoch {}", host, tenant,
                             record->owner, record->epoch));
}

void OwnershipChecker::Changed(const ClusterRecord::Change& change) {
  if (change.gone) return;
  const TenantRecord& record = *record_.Find(change.tenant);
  uint64_t& highest = epochs_[change.tenant];
  if (record.epoch <= highest && (!change.before || record.epoch != change.before->epoch))
    report_(kName, fmt::format("{} is at epoch {} after it was at {}", change.tenant, record.epoch, highest));
  if (change.before && record.owner != change.before->owner && record.epoch == change.before->epoch)
    report_(kName, fmt::format("{} has two owners at epoch {}: {} and {}", change.tenant, record.epoch,
                               change.before->owner, record.owner));
  highest = std::max(highest, record.epoch);
}

}  // namespace tradewind::sim
