// Tenants of MariaDB: at most one server of a tenant takes writes, that of the owner (I1); what was acknowledged is on the
// owner's disk as a loss of power would leave it, from then on and over every hand-over (I4); and a copy goes only when the
// owner has all that it has, durable (I5).
//
// Looked at whenever a server takes writes or writes, the catalog's file changes, an acknowledgement leaves, a file is about
// to go, and power is lost. What a server has is read from the bytes of its file.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "sim/checkers/cluster_record.h"

namespace tradewind::sim {

class InstanceChecker {
 public:
  InstanceChecker(ClusterRecord& record, Report report) : record_(record), report_(std::move(report)) {}

  // From now on nothing is checked.
  void Stop() { stopped_ = true; }

  // -- The host's server of the tenant
  void TakesWrites(const std::string& host, const std::string& tenant);
  void TakesNoWrites(const std::string& host, const std::string& tenant);
  // `own`: not what it follows.
  void Written(const std::string& host, const std::string& tenant, int64_t row, bool own);

  // A client has been told that its row was committed.
  void Acknowledged(const std::string& tenant, int64_t row);

  void Changed(const ClusterRecord::Change& change);
  void Removing(const std::string& host, const std::string& tenant);
  void LostPower(const std::string& host);

 private:
  bool HasDurably(const std::string& host, const std::string& tenant, int64_t row) const;
  // Of what was acknowledged and the host would not have after a loss of power now; none: nothing.
  void CheckHas(const std::string& host, const std::string& tenant, const std::string& when) const;

  ClusterRecord& record_;
  const Report report_;
  bool stopped_ = false;
  std::map<std::string, std::set<std::string>> writable_;  // Hosts, by tenant.
  std::map<std::string, std::set<int64_t>> acknowledged_;  // By tenant.
};

}  // namespace tradewind::sim
