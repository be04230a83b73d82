// The tenants that a drain still has on its node, and which of them goes next: the smallest of those that are ready.
//
//   unsized ──► ready ──► moving ──► gone
//                 ▲          │
//                 └─ resting ◄┘  its move failed, or it is in a move that somebody else started
//
// One that rests after a failure does so for a pause that doubles (limits::kDrainRetryPause). From limits::kDrainTries on
// it is named as one that fails, and still tried.
//
// Nothing here suspends. Time is the caller's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "balance/drain_progress.h"
#include "base/ids.h"
#include "runtime/core.h"

namespace tradewind::balance {

class DrainQueue {
 public:
  struct Candidate {
    TenantName tenant;
    uint64_t bytes = 0;
    NodeName unwanted;  // Where its last move failed; empty: none has.
  };

  // These are here: new ones come to the queue, others leave it unless they are moving. Sizes come later, so that the
  // total is known at once.
  void Refresh(const std::vector<TenantName>& here);
  std::vector<TenantName> Unsized() const;
  // Ready from now on. Nothing happens to one that has a size already, or has left.
  void NoteSize(const TenantName& tenant, uint64_t bytes);

  std::optional<Candidate> Smallest() const;
  // Requires: the tenant is ready.
  void BeginMove(const TenantName& tenant, const NodeName& to);
  // Its move has ended, in one of four ways; it is moving. It is not here any more, or nobody wants it moved;
  void Remove(const TenantName& tenant);
  // it is tried again later, and nothing has failed (it is leaving already);
  void Rest(const TenantName& tenant, runtime::TimePoint until);
  // the same: it is in a move that somebody else started;
  void RestInOtherMove(const TenantName& tenant, runtime::TimePoint until);
  // or it has failed, for this reason.
  void NoteFailure(const TenantName& tenant, const std::string& reason, runtime::TimePoint now);

  // Makes those ready whose rest is over, or all that rest.
  void Wake(runtime::TimePoint now);
  void WakeAll();
  std::optional<runtime::TimePoint> next_wake() const;
  // Forgets all but those that move.
  void DropWaiting();

  size_t size() const { return tenants_.size(); }  // Moving ones included.
  size_t ready() const { return ready_.size(); }
  size_t in_other_moves() const;
  // What those wait for that rest; empty: nothing that has a name.
  std::string WhatIsMissing() const;
  std::vector<DrainProgress::Failure> Failures() const;

 private:
  struct Tenant {
    std::optional<uint64_t> bytes;
    bool moving = false;
    bool in_other_move = false;  // One that this drain did not start: of before a restart, or somebody's.
    NodeName to;                 // The last place tried.
    uint32_t tries = 0;          // Those that failed.
    std::string reason;          // Of the last one.
  };

  void MakeReady(const TenantName& tenant);

  std::map<TenantName, Tenant> tenants_;
  std::set<std::pair<uint64_t, TenantName>> ready_;  // By size.
  std::multimap<runtime::TimePoint, TenantName> resting_;
};

}  // namespace tradewind::balance
