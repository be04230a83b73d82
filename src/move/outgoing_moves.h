// The moves that this core sends, forward or back: the source of each, and what becomes of its copy here.
//
// This core only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "move/host.h"
#include "move/journal_entry.h"
#include "move/move_source.h"
#include "move/move_totals.h"
#include "move/options.h"
#include "move/receipt.h"
#include "runtime/fiber.h"
#include "tenant/local_tenants.h"

namespace tradewind::move {

class OutgoingMoves {
 public:
  struct Callbacks {
    // Before a tenant that has moved away is closed here: every stream on it ends.
    std::function<void(const TenantName&)> end_streams;
    // A move begins, or goes at another pace. Must not suspend.
    std::function<void()> pace_changed;
    // A tenant that came here has been sent back: ends the destination that it had here. May suspend.
    std::function<void(const TenantName&)> sent_back;
  };
  // `fibers` is joined before this goes away.
  OutgoingMoves(MoveHost& host, tenant::LocalTenants& tenants, runtime::TaskGroup& fibers,
                Callbacks callbacks);

  // Sends the tenant; the receipt is what it begins with. Requires: no move of the tenant is under way here. Does not
  // suspend.
  Receipt Send(tenant::LocalTenants::Use use, Receipt start, const MoveOptions& options, Direction direction);
  // Goes on after a restart that found `swapping` or `dual` in the journal. Suspends.
  Result<void> Resume(const JournalEntry& entry);

  bool IsSending(const TenantName& tenant) const { return moves_.contains(tenant); }
  // Suspends until no move of the tenant is under way here.
  void AwaitEndOf(const TenantName& tenant);
  // Suspends until the move is over; its last receipt. None: it is not under way here.
  std::optional<Receipt> AwaitEnd(const MoveId& id);
  // The other node has reversed the move: its source here ends, if there is one. Suspends until it has, or the host
  // is stopping.
  void Reverse(const MoveId& id);

  // Fails with MOVE_NOT_HERE (kNotFound).
  Result<std::shared_ptr<MoveSource>> Find(const MoveId& id) const;
  std::vector<std::shared_ptr<MoveSource>> sources() const;
  std::vector<Receipt> receipts() const;
  // Of those that have ended.
  const MoveTotals& totals() const { return totals_; }
  // How fast from now on; kept in the catalog. Fails with MOVE_NOT_HERE. Suspends.
  Result<Receipt> SetPace(const MoveId& id, const Pace& pace);
  // Has a move that stopped because its sums differed compare them again. Fails with MOVE_NOT_HERE, and
  // MOVE_NOT_STOPPED (kRefused).
  Result<Receipt> VerifyAgain(const MoveId& id);

  // Ends what is under way, to be resumed after a restart: the host is stopping. Does not suspend.
  void Stop();

 private:
  struct Outgoing {
    std::shared_ptr<MoveSource> source;
    std::shared_ptr<std::optional<Receipt>> last;  // Set when it has ended.
  };

  const Outgoing* FindMove(const MoveId& id) const;
  std::shared_ptr<MoveSource> Run(tenant::LocalTenants::Use use, Receipt start, const MoveOptions& options,
                                  Direction direction, std::optional<Role> resumed);
  void EndSource(const TenantName& tenant, Direction direction, MoveSource::Outcome outcome);
  void Count(const Receipt& last, Direction direction, MoveSource::Outcome outcome);
  void RemoveCopy(const TenantName& tenant);
  Result<tenant::LocalTenants::Use> OpenForReverse(const JournalEntry& entry, Epoch owned);

  MoveHost& host_;
  tenant::LocalTenants& tenants_;
  runtime::TaskGroup& fibers_;
  const Callbacks callbacks_;
  std::map<TenantName, Outgoing> moves_;
  MoveTotals totals_;
  runtime::WaitQueue ended_;  // A source has ended, or the host is stopping.
};

}  // namespace tradewind::move
