#include "node/pacer.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/limits.h"
#include "base/log.h"

namespace tradewind::node {

namespace {

constexpr std::chrono::milliseconds kTick{250};
// Of a tick, for the other ends to answer: what comes later counts for the next.
constexpr std::chrono::milliseconds kAnswerTime{60};
// An answer older than this is no news.
constexpr std::chrono::seconds kStale{3};
// After the last move. As long as what "usual" is taken from, which must not be of a move.
constexpr std::chrono::seconds kLinger{15};
constexpr std::chrono::seconds kObjectivesEvery{5};
constexpr uint64_t kBurstBytes = 2 * limits::kPageBatchBytes;
// Of the time until a deadline: what the last look and the end of a move take, and a share for what may come
// in between.
constexpr double kDeadlineReserveSeconds = 0.75;
constexpr double kDeadlineShare = 0.95;
// What is pushed by what is pulled, as long as that is felt; but not so much that a link of 1 Gbit/s is felt.
constexpr double kPushedByPulled = 16;
constexpr double kMostForPulls = 32e6;
constexpr double kPullsFeltSeconds = 3;  // As long as a sensor looks back, at the least.

bool FollowsLatency(const move::Sender& sender) {
  return sender.follows_latency();
}

}  // namespace

Pacer::Pacer(runtime::Core& core, NodeName self, pace::Sensor& sensor, Hands hands)
    : core_(core),
      self_(std::move(self)),
      sensor_(sensor),
      hands_(std::move(hands)),
      bucket_(core, pace::ControllerOptions{}.start_bytes_per_s, kBurstBytes),
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
  NoteIdle(ends_[self_]);
  while (!stopping_) {
    if (!hands_.moves().empty()) {
      Tick();
      last_move = core_.Now();
    } else if (core_.Now() - last_move > kLinger) {
      break;
    } else {
      controller_.reset();
    }
    wake_.WaitUntil(core_.Now() + kTick);
  }
  controller_.reset();
  bucket_.SetRate(pace::ControllerOptions{}.start_bytes_per_s);
  ends_.clear();
  setpoints_.clear();
  running_ = false;
}

// -- Looking

// The first look at an end is before the moves are felt there.
void Pacer::NoteIdle(End& end) {
  if (end.known) return;
  if (&end == &ends_[self_]) end.latency = ReadEnd(sensor_, {});
  end.known = true;
  if (end.latency.usual.samples > 0) end.idle_p95_ms = end.latency.usual.p95_ms;
}

void Pacer::LookAtObjectives() {
  if (looking_at_objectives_ || core_.Now() < objectives_due_) return;
  looking_at_objectives_ = true;
  fibers_.Spawn("objectives of tenants", [this] {
    auto objectives = hands_.objectives();
    if (objectives)
      objectives_ = *std::move(objectives);
    else
      log::warn("the objectives of tenants are not known: {}", Describe(objectives.error()));
    objectives_due_ = core_.Now() + kObjectivesEvery;
    looking_at_objectives_ = false;
    answered_.NotifyAll();
  });
}

void Pacer::Ask(const NodeName& peer) {
  End& asked = ends_[peer];
  if (std::exchange(asked.asking, true)) return;
  std::vector<TenantName> tenants;
  for (const TenantObjective& one : objectives_)
    if (one.owner == peer) tenants.push_back(one.tenant);
  fibers_.Spawn("latency of " + peer, [this, peer, tenants] {
    auto latency = hands_.ask(peer, tenants);
    End& end = ends_[peer];
    end.asking = false;
    if (latency) {
      end.latency = *std::move(latency);
      end.answered = core_.Now();
      NoteIdle(end);
    }
    answered_.NotifyAll();
  });
}

void Pacer::LookAtEnds(const Moves& moves) {
  LookAtObjectives();
  std::set<NodeName> peers;
  for (const auto& sender : moves) peers.insert(sender->peer());
  for (const NodeName& peer : peers) Ask(peer);
  std::vector<TenantName> here;
  for (const TenantObjective& one : objectives_)
    if (one.owner == self_) here.push_back(one.tenant);
  const auto all_answered = [&] {
    return stopping_ ||
           (!looking_at_objectives_ && std::none_of(peers.begin(), peers.end(), [this](const NodeName& peer) {
             return ends_[peer].asking;
           }));
  };
  WaitForUntil(answered_, core_.Now() + kAnswerTime, all_answered);
  End& self = ends_[self_];
  self.latency = ReadEnd(sensor_, here);
  self.answered = core_.Now();
}

bool Pacer::HasNews(const End& end) const {
  return end.known && core_.Now() - end.answered < kStale;
}

// -- Judging

pace::Objective Pacer::SetpointOf(const move::Sender& sender) {
  if (sender.options().pace.setpoint) return *sender.options().pace.setpoint;
  for (const TenantObjective& one : objectives_)
    if (one.tenant == sender.tenant()) return one.objective;
  if (const auto known = setpoints_.find(sender.id()); known != setpoints_.end()) return known->second;
  const double usual = std::max(ends_[self_].idle_p95_ms, ends_[sender.peer()].idle_p95_ms);
  return {pace::Signal::kP95, std::max(usual * limits::kSetpointByUsual, limits::kLeastSetpointMs)};
}

