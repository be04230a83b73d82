#include "pace/pacer.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/limits.h"
#include "base/log.h"

namespace tradewind::pace {

namespace {

// A move that begins, or is changed, is looked at before its time, but many in a row are not each.
constexpr std::chrono::milliseconds kLeastPause{25};
// Of a tick, for the other ends to answer: what comes later counts for the next.
constexpr std::chrono::milliseconds kAnswerTime{60};
// An answer older than this is no news.
constexpr std::chrono::seconds kStale{3};
// For so long nobody is believed to be there as long as nothing else is said.
constexpr std::chrono::seconds kTrust{1};
// After the last move.
constexpr std::chrono::seconds kLinger{15};
constexpr std::chrono::seconds kObjectivesEvery{5};
// Of the time until a deadline: what the last look and the end of a move take, and a share for what may come
// in between.
constexpr double kDeadlineReserveSeconds = 0.75;
constexpr double kDeadlineShare = 0.95;
// What is pushed by what is pulled, as long as that is felt; but not so much that a link of 1 Gbit/s is felt.
constexpr double kPushedByPulled = 16;
constexpr double kMostForPulls = 32e6;
constexpr double kPullsFeltSeconds = 3;  // As long as a sensor looks back, at the least.

bool FollowsLatency(const PacedMove& move) {
  return move.follows_latency();
}

}  // namespace

Pacer::Pacer(runtime::Core& core, NodeName self, const NodeSensors& sensors, Callbacks callbacks)
    : core_(core),
      self_(std::move(self)),
      sensors_(sensors),
      callbacks_(std::move(callbacks)),
      bucket_(core, ControllerOptions{}.start_bytes_per_s, kBurstBytes),
      pulled_(kPullsFeltSeconds),
      fibers_(core) {}

Pacer::~Pacer() = default;

void Pacer::Wake() {
  if (stopping_) return;
  wake_.NotifyAll();
  if (std::exchange(running_, true)) return;
  fibers_.Spawn("pacer of " + self_, [this] { Loop(); });
}

void Pacer::Stop() {
  stopping_ = true;
  wake_.NotifyAll();
  answered_.NotifyAll();
}

void Pacer::Loop() {
  runtime::TimePoint last_move = core_.Now();
  while (!stopping_) {
    if (!callbacks_.moves().empty()) {
      Tick();
      last_move = ticked_ = core_.Now();
    } else if (core_.Now() - last_move > kLinger) {
      break;
    } else if (governor_) {
      StopGoverning();
      bucket_.SetRate(ControllerOptions{}.start_bytes_per_s);
    }
    wake_.WaitUntil(core_.Now() + (governor_ ? governor_->pause() : Governor::kPause));
    WaitForUntil(wake_, ticked_ + kLeastPause, [this] { return stopping_; });
  }
  StopGoverning();
  bucket_.SetRate(ControllerOptions{}.start_bytes_per_s);
  ends_.clear();
  setpoints_.clear();
  running_ = false;
}

void Pacer::StopGoverning() {
  eras_ = era() + 1;
  governor_.reset();
  worst_ = {};
}

// -- Looking

void Pacer::RefreshObjectives() {
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

LatencyCall Pacer::CallFor(const NodeName& node) const {
  LatencyCall call;
  for (const TenantObjective& one : objectives_)
    if (one.owner == node) call.tenants.push_back(one.tenant);
  if (governor_ && governor_->since() != runtime::TimePoint{}) call.back = core_.Now() - governor_->since();
  return call;
}

// The first look at an end is before the moves are felt there.
void Pacer::NoteAnswer(End& end, EndLatency latency, uint64_t era) {
  end.latency = std::move(latency);
  end.answered = core_.Now();
  end.era = era;
  end.away = false;
  if (!std::exchange(end.known, true)) end.usual = UsualDuringMove(end.latency.usual_p95_ms);
}

void Pacer::Ask(const NodeName& peer) {
  End& asked = ends_[peer];
  if (std::exchange(asked.asking, true)) return;
  fibers_.Spawn("latency of " + peer, [this, peer, call = CallFor(peer), era = era()] {
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

void Pacer::RefreshEnds(const Moves& moves) {
  RefreshObjectives();
  std::set<NodeName> peers;
  for (const auto& move : moves) peers.insert(move->peer());
  for (const NodeName& peer : peers) Ask(peer);
  const auto all_answered = [&] {
    return stopping_ ||
           (!looking_at_objectives_ && std::none_of(peers.begin(), peers.end(), [this](const NodeName& peer) {
             return ends_[peer].asking;
           }));
  };
  WaitForUntil(answered_, core_.Now() + kAnswerTime, all_answered);
  const uint64_t asked_in = era();
  EndLatency here = sensors_.Read(CallFor(self_));
  NoteAnswer(ends_[self_], std::move(here), asked_in);
}

bool Pacer::HasNews(const End& end) const {
  return end.known && end.era == era() && core_.Now() - end.answered < kStale;
}

// -- Judging

Objective Pacer::SetpointOf(const PacedMove& move) {
  if (const auto given = move.setpoint()) return *given;
  for (const TenantObjective& one : objectives_)
    if (one.tenant == move.tenant()) return one.objective;
  const double usual = std::max(ends_[self_].usual.p95_ms(), ends_[move.peer()].usual.p95_ms());
  return {Signal::kP95, std::max(usual * limits::kSetpointByUsual, limits::kLeastSetpointMs)};
}

void Pacer::Judge(const End& end, const Reading& reading, const Objective& objective, const MoveId& move,
                  Worst& worst) const {
  if (reading.samples == 0 || objective.milliseconds <= 0) return;
  const double ratio = reading.Of(objective.signal) / objective.milliseconds;
  if (ratio <= worst.ratio) return;
  worst = {ratio, end.usual.p95_ms() / objective.milliseconds, reading.samples, move};
}

Pacer::Worst Pacer::FindWorst(const Moves& moves) {
  Worst worst;
  std::set<NodeName> judged;
  for (const auto& move : moves) {
    if (!FollowsLatency(*move)) continue;
    for (const NodeName& node : {self_, move->peer()}) {
      const End& end = ends_[node];
      if (!HasNews(end)) continue;
      Judge(end, end.latency.now, setpoints_.at(move->id()), move->id(), worst);
      if (!judged.insert(node).second) continue;
      for (const TenantObjective& one : objectives_)
        if (const auto found = end.latency.tenants.find(one.tenant); found != end.latency.tenants.end())
          Judge(end, found->second, one.objective, "", worst);
    }
  }
  return worst;
}

void Pacer::LookWhoIsThere(const Moves& moves, Governor::Look& look) {
  std::set<NodeName> nodes{self_};
  for (const auto& move : moves)
    if (FollowsLatency(*move)) nodes.insert(move->peer());
  for (const NodeName& node : nodes) {
    const End& end = ends_[node];
    if (end.away) continue;
    look.unknown |= !end.known || core_.Now() - end.answered > kTrust;
    if (end.known) look.activity.Merge(end.latency.activity);
  }
}

// What the readings say of what is usual; once they are of requests beside the moves alone.
void Pacer::NoteUsual(const Moves& moves) {
  const runtime::TimePoint now = core_.Now();
  const bool slowest = governor_->paced() && governor_->at_floor() &&
                       governor_->rate() <= ControllerOptions{}.floor_bytes_per_s * 1.01;
  if (!slowest) slowest_since_.reset();
  if (slowest && !slowest_since_) slowest_since_ = now;
  if (!governor_->paced()) return;
  std::set<NodeName> nodes{self_};
  for (const auto& move : moves)
    if (FollowsLatency(*move)) nodes.insert(move->peer());
  for (const NodeName& node : nodes) {
    End& end = ends_[node];
    if (!HasNews(end)) continue;
    const runtime::TimePoint since = slowest_since_.value_or(governor_->since());
    end.usual.Note(end.latency.now, std::chrono::duration<double>(now - since).count(), slowest);
  }
}

void Pacer::NotePulls(const Moves& moves, runtime::Duration dt) {
  const double seconds = std::chrono::duration<double>(dt).count();
  if (seconds <= 0) return;
  uint64_t bytes = 0;
  for (const auto& move : moves)
    if (FollowsLatency(*move)) bytes += move->TakePulledBytes();
  pulled_.Note(static_cast<double>(bytes) / seconds, seconds);
}

// What the pulls and the deadlines ask for. Moves take turns on the bucket, so each gets as much as any other.
double Pacer::FloorFor(const Moves& moves) const {
  double floor = std::max(ControllerOptions{}.floor_bytes_per_s,
                          std::min(pulled_.value() * kPushedByPulled, kMostForPulls));
  const auto sharing = static_cast<double>(
      std::count_if(moves.begin(), moves.end(), [](const auto& move) { return FollowsLatency(*move); }));
  for (const auto& move : moves) {
    if (!FollowsLatency(*move) || move->finish_by_ms() == 0) continue;
    const double seconds = static_cast<double>(move->finish_by_ms() - core_.UnixMilliseconds()) / 1e3;
    const double room = std::max(seconds * kDeadlineShare - kDeadlineReserveSeconds, 0.25);
    floor = std::max(floor, static_cast<double>(move->bytes_left()) / room * sharing);
  }
  return floor;
}

std::optional<double> Pacer::P95At(const PacedMove& move) const {
  std::optional<double> p95;
  for (const NodeName& node : {self_, move.peer()}) {
    const auto end = ends_.find(node);
    if (end == ends_.end() || !HasNews(end->second) || end->second.latency.now.samples == 0) continue;
    p95 = std::max(p95.value_or(0), end->second.latency.now.p95_ms);
  }
  return p95;
}

void Pacer::Govern(const Moves& moves, double factor) {
  const runtime::TimePoint now = core_.Now();
  if (!governor_) {
    governor_.emplace();
    stepped_ = now - Governor::kPause;
    taken_ = bucket_.taken();
    pulled_.Clear();
    slowest_since_.reset();
  }
  worst_ = FindWorst(moves);
  NoteUsual(moves);
  governor_->NoteSetpointChange(factor);
  const runtime::Duration dt = now - std::exchange(stepped_, now);
  NotePulls(moves, dt);
  governor_->SetFloor(FloorFor(moves));
  const auto used = static_cast<double>(bucket_.taken() - std::exchange(taken_, bucket_.taken()));
  Governor::Look look;
  look.ratio = worst_.ratio;
  look.idle_ratio = worst_.idle_ratio;
  look.samples = worst_.samples;
  look.used_bytes_per_s = used / std::chrono::duration<double>(dt).count();
  LookWhoIsThere(moves, look);
  bucket_.SetRate(governor_->Step(look, now));
}

void Pacer::Tick() {
  RefreshEnds(callbacks_.moves());
  // Of those that were asked about some may be over. Nothing suspends from here on.
  const Moves moves = callbacks_.moves();
  std::map<MoveId, Objective> setpoints;
  for (const auto& move : moves)
    if (FollowsLatency(*move)) setpoints[move->id()] = SetpointOf(*move);
  double factor = 1;  // By which the setpoint changed that counted last.
  if (const auto before = setpoints_.find(worst_.move), now = setpoints.find(worst_.move);
      before != setpoints_.end() && now != setpoints.end())
    factor = now->second.milliseconds / before->second.milliseconds;
  setpoints_ = std::move(setpoints);

  if (setpoints_.empty()) {
    StopGoverning();
  } else {
    Govern(moves, factor);
  }
  for (const auto& move : moves) {
    PaceNote note{P95At(*move), std::nullopt, bucket_.rate(), governor_ && governor_->at_floor()};
    if (const auto setpoint = setpoints_.find(move->id()); setpoint != setpoints_.end())
      note.setpoint = setpoint->second;
    move->NotePace(note);
  }
}

}  // namespace tradewind::pace
