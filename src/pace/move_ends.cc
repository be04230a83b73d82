#include "pace/move_ends.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/limits.h"
#include "base/log.h"

namespace tradewind::pace {

namespace {

// For the other ends to answer.
constexpr std::chrono::milliseconds kAnswerTime{60};
// An answer older than this is no news.
constexpr std::chrono::seconds kStale{3};
// For so long nobody is believed to be there as long as nothing else is said.
constexpr std::chrono::seconds kTrust{1};
constexpr std::chrono::seconds kObjectivesEvery{5};

// Of a reading at an end, if that is worse.
void NoteIfWorse(const Reading& reading, double usual_p95_ms, const Objective& objective, const MoveId& move,
                 MoveEnds::Worst& worst) {
  if (reading.samples == 0 || objective.milliseconds <= 0) return;
  const double ratio = reading.Of(objective.signal) / objective.milliseconds;
  if (ratio <= worst.ratio) return;
  worst = {ratio, usual_p95_ms / objective.milliseconds, reading.samples, move};
}

}  // namespace

MoveEnds::MoveEnds(runtime::Core& core, NodeName self, const NodeSensors& sensors, Callbacks callbacks,
                   runtime::TaskGroup& fibers)
    : core_(core),
      self_(std::move(self)),
      sensors_(sensors),
      callbacks_(std::move(callbacks)),
      fibers_(fibers) {}

void MoveEnds::Stop() {
  stopping_ = true;
  answered_.NotifyAll();
}

// -- Asking

void MoveEnds::RefreshObjectives() {
  if (looking_at_objectives_ || core_.Now() < objectives_due_) return;
  looking_at_objectives_ = true;
  fibers_.Spawn("objectives of tenants", [this] {
    auto objectives = callbacks_.objectives();
    if (objectives)
      objectives_ = *std::move(objectives);
    else
      log::warn("the objectives of tenants are not known: {}", Describe(objectives.error()));
    objectives_due_ = core_.Now() + kObjectivesEvery;
    looking_at_objectives_ = false;
    answered_.NotifyAll();
  });
}

LatencyCall MoveEnds::CallFor(const NodeName& node, const Era& era) const {
  LatencyCall call;
  for (const TenantObjective& one : objectives_)
    if (one.owner == node) call.tenants.push_back(one.tenant);
  if (era.since != runtime::TimePoint{}) call.back = core_.Now() - era.since;
  return call;
}

// The first look at an end is before the moves are felt there.
void MoveEnds::NoteAnswer(End& end, EndLatency latency, uint64_t era) {
  end.latency = std::move(latency);
  end.answered = core_.Now();
  end.era = era;
  end.away = false;
  if (!std::exchange(end.known, true)) end.usual = UsualDuringMove(end.latency.usual_p95_ms);
}

void MoveEnds::Ask(const NodeName& peer, const Era& era) {
  End& asked = ends_[peer];
  if (std::exchange(asked.asking, true)) return;
  fibers_.Spawn("latency of " + peer, [this, peer, call = CallFor(peer, era), era = era.number] {
    auto latency = callbacks_.ask(peer, call);
    End& end = ends_[peer];
    end.asking = false;
    if (latency)
      NoteAnswer(end, *std::move(latency), era);
    else
      end.away = latency.error().code == "NODE_UNREACHABLE";
    answered_.NotifyAll();
  });
}

void MoveEnds::Refresh(const PacedMoveList& moves, const Era& era) {
  RefreshObjectives();
  std::set<NodeName> peers;
  for (const auto& move : moves) peers.insert(move->peer());
  for (const NodeName& peer : peers) Ask(peer, era);
  const auto all_answered = [&] {
    return stopping_ ||
           (!looking_at_objectives_ && std::none_of(peers.begin(), peers.end(), [this](const NodeName& peer) {
             return ends_[peer].asking;
           }));
  };
  WaitForUntil(answered_, core_.Now() + kAnswerTime, all_answered);
  EndLatency here = sensors_.Read(CallFor(self_, era));
  NoteAnswer(ends_[self_], std::move(here), era.number);
}

bool MoveEnds::HasNews(const End& end, const Era& era) const {
  return end.known && end.era == era.number && core_.Now() - end.answered < kStale;
}

// -- Answers and setpoints

std::set<NodeName> MoveEnds::NodesOf(const PacedMoveList& moves) const {
  std::set<NodeName> nodes{self_};
  for (const auto& move : moves)
    if (move->follows_latency()) nodes.insert(move->peer());
  return nodes;
}

Objective MoveEnds::SetpointOf(const PacedMove& move) {
  if (const auto given = move.setpoint()) return *given;
  for (const TenantObjective& one : objectives_)
    if (one.tenant == move.tenant()) return one.objective;
  const double usual = std::max(ends_[self_].usual.p95_ms(), ends_[move.peer()].usual.p95_ms());
  return {Signal::kP95, std::max(usual * limits::kSetpointByUsual, limits::kLeastSetpointMs)};
}

MoveEnds::Worst MoveEnds::FindWorst(const PacedMoveList& moves, const Setpoints& setpoints, const Era& era) {
  Worst worst;
  std::set<NodeName> seen;
  for (const auto& move : moves) {
    if (!move->follows_latency()) continue;
    for (const NodeName& node : {self_, move->peer()}) {
      const End& end = ends_[node];
      if (!HasNews(end, era)) continue;
      const double usual = end.usual.p95_ms();
      NoteIfWorse(end.latency.now, usual, setpoints.at(move->id()), move->id(), worst);
      if (!seen.insert(node).second) continue;
      for (const TenantObjective& one : objectives_)
        if (const auto found = end.latency.tenants.find(one.tenant); found != end.latency.tenants.end())
          NoteIfWorse(found->second, usual, one.objective, "", worst);
    }
  }
  return worst;
}

void MoveEnds::NoteActivity(const PacedMoveList& moves, Governor::Look& look) {
  for (const NodeName& node : NodesOf(moves)) {
    const End& end = ends_[node];
    if (end.away) continue;
    look.unknown |= !end.known || core_.Now() - end.answered > kTrust;
    if (end.known) look.activity.Merge(end.latency.activity);
  }
}

void MoveEnds::NoteUsual(const PacedMoveList& moves, const Era& era, runtime::TimePoint since, bool slowest) {
  const double seconds = std::chrono::duration<double>(core_.Now() - since).count();
  for (const NodeName& node : NodesOf(moves)) {
    End& end = ends_[node];
    if (HasNews(end, era)) end.usual.Note(end.latency.now, seconds, slowest);
  }
}

std::optional<double> MoveEnds::P95At(const PacedMove& move, const Era& era) const {
  std::optional<double> p95;
  for (const NodeName& node : {self_, move.peer()}) {
    const auto end = ends_.find(node);
    if (end == ends_.end() || !HasNews(end->second, era) || end->second.latency.now.samples == 0) continue;
    p95 = std::max(p95.value_or(0), end->second.latency.now.p95_ms);
  }
  return p95;
}

}  // namespace tradewind::pace
