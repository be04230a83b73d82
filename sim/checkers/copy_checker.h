// I5: no copy is deleted before another is complete, verified and durable. Looked at when a node takes the name of a
// tenant's file away: what a loss of power would leave the owner then must hold every page in a version that is not older
// than the newest of the node that deletes, and its map must lack none.
#pragma once

#include <string>
#include <utility>

#include "sim/checkers/cluster_record.h"

namespace tradewind::sim {

class CopyChecker {
 public:
  CopyChecker(ClusterRecord& record, Report report) : record_(record), report_(std::move(report)) {}

  void Removing(const std::string& host, const std::string& tenant, const TenantRecord& tenant_record);

 private:
  // What the owner lacks; "" when it lacks nothing.
  std::string LackOf(const std::string& tenant, const TenantRecord& tenant_record) const;

  ClusterRecord& record_;
  const Report report_;
};

}  // namespace tradewind::sim
