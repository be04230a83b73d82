// I2: the newest committed version of each page is in one place: with the source until it is handed over, with the
// destination afterwards.
//
//   - what the destination has when the catalog makes it the owner are the newest versions
//   - what comes to it afterwards is the newest of the source, and nothing that it had itself changed
//   - no transaction of the source changes a page that the destination has
//   - a page in the owner's main file is one that was committed, and never an earlier one than was there before
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "sim/checkers/cluster_record.h"

namespace tradewind::sim {

class PageChecker {
 public:
  explicit PageChecker(Report report) : report_(std::move(report)) {}

  // The tenant has changed hands; `main` is the new owner's main file.
  void HandedOver(const std::string& tenant, TenantRecord& record, std::string_view main);
  // The owner has written a page of its main file.
  void Wrote(const std::string& tenant, TenantRecord& record, const WalImage& wal, uint32_t page,
             uint64_t hash);
  // Before the commit is in the record.
  void CommittedAtSource(const std::string& tenant, TenantRecord& record, const WalImage::Commit& commit);

 private:
  const Report report_;
};

}  // namespace tradewind::sim
