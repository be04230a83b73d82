// Six checkers that watch the invariants of docs/move.md at every step of a simulated cluster, from the outside: from the
// bytes on the disks, the catalog's file, the answers to clients, and one call of the nodes (tenant/admission.h), since no
// file shows that a transaction begins.
//
//   OwnershipChecker   I1: only the owner, as the catalog's disk has it, lets transactions begin; epochs only grow
//   PageChecker        I2: the newest version of a page is in one place, with the source until it is handed over
//   OrderChecker       I3: what a transaction of the destination has read, no transaction of the source changes later
//   DurabilityChecker  I4: what was acknowledged is on a disk as a loss of power would leave it, then and from then on
//   CopyChecker        I5: a copy goes only when another has all that is newer, durable and complete
//   InstanceChecker    I1, I4 and I5 of MariaDB's tenants, whose servers tell it what they do (instances/sim_server.h)
#pragma once

#include <cstdint>
#include <string>

#include "sim/checkers/cluster_record.h"
#include "sim/checkers/copy_checker.h"
#include "sim/checkers/durability_checker.h"
#include "sim/checkers/instance_checker.h"
#include "sim/checkers/order_checker.h"
#include "sim/checkers/ownership_checker.h"
#include "sim/checkers/page_checker.h"
#include "sim/sim_world.h"
#include "sim/watcher.h"
#include "tenant/admission.h"

namespace tradewind::sim {

class Checkers final : public Watcher, public tenant::AdmissionObserver {
 public:
  // Hosts have the names of their nodes. Watches from here on, until it goes away.
  Checkers(SimWorld& world, Report report);
  ~Checkers() override;
  Checkers(const Checkers&) = delete;
  Checkers& operator=(const Checkers&) = delete;

  // From now on nothing is checked: a test is about to break what they watch.
  void Stop() {
    stopped_ = true;
    instances_.Stop();
  }
  DurabilityChecker& durability() { return durability_; }
  InstanceChecker& instances() { return instances_; }
  // As the catalog's disk has it; "" for a tenant that it does not have.
  std::string OwnerOf(const std::string& tenant);
  // How often one of them has looked at something.
  uint64_t checks() const { return checks_; }

  // -- AdmissionObserver
  void OnAdmitted(const TenantName& tenant) override;

  // -- Watcher
  void OnRead(const std::string& host, const std::string& path, uint64_t offset, Bytes content) override;
  void OnWrite(const std::string& host, const std::string& path, uint64_t offset, Bytes content) override;
  void OnTruncate(const std::string& host, const std::string& path, uint64_t size) override;
  void OnSync(const std::string& host, const std::string& path) override;
  void OnRemove(const std::string& host, const std::string& path) override;
  void OnRename(const std::string& host, const std::string& from, const std::string& to) override;
  void OnDown(const std::string& host, bool power_lost) override;

 private:
  void ReadCatalog(const std::string& host);
  void ReadWal(const std::string& host, const std::string& tenant);
  // The pages of a main file that lie whole in what was read or written.
  template <typename Visit>
  void ForEachPage(const TenantRecord& record, uint64_t offset, Bytes content, const Visit& visit);

  SimWorld& world_;
  ClusterRecord record_;
  OwnershipChecker ownership_;
  PageChecker page_;
  OrderChecker order_;
  DurabilityChecker durability_;
  CopyChecker copy_;
  InstanceChecker instances_;
  bool stopped_ = false;
  uint64_t checks_ = 0;
};

}  // namespace tradewind::sim
