#include "node/paced_moves.h"

#include <optional>
#include <utility>

#include "move/moves.h"
#include "runtime/call_on.h"

namespace tradewind::node {

namespace {

// A move at a moment.
struct Snapshot {
  MoveId id;
  TenantName tenant;
  NodeName peer;
  bool follows_latency;
  std::optional<pace::Objective> setpoint;
  int64_t finish_by_ms;
  uint64_t bytes_left;
  uint64_t pulled_bytes;
};

}  // namespace

class PacedMoves::OfOtherCore final : public pace::PacedMove {
 public:
  explicit OfOtherCore(Snapshot look) : look_(std::move(look)) {}
  void See(const Snapshot& look) {
    const uint64_t pulled = look_.pulled_bytes;
    look_ = look;
    look_.pulled_bytes += pulled;
  }
  std::optional<pace::PaceNote> TakeNote() { return std::exchange(note_, std::nullopt); }

  const MoveId& id() const override { return look_.id; }
  const TenantName& tenant() const override { return look_.tenant; }
  const NodeName& peer() const override { return look_.peer; }
  bool follows_latency() const override { return look_.follows_latency; }
  std::optional<pace::Objective> setpoint() const override { return look_.setpoint; }
  int64_t finish_by_ms() const override { return look_.finish_by_ms; }
  uint64_t bytes_left() const override { return look_.bytes_left; }
  uint64_t TakePulledBytes() override { return std::exchange(look_.pulled_bytes, 0); }
  void NotePace(const pace::PaceNote& note) override { note_ = note; }

 private:
  Snapshot look_;
  std::optional<pace::PaceNote> note_;
};

PacedMoves::PacedMoves() = default;
PacedMoves::~PacedMoves() = default;

void PacedMoves::Look(OfCore& core) {
  std::map<MoveId, pace::PaceNote> notes;
  for (const auto& [id, move] : core.moves)
    if (const auto note = move->TakeNote()) notes[id] = *note;
  const auto looks = runtime::CallOn(core.parts.core(), [&] {
    std::vector<Snapshot> seen;
    for (const auto& move : core.parts.moves().outgoing().sources()) {
      if (const auto note = notes.find(move->id()); note != notes.end()) move->NotePace(note->second);
      seen.push_back({move->id(), move->tenant(), move->peer(), move->follows_latency(), move->setpoint(),
                      move->finish_by_ms(), move->bytes_left(), move->TakePulledBytes()});
    }
    if (seen.empty()) core.parts.SettleThrottle();
    return seen;
  });
  std::map<MoveId, std::shared_ptr<OfOtherCore>> now;
  for (const Snapshot& look : looks) {
    const auto known = core.moves.find(look.id);
    if (known == core.moves.end()) {
      now[look.id] = std::make_shared<OfOtherCore>(look);
      continue;
    }
    known->second->See(look);
    now[look.id] = known->second;
  }
  core.moves = std::move(now);
}

pace::Pacer::Moves PacedMoves::Now() {
  pace::Pacer::Moves moves;
  for (OfCore& core : cores_) {
    if (core.parts.core().IsHere()) {
      const auto sources = core.parts.moves().outgoing().sources();
      moves.insert(moves.end(), sources.begin(), sources.end());
      continue;
    }
    Look(core);
    for (const auto& [id, move] : core.moves) moves.push_back(move);
  }
  return moves;
}

}  // namespace tradewind::node
