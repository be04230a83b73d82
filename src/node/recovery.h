// What a node makes after a start of what its journal and the catalog say of its tenants (docs/move.md, docs/files.md).
//
// Core 0 only.
#pragma once

#include "admin/tenant_maker.h"
#include "balance/drain.h"
#include "base/result.h"
#include "catalog/member.h"
#include "gateway/node_tenants.h"
#include "move/journal.h"

namespace tradewind::node {

class Recovery {
 public:
  // What it hands the tenants to. All of it outlives it.
  struct Parts {
    move::Journal& journal;
    gateway::NodeTenants& tenants;
    admin::TenantMaker& maker;
    balance::Drain& drain;
  };
  Recovery(const catalog::Member& member, const Parts& parts) : member_(member), parts_(parts) {}

  // Brings every tenant of the journal back to where it was. Before the node serves. Fails as the disk and the journal
  // do. Suspends.
  Result<void> FollowJournal();
  // Has the servers of MariaDB's tenants run, which nobody need ask for first: those that run are adopted. After
  // FollowJournal(). Suspends, but not until they run.
  void StartInstances();
  // Sets right what the catalog says differently, then lets moves begin, and a drain go on. Asks until the catalog
  // answers, or the node is stopping. Suspends.
  void FollowCatalog();

 private:
  void ResumeMove(const move::JournalEntry& entry);
  Result<void> LookForLostTenants();
  Result<void> CancelForgottenMoves();
  void ResumeDrain();

  const catalog::Member& member_;
  const Parts parts_;
};

}  // namespace tradewind::node
