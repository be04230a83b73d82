#include "pace/pacer.h"

#include <algorithm>
#include <utility>

namespace tradewind::pace {

namespace {

// A move that begins, or is changed, is looked at before its time, but many in a row are not each.
constexpr std::chrono::milliseconds kLeastPause{25};
// After the last move.
constexpr std::chrono::seconds kLinger{15};
// Of the time until a deadline: what the last look and the end of a move take, and a share for what may come
// in between.
constexpr double kDeadlineReserveSeconds = 0.75;
constexpr double kDeadlineShare = 0.95;
// What is pushed by what is pulled, as long as that is felt; but not so much that a link of 1 Gbit/s is felt.
constexpr double kPushedByPulled = 16;
constexpr double kMostForPulls = 32e6;
constexpr double kPullsFeltSeconds = 3;  // As long as a sensor looks back, at the least.

}  // namespace

Pacer::Pacer(runtime::Core& core, NodeName self, const NodeSensors& sensors, std::function<Moves()> moves,
             MoveEnds::Callbacks callbacks)
    : core_(core),
      self_(std::move(self)),
      moves_(std::move(moves)),
      bucket_(core, ControllerOptions{}.start_bytes_per_s, kBurstBytes),
      pulled_(kPullsFeltSeconds),
      fibers_(core),
      ends_(core, self_, sensors, std::move(callbacks), fibers_) {}

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
  ends_.Stop();
}

void Pacer::Loop() {
  runtime::TimePoint last_move = core_.Now();
  while (!stopping_) {
    if (!moves_().empty()) {
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
  ends_.Forget();
  setpoints_.clear();
  running_ = false;
}

void Pacer::StopGoverning() {
  eras_ = era().number + 1;
  governor_.reset();
  worst_ = {};
}

MoveEnds::Era Pacer::era() const {
  if (!governor_) return {eras_, {}};
  return {eras_ + governor_->era(), governor_->since()};
}

// What the readings say of what is usual; once they are of requests beside the moves alone.
void Pacer::NoteUsual(const Moves& moves) {
  const runtime::TimePoint now = core_.Now();
  const bool slowest = governor_->paced() && governor_->at_floor() &&
                       governor_->rate() <= ControllerOptions{}.floor_bytes_per_s * 1.01;
  if (!slowest) slowest_since_.reset();
  if (slowest && !slowest_since_) slowest_since_ = now;
  if (governor_->paced()) ends_.NoteUsual(moves, era(), slowest_since_.value_or(governor_->since()), slowest);
}

void Pacer::NotePulls(const Moves& moves, runtime::Duration dt) {
  const double seconds = std::chrono::duration<double>(dt).count();
  if (seconds <= 0) return;
  uint64_t bytes = 0;
  for (const auto& move : moves)
    if (move->follows_latency()) bytes += move->TakePulledBytes();
  pulled_.Note(static_cast<double>(bytes) / seconds, seconds);
}

// What the pulls and the deadlines ask for. Moves take turns on the bucket, so each gets as much as any other.
double Pacer::FloorFor(const Moves& moves) const {
  double floor = std::max(ControllerOptions{}.floor_bytes_per_s,
                          std::min(pulled_.value() * kPushedByPulled, kMostForPulls));
  const auto sharing = static_cast<double>(
      std::count_if(moves.begin(), moves.end(), [](const auto& move) { return move->follows_latency(); }));
  for (const auto& move : moves) {
    if (!move->follows_latency() || move->finish_by_ms() == 0) continue;
    const double seconds = static_cast<double>(move->finish_by_ms() - core_.UnixMilliseconds()) / 1e3;
    const double room = std::max(seconds * kDeadlineShare - kDeadlineReserveSeconds, 0.25);
    floor = std::max(floor, static_cast<double>(move->bytes_left()) / room * sharing);
  }
  return floor;
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
  worst_ = ends_.FindWorst(moves, setpoints_, era());
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
  ends_.NoteActivity(moves, look);
  bucket_.SetRate(governor_->Step(look, now));
}

void Pacer::Tick() {
  ends_.Refresh(moves_(), era());
  // Of those that were asked about some may be over. Nothing suspends from here on.
  const Moves moves = moves_();
  MoveEnds::Setpoints setpoints;
  for (const auto& move : moves)
    if (move->follows_latency()) setpoints[move->id()] = ends_.SetpointOf(*move);
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
    PaceNote note{ends_.P95At(*move, era()), std::nullopt, bucket_.rate(),
                  governor_ && governor_->at_floor()};
    if (const auto setpoint = setpoints_.find(move->id()); setpoint != setpoints_.end())
      note.setpoint = setpoint->second;
    move->NotePace(note);
  }
}

}  // namespace tradewind::pace