void Pacer::Judge(const End& end, const pace::Reading& reading, const pace::Objective& objective,
                  const MoveId& move, Worst& worst) const {
  if (reading.samples == 0 || objective.milliseconds <= 0) return;
  const double ratio = reading.Of(objective.signal) / objective.milliseconds;
  if (ratio <= worst.ratio) return;
  worst = {ratio, end.idle_p95_ms / objective.milliseconds, move};
}

Pacer::Worst Pacer::FindWorst(const Moves& moves) {
  Worst worst;
  std::set<NodeName> judged;
  for (const auto& sender : moves) {
    if (!FollowsLatency(*sender)) continue;
    for (const NodeName& node : {self_, sender->peer()}) {
      const End& end = ends_[node];
      if (!HasNews(end)) continue;
      Judge(end, end.latency.now, setpoints_.at(sender->id()), sender->id(), worst);
      if (!judged.insert(node).second) continue;
      for (const TenantObjective& one : objectives_)
        if (const auto found = end.latency.tenants.find(one.tenant); found != end.latency.tenants.end())
          Judge(end, found->second, one.objective, "", worst);
    }
  }
  return worst;
}

void Pacer::NotePulls(const Moves& moves, runtime::Duration dt) {
  const double seconds = std::chrono::duration<double>(dt).count();
  if (seconds <= 0) return;
  uint64_t bytes = 0;
  for (const auto& sender : moves)
    if (FollowsLatency(*sender)) bytes += sender->TakePulledBytes();
  pulled_.Note(static_cast<double>(bytes) / seconds, seconds);
}

// What the pulls and the deadlines ask for. Moves take turns on the bucket, so each gets as much as any other.
double Pacer::FloorFor(const Moves& moves) const {
  double floor = std::max(pace::ControllerOptions{}.floor_bytes_per_s,
                          std::min(pulled_.value() * kPushedByPulled, kMostForPulls));
  const auto sharing = static_cast<double>(
      std::count_if(moves.begin(), moves.end(), [](const auto& sender) { return FollowsLatency(*sender); }));
  for (const auto& sender : moves) {
    if (!FollowsLatency(*sender) || sender->options().finish_by_ms == 0) continue;
    const double seconds =
        static_cast<double>(sender->options().finish_by_ms - core_.UnixMilliseconds()) / 1e3;
    const double room = std::max(seconds * kDeadlineShare - kDeadlineReserveSeconds, 0.25);
    floor = std::max(floor, static_cast<double>(sender->bytes_left()) / room * sharing);
  }
  return floor;
}

std::optional<double> Pacer::P95At(const move::Sender& sender) const {
  std::optional<double> p95;
  for (const NodeName& node : {self_, sender.peer()}) {
    const auto end = ends_.find(node);
    if (end == ends_.end() || !HasNews(end->second) || end->second.latency.now.samples == 0) continue;
    p95 = std::max(p95.value_or(0), end->second.latency.now.p95_ms);
  }
  return p95;
}

void Pacer::Tick() {
  LookAtEnds(hands_.moves());
  // Of those that were asked about some may be over, and their tenants gone. Nothing below suspends.
  const Moves moves = hands_.moves();
  std::map<MoveId, pace::Objective> setpoints;
  for (const auto& sender : moves)
    if (FollowsLatency(*sender)) setpoints[sender->id()] = SetpointOf(*sender);
  double factor = 1;  // By which the setpoint changed that counted last.
  if (const auto before = setpoints_.find(worst_.move), now = setpoints.find(worst_.move);
      before != setpoints_.end() && now != setpoints.end())
    factor = now->second.milliseconds / before->second.milliseconds;
  setpoints_ = std::move(setpoints);

  if (setpoints_.empty()) {
    controller_.reset();
    worst_ = {};
  } else {
    if (!controller_) {
      controller_.emplace();
      stepped_ = core_.Now() - kTick;
      taken_ = bucket_.taken();
      pulled_.Clear();
    }
    worst_ = FindWorst(moves);
    controller_->NoteSetpointChange(factor);
    const runtime::TimePoint now = core_.Now();
    const runtime::Duration dt = now - std::exchange(stepped_, now);
    NotePulls(moves, dt);
    controller_->SetFloor(FloorFor(moves));
    const auto used = static_cast<double>(bucket_.taken() - std::exchange(taken_, bucket_.taken()));
    bucket_.SetRate(controller_->Step({.ratio = worst_.ratio,
                                       .idle_ratio = worst_.idle_ratio,
                                       .used_bytes_per_s = used / std::chrono::duration<double>(dt).count()},
                                      dt));
  }
  for (const auto& sender : moves) {
    move::PaceNote note{P95At(*sender), std::nullopt, bucket_.rate(), controller_ && controller_->at_floor()};
    if (const auto setpoint = setpoints_.find(sender->id()); setpoint != setpoints_.end())
      note.setpoint = setpoint->second;
    sender->NotePace(note);
  }
}

}  // namespace tradewind::node
