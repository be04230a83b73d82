#include "balance/drain_moves.h"

#include <algorithm>

#include "base/limits.h"

namespace tradewind::balance {

bool DrainMoves::HasRoomFor(uint64_t bytes) const {
  if (moves_.size() >= limits::kDrainMoves) return false;
  return moves_.empty() || bytes_ + bytes <= limits::kDrainBytes;
}

void DrainMoves::Begin(const TenantName& tenant, const NodeName& to, uint64_t bytes, size_t ready) {
  Move& move = moves_[tenant];
  bytes_ += bytes;
  // What is not used by those that are few is shared out later.
  const size_t sharing = std::clamp<size_t>(ready + moves_.size(), 1, limits::kDrainMoves);
  move = {to, bytes, ShareOf(sharing)};
}

DrainMoves::Move DrainMoves::End(const TenantName& tenant) {
  Move move = std::move(moves_.at(tenant));
  moves_.erase(tenant);
  bytes_ -= move.bytes;
  return move;
}

move::Pace DrainMoves::ShareOf(size_t moves) const {
  move::Pace pace = pace_;
  if (pace.rate_bytes_per_s && *pace.rate_bytes_per_s != 0)
    pace.rate_bytes_per_s = std::max<uint64_t>(*pace.rate_bytes_per_s / moves, 1);
  return pace;
}

std::vector<std::pair<TenantName, move::Pace>> DrainMoves::ShareAnew(size_t ready) {
  std::vector<std::pair<TenantName, move::Pace>> changed;
  if (pace_.rate_bytes_per_s.value_or(0) == 0 || moves_.empty() || ready >= limits::kDrainMoves)
    return changed;
  const move::Pace share = ShareOf(moves_.size());
  for (auto& [name, move] : moves_) {
    if (move.pace.rate_bytes_per_s == share.rate_bytes_per_s) continue;
    move.pace = share;
    changed.emplace_back(name, share);
  }
  return changed;
}

size_t DrainMoves::CountTo(const NodeName& node) const {
  return static_cast<size_t>(
      std::count_if(moves_.begin(), moves_.end(), [&](const auto& move) { return move.second.to == node; }));
}

}  // namespace tradewind::balance
