// I4: what was acknowledged is durable: when a client hears of its row, some disk has it as a loss of power would leave
// that disk at that moment; and it stays so, over every loss of power and every file that is removed.
//
// A row is found by its mark: text that no other row has.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "sim/checkers/cluster_record.h"

namespace tradewind::sim {

class DurabilityChecker {
 public:
  DurabilityChecker(ClusterRecord& record, Report report) : record_(record), report_(std::move(report)) {}

  static std::string MarkOf(int64_t row);

  // A client has been told that its row, which has this mark, was committed.
  void Acknowledged(const std::string& tenant, int64_t row);

  void SyncedMain(const std::string& host, const std::string& tenant);
  void SyncedWal(const std::string& host, const std::string& tenant);
  void Removing(const std::string& host, const std::string& tenant);
  void LostPower(const std::string& host);
  // It was deleted, or is made anew.
  void Forget(const std::string& tenant) { acknowledged_.erase(tenant); }

 private:
  struct File {
    std::set<int64_t> in_main;
    std::set<int64_t> in_wal;
    WalImage wal;
    bool Has(int64_t row) const { return in_main.contains(row) || in_wal.contains(row); }
  };
  bool IsDurable(const std::string& tenant, int64_t row) const;
  void CheckAll(const std::string& tenant, const std::string& after);

  ClusterRecord& record_;
  const Report report_;
  std::map<std::string, std::map<std::string, File>> files_;  // By tenant and host, of what is durable.
  std::map<std::string, std::set<int64_t>> acknowledged_;
};

}  // namespace tradewind::sim
