// The moves that a drain has under way, and what each of them may take: at most limits::kDrainMoves at a time, and no more
// bytes than limits::kDrainBytes but for a larger tenant, which goes alone; a fixed rate is shared out among them.
//
// Nothing here suspends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "move/options.h"

namespace tradewind::balance {

class DrainMoves {
 public:
  struct Move {
    NodeName to;
    uint64_t bytes = 0;
    move::Pace pace = {};
  };

  // Of all together, for moves that begin from now on. Those that follow latency share by themselves (Pacer), and no
  // limit needs no sharing.
  void SetPace(const move::Pace& pace) { pace_ = pace; }

  // Whether a tenant of this size may move now.
  bool HasRoomFor(uint64_t bytes) const;
  // Gives it its share of the rate; so many others are ready to begin at once. Requires: it is not moving.
  void Begin(const TenantName& tenant, const NodeName& to, uint64_t bytes, size_t ready);
  // The move that has ended.
  Move End(const TenantName& tenant);
  // Shares what those leave that have ended, unless so many others begin at once; whose share is another now, and which.
  std::vector<std::pair<TenantName, move::Pace>> ShareAnew(size_t ready);

  const Move& Of(const TenantName& tenant) const { return moves_.at(tenant); }
  size_t size() const { return moves_.size(); }
  size_t CountTo(const NodeName& node) const;

 private:
  move::Pace ShareOf(size_t moves) const;

  move::Pace pace_;
  std::map<TenantName, Move> moves_;
  uint64_t bytes_ = 0;
};

}  // namespace tradewind::balance
