// I3: every transaction of the source comes before every one of the destination in one serial order: what a transaction
// of the destination reads is what the last of the source left, and no later one of the source changes it.
#pragma once

#include <string>
#include <utility>

#include "sim/checkers/cluster_record.h"

namespace tradewind::sim {

class OrderChecker {
 public:
  explicit OrderChecker(Report report) : report_(std::move(report)) {}

  // The owner, to which the tenant has come, reads a page of its main file.
  void Read(const std::string& tenant, TenantRecord& record, uint32_t page, uint64_t hash);
  // Before the commit is in the record.
  void CommittedAtSource(const std::string& tenant, TenantRecord& record, const WalImage::Commit& commit);

 private:
  const Report report_;
};

}  // namespace tradewind::sim
