// I1: at most one node lets new transactions of a tenant begin: the one that the catalog's disk has as its owner, at the
// highest epoch. Looked at whenever a transaction begins, and whenever that file changes.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "sim/checkers/cluster_record.h"

namespace tradewind::sim {

class OwnershipChecker {
 public:
  OwnershipChecker(ClusterRecord& record, Report report) : record_(record), report_(std::move(report)) {}

  void Admitted(const std::string& host, const std::string& tenant);
  void CommittedWithoutOwning(const std::string& host, const std::string& tenant);
  void Changed(const ClusterRecord::Change& change);

 private:
  ClusterRecord& record_;
  const Report report_;
  std::map<std::string, uint64_t> epochs_;  // By tenant, the highest ever.
};

}  // namespace tradewind::sim
